"""Serving a model from a claim: read the cluster, plan (pure), show the difference, do it, undo it where it fails."""
