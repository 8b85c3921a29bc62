"""`modelswitch verify`: whether what KServe says of models is what their pods say. Needs no Redis and nothing of ours in the cluster."""
