#!/usr/bin/env bash
# Takes one installation off the cluster that KUBECONFIG names. No model is started, stopped or changed.
#   NAMESPACE  the installation's, default modelswitch
# What is there for the whole cluster is deleted by name, each name ending in this namespace: other installations, and what
# merely looks like ours, stay. Order matters: first everything that could pin a ReplicaSet or mark a pod, then the pins and
# marks, then the rest.
set -euo pipefail
NS=${NAMESPACE:-modelswitch}
PIN=modelswitch.dev/grace
ROLES=(change-models stop-notes callers note-policy installations consent read-artifacts watch namespaces)
POLICIES=(handover handover-marks stop-annotation own-models own-workloads own-pods)

command -v kubectl > /dev/null || { echo "make undeploy: kubectl is not on the PATH. Install it and try again." >&2; exit 1; }
kubectl version --request-timeout=10s > /dev/null 2>&1 ||
    { echo "make undeploy: no answer from the cluster. Check KUBECONFIG and try again." >&2; exit 1; }

known() { kubectl get crd "$1" > /dev/null 2>&1; }

names() { # each of the given parts as this installation names it
    printf "modelswitch-%s.$NS\n" "$@"
}

others() { # installations in other namespaces, by a binding that each has
    kubectl get clusterrolebinding -o name | sed -n 's|^.*/modelswitch-stop-notes\.||p' | { grep -vxF "$NS" || true; }
}

end_functions() {
    local kind
    for kind in triggers.eventing.knative.dev services.serving.knative.dev; do
        ! known "$kind" || kubectl -n "$NS" delete "$kind" -l app.kubernetes.io/part-of=modelswitch --ignore-not-found
    done
    kubectl -n "$NS" delete deployment -l app.kubernetes.io/part-of=modelswitch --ignore-not-found --cascade=foreground
    kubectl -n "$NS" wait pod -l 'app.kubernetes.io/component,app.kubernetes.io/component!=redis' --for=delete --timeout=60s ||
        echo "some pods are still ending; going on"
}

clear_pins() { # of the given labels: workloads that a stop in progress had pinned, whose pods would otherwise live on
    local kind namespace name finalizers index
    local columns='{{.kind}} {{.metadata.namespace}} {{.metadata.name}} {{range .metadata.finalizers}}{{.}},{{end}}'
    kubectl get replicasets,statefulsets -A -l "$1" \
        -o go-template="{{range .items}}{{if .metadata.finalizers}}$columns{{\"\\n\"}}{{end}}{{end}}" |
        { grep -F "$PIN," || true; } |
        while read -r kind namespace name finalizers; do
            index=$(tr ',' '\n' <<< "$finalizers" | grep -nxF "$PIN" | cut -d: -f1)
            index=$((index - 1))
            kubectl -n "$namespace" label "$kind" "$name" modelswitch.dev/pinned-
            kubectl -n "$namespace" annotate "$kind" "$name" modelswitch.dev/model-
            kubectl -n "$namespace" patch "$kind" "$name" --type json -p "[
                {\"op\": \"test\", \"path\": \"/metadata/finalizers/$index\", \"value\": \"$PIN\"},
                {\"op\": \"remove\", \"path\": \"/metadata/finalizers/$index\"}]"
        done
}

delete_policies() {
    local parts
    mapfile -t parts < <(names "${POLICIES[@]}")
    kubectl delete validatingadmissionpolicybinding "${parts[@]}" --ignore-not-found
    kubectl delete validatingadmissionpolicy "${parts[@]}" --ignore-not-found
}

end_handovers() { # old pods of a rolling reload: one out of its Service has no owner, one that is kept may go as it would
    kubectl delete pod -A -l modelswitch.dev/handover=leaving --ignore-not-found
    kubectl label pod -A -l modelswitch.dev/handover modelswitch.dev/handover- ||
        echo "some pods have ended already; going on"
}

delete_rights() {
    local parts namespace name
    mapfile -t parts < <(names "${ROLES[@]}")
    kubectl delete clusterrolebinding "${parts[@]}" --ignore-not-found
    for name in "${parts[@]}"; do # those of the overlay per-namespace
        kubectl get rolebinding -A --field-selector "metadata.name=$name" -o 'jsonpath={range .items[*]}{.metadata.namespace}{"\n"}{end}' |
            while read -r namespace; do kubectl -n "$namespace" delete rolebinding "$name" --ignore-not-found; done
    done
    kubectl label namespace -l "modelswitch.dev/installation=$NS" modelswitch.dev/installation-
    kubectl delete clusterrole "${parts[@]}" --ignore-not-found
}

delete_namespace() { # only where make deploy made it: else it holds what others put there
    if [ "$(kubectl get namespace "$NS" -o 'jsonpath={.metadata.annotations.modelswitch\.dev/made-by}')" = make-deploy ]; then
        kubectl delete namespace "$NS" --timeout=120s || {
            echo "make undeploy: namespace $NS is still ending. What it waits for:" >&2
            kubectl get namespace "$NS" -o 'jsonpath={range .status.conditions[?(@.status=="True")]}{.message}{"\n"}{end}' >&2
            exit 1
        }
        return
    fi
    local kind
    for kind in $(kubectl api-resources --namespaced --verbs=delete,list -o name | grep -v '^events'); do
        kubectl -n "$NS" delete "$kind" -l app.kubernetes.io/part-of=modelswitch --ignore-not-found > /dev/null
    done
    echo "namespace $NS was there before make deploy, so it stays, with all in it that is not modelswitch's"
}

there=$(kubectl get namespace "$NS" --ignore-not-found -o name)
[ -z "$there" ] || end_functions
delete_policies
if [ -z "$(others)" ]; then
    clear_pins modelswitch.dev/pinned
    end_handovers
    kubectl label namespace -l modelswitch.dev/watched modelswitch.dev/watched-
else
    clear_pins "modelswitch.dev/pinned=$NS"
    echo "marks of reloads in progress are left to the installation in: $(others | tr '\n' ' ')"
fi
! known consolelinks.console.openshift.io || kubectl delete consolelink "modelswitch.$NS" --ignore-not-found
delete_rights
[ -z "$there" ] || delete_namespace
cat << END

modelswitch ($NS) is off the cluster. Stopped models stay stopped; start one with
  kubectl -n NAMESPACE annotate inferenceservice NAME serving.kserve.io/stop- modelswitch.dev/stop-
END
