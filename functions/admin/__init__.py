"""What an operator does from the command line with the cluster's own API: it needs the `functions` extra, no broker."""
