"""A Knative-like broker for one machine: the manifests' Broker and Triggers, Knative's data-plane contract, a SQLite queue."""
