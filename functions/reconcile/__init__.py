"""One command or notification from its arrival to its commit; all I/O goes through `Ports`."""
