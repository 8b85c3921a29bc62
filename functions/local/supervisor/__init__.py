"""`make run`: every part of the product as a process of its own, watched, on one machine."""
