"""KServe's resources: where they are, how to read them, and how to act on them."""
