"""The `modelswitch` command line: stop, start and watch models over REST or through a broker."""
