# Targets for a cluster and for the image; the Makefile includes this file.
OVERLAY ?= dev
IMAGE ?=
WAIT ?= 180

deploy: ## on a cluster with Knative: IMAGE=… (needed), OVERLAY=dev|production|openshift|no-serving, WAIT=seconds
	@OVERLAY='$(OVERLAY)' IMAGE='$(IMAGE)' WAIT='$(WAIT)' knative/deploy.sh

undeploy: ## off the cluster again, without touching any model
	@knative/undeploy.sh

rotate: ## give the functions on the cluster a new delivery secret
	@WAIT='$(WAIT)' knative/deploy.sh rotate

image: ## build the image: IMAGE=… (default modelswitch:0.1.0), by podman, docker or buildah
	@IMAGE='$(or $(IMAGE),modelswitch:0.1.0)' knative/image.sh

.PHONY: deploy undeploy rotate image
