#!/usr/bin/env bash
# Prints the manifests of one installation. deploy.sh applies them.
#   OVERLAY  a folder of overlays/, default dev     NAMESPACE  the installation's own, default modelswitch
#   IMAGE    default modelswitch:0.1.0
set -euo pipefail
cd "$(dirname "$0")/.."
: "${OVERLAY:=dev}" "${NAMESPACE:=modelswitch}" "${IMAGE:=modelswitch:0.1.0}"

name=$IMAGE tag='' digest=''
case "$name" in *@*) digest=${name#*@} name=${name%%@*} ;; esac
case "${name##*/}" in *:*) tag=${name##*:} name=${name%:*} ;; esac
[ -n "$tag$digest" ] || tag=latest

mkdir -p .run
work=$(mktemp -d .run/render.XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir "$work/moved" "$work/named"
{
    printf 'namespace: %s\nresources: [../../../knative/overlays/%s]\nimages:\n' "$NAMESPACE" "$OVERLAY"
    printf '  - name: modelswitch\n    newName: %s\n' "$name"
    if [ -n "$digest" ]; then printf '    digest: %s\n' "$digest"; else printf '    newTag: "%s"\n' "$tag"; fi
} > "$work/moved/kustomization.yaml"
# Above the namespace, because it reads what that has become.
printf 'resources: [../moved]\ncomponents: [../../../knative/components/installation]\n' > "$work/named/kustomization.yaml"
kubectl kustomize "$work/named"
