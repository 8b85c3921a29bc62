"""The simulated Kubernetes API of a laptop: one process, in memory, spoken to over HTTP like a real one."""
