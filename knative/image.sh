#!/usr/bin/env bash
# Builds the image with whichever builder works here. IMAGE names it; BUILDER=podman|docker|buildah chooses.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${IMAGE:=modelswitch:0.1.0}"

works() { # a docker client without its engine is no builder
    command -v "$1" > /dev/null && { [ "$1" = buildah ] || "$1" info > /dev/null 2>&1; }
}

for builder in ${BUILDER:-podman docker buildah}; do
    if works "$builder"; then
        echo "building $IMAGE with $builder"
        "$builder" build --file Containerfile --tag "$IMAGE" .
        echo "built $IMAGE. Next: push it where your cluster pulls from, then make deploy IMAGE=$IMAGE"
        exit 0
    fi
done
echo "make image needs podman, docker (with its engine running) or buildah; found none of: ${BUILDER:-podman docker buildah}." >&2
echo "Install one of them, or build Containerfile elsewhere and go on with make deploy IMAGE=<its name>." >&2
exit 1
