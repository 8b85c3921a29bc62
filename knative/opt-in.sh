#!/usr/bin/env bash
# With the overlay per-namespace: lets an installation read and change the models of one namespace, or no longer.
#   opt-in.sh in|out    MODELS  the models' namespace, needed    NAMESPACE  the installation's, default modelswitch
set -euo pipefail
: "${MODELS:=}" "${NAMESPACE:=modelswitch}"
NS=$NAMESPACE
[ -n "$MODELS" ] || { echo "make opt-$1: MODELS is not set. Say which namespace: make opt-$1 MODELS=…" >&2; exit 1; }
command -v kubectl > /dev/null || { echo "make opt-$1: kubectl is not on the PATH. Install it and try again." >&2; exit 1; }

bind() { # part, accounts…
    local part=$1 account accounts=()
    shift
    for account in "$@"; do accounts+=("--serviceaccount=$NS:modelswitch-$account"); done
    kubectl -n "$MODELS" create rolebinding "modelswitch-$part.$NS" --clusterrole="modelswitch-$part.$NS" "${accounts[@]}" \
        --dry-run=client -o yaml | kubectl apply -f -
}

case "$1" in
    in)
        bind change-models api lifecycle
        bind read-artifacts artifacts
        bind watch watch
        kubectl label namespace "$MODELS" "modelswitch.dev/installation=$NS" --overwrite
        ;;
    out) # the label first: what has no rights any more is then not asked for
        kubectl label namespace "$MODELS" modelswitch.dev/installation-
        for part in change-models read-artifacts watch; do
            kubectl -n "$MODELS" delete rolebinding "modelswitch-$part.$NS" --ignore-not-found
        done
        ;;
esac
