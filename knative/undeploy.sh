#!/usr/bin/env bash
# Takes modelswitch off the cluster that KUBECONFIG names. No model is started, stopped or changed.
# Order matters: first everything that could pin a ReplicaSet or mark a pod, then the pins and marks, then the rest.
set -euo pipefail
NS=modelswitch
PIN=modelswitch.dev/grace

command -v kubectl > /dev/null || { echo "make undeploy: kubectl is not on the PATH. Install it and try again." >&2; exit 1; }
kubectl version --request-timeout=10s > /dev/null 2>&1 ||
    { echo "make undeploy: no answer from the cluster. Check KUBECONFIG and try again." >&2; exit 1; }

known() { kubectl get crd "$1" > /dev/null 2>&1; }

end_functions() {
    local kind
    for kind in triggers.eventing.knative.dev services.serving.knative.dev; do
        ! known "$kind" || kubectl -n $NS delete "$kind" -l app.kubernetes.io/part-of=modelswitch --ignore-not-found
    done
    kubectl -n $NS delete deployment -l app.kubernetes.io/part-of=modelswitch --ignore-not-found --cascade=foreground
    kubectl -n $NS wait pod -l 'app.kubernetes.io/component,app.kubernetes.io/component!=redis' --for=delete --timeout=60s ||
        echo "some pods are still ending; going on"
}

clear_pins() { # ReplicaSets and StatefulSets that a stop under way had pinned: their pods would otherwise live on
    local kind namespace name finalizers index
    local columns='{{.kind}} {{.metadata.namespace}} {{.metadata.name}} {{range .metadata.finalizers}}{{.}},{{end}}'
    kubectl get replicasets,statefulsets -A \
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

end_handovers() { # old pods of a rolling reload: one out of its Service has no owner, one that is kept may go as it would
    kubectl delete pod -A -l modelswitch.dev/handover=leaving --ignore-not-found
    kubectl delete validatingadmissionpolicybinding,validatingadmissionpolicy modelswitch-handover --ignore-not-found
    kubectl label pod -A -l modelswitch.dev/handover modelswitch.dev/handover- ||
        echo "some pods ended meanwhile; going on"
}

delete_rest() {
    ! known consolelinks.console.openshift.io || kubectl delete consolelink modelswitch --ignore-not-found
    kubectl delete clusterrole,clusterrolebinding -l app.kubernetes.io/part-of=modelswitch --ignore-not-found
    kubectl delete namespace -l app.kubernetes.io/part-of=modelswitch --field-selector metadata.name=$NS --timeout=120s || {
        echo "make undeploy: namespace $NS is still ending. What it waits for:" >&2
        kubectl get namespace $NS -o 'jsonpath={range .status.conditions[?(@.status=="True")]}{.message}{"\n"}{end}' >&2
        exit 1
    }
}

if kubectl get namespace $NS > /dev/null 2>&1; then end_functions; fi
clear_pins
end_handovers
delete_rest
cat << 'END'

modelswitch is off the cluster. Stopped models stay stopped; start one with
  kubectl -n NAMESPACE annotate inferenceservice NAME serving.kserve.io/stop- modelswitch.dev/stop-
END
