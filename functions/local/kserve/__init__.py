"""KServe's controllers, simulated: the one thing of the local cluster that is not real.

Speaks only the Kubernetes API, so the same controllers run against the simulated API and against a real one, where real
pods come and go. They do what KServe (kserve/kserve aaac4e29) was seen to do or does in its source, awkward sides
included. Left out on purpose: KServe's finalizer (a namespace could not end without a controller), ingresses, storage
other than pvc://, request-driven scaling.
"""
