# Targets for a cluster and for the image; the Makefile includes this file.
OVERLAY ?= dev
IMAGE ?=
WAIT ?= 180
NAMESPACE ?= modelswitch

deploy: ## install on a cluster with Knative: IMAGE=… (needed), OVERLAY=dev|production|openshift|no-serving|per-namespace, NAMESPACE=…, WAIT=seconds
	@OVERLAY='$(OVERLAY)' IMAGE='$(IMAGE)' WAIT='$(WAIT)' NAMESPACE='$(NAMESPACE)' knative/deploy.sh

undeploy: ## remove it from the cluster, without touching any model
	@NAMESPACE='$(NAMESPACE)' knative/undeploy.sh

opt-in: ## with OVERLAY=per-namespace: let it read and change the models of namespace MODELS=… (opt-out: no longer)
	@MODELS='$(MODELS)' NAMESPACE='$(NAMESPACE)' knative/opt-in.sh in

opt-out:
	@MODELS='$(MODELS)' NAMESPACE='$(NAMESPACE)' knative/opt-in.sh out

rotate: ## give the functions on the cluster a new delivery secret
	@WAIT='$(WAIT)' NAMESPACE='$(NAMESPACE)' knative/deploy.sh rotate

image: ## build the image: IMAGE=… (default modelswitch:0.1.0), by podman, docker or buildah
	@IMAGE='$(or $(IMAGE),modelswitch:0.1.0)' knative/image.sh

MODELS ?=

.PHONY: deploy undeploy rotate opt-in opt-out image
