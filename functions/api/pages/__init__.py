"""What people look at, rendered here: no build step, no inline script, nothing from elsewhere."""
