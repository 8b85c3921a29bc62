"""REST, server-sent events and the dashboard: the same step as the functions, in process, answered at once."""
