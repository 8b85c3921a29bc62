"""In place of Knative's ApiServerSource and PingSource on one machine: the same events from the same manifests."""
