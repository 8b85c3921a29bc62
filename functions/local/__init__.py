"""The laptop: a broker, a simulated cluster, and the process that runs it all. Production has none of this."""
