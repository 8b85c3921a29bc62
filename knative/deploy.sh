#!/usr/bin/env bash
# Puts modelswitch on the cluster that KUBECONFIG names. Run by `make deploy`; every step can be repeated.
#   IMAGE    the pushed image, needed      OVERLAY  a folder of overlays/, default dev
# `deploy.sh rotate` gives the functions a new delivery secret; nothing else changes, and no event is lost.
#   WAIT     seconds to wait until everything is ready, default 180; 0: don't wait
#   NAMESPACE  this installation's, default modelswitch; it is part of the names of what is made for the whole cluster
set -euo pipefail
cd "$(dirname "$0")/.."
: "${OVERLAY:=dev}" "${WAIT:=180}" "${IMAGE:=}" "${NAMESPACE:=modelswitch}"
NS=$NAMESPACE

fail() {
    printf 'make deploy: %s\n' "$@" >&2
    exit 1
}

need_crd() { # name, what brings it, what to do without it
    kubectl get crd "$1" > /dev/null 2>&1 || fail "this cluster does not know $1, which $2 brings." "$3"
}

check_arguments() {
    [ -f "knative/overlays/$OVERLAY/kustomization.yaml" ] ||
        fail "there is no overlay '$OVERLAY'." "Choose OVERLAY=$(cd knative/overlays && echo * | tr ' ' '|')."
    [ -n "$IMAGE" ] ||
        fail "IMAGE is not set." "Build and push one (make image IMAGE=registry/modelswitch:0.1.0), then say make deploy IMAGE=…"
    case "$NS" in
        *[!a-z0-9-]* | -* | *- | '' | default | kube-*)
            fail "NAMESPACE '$NS' can't be an installation's namespace." "Name one of its own, in lower-case letters, digits and -." ;;
    esac
    command -v kubectl > /dev/null ||
        fail "kubectl is not on the PATH." "Install it (1.27 or newer, kustomize is part of it) and try again."
}

check_cluster() {
    kubectl version --request-timeout=10s > /dev/null 2>&1 ||
        fail "no answer from the cluster of context '$(kubectl config current-context 2> /dev/null || echo none)'." \
            "Check KUBECONFIG, or kubectl config use-context …"
    kubectl get --raw /apis/admissionregistration.k8s.io/v1 | grep '"validatingadmissionpolicies"' > /dev/null ||
        fail "this cluster does not know ValidatingAdmissionPolicy, which Kubernetes 1.30 brings." "Upgrade the cluster, then try again."
    local crd
    for crd in brokers.eventing.knative.dev sinkbindings.sources.knative.dev pingsources.sources.knative.dev; do
        need_crd $crd "Knative Eventing" "Install Knative Eventing (knative.dev/docs/install), then try again."
    done
    need_crd inferenceservices.serving.kserve.io "KServe" "Install KServe, whose models this stops and starts, then try again."
    [ "$OVERLAY" = no-serving ] ||
        need_crd services.serving.knative.dev "Knative Serving" "Install Knative Serving, or use OVERLAY=no-serving."
    [ "$OVERLAY" != openshift ] ||
        need_crd routes.route.openshift.io "OpenShift" "Use another OVERLAY on a cluster that is not OpenShift."
}

check_production() {
    need_crd eventpolicies.eventing.knative.dev "Knative Eventing 1.16 or newer" "Upgrade Knative Eventing."
    kubectl -n knative-eventing get configmap kafka-broker-config > /dev/null 2>&1 ||
        fail "ConfigMap knative-eventing/kafka-broker-config is missing." "Install Knative's Kafka broker, which brings it."
    [ "$(kubectl -n knative-eventing get configmap config-features -o 'jsonpath={.data.authentication-oidc}')" = enabled ] ||
        fail "the EventPolicies need Knative's feature authentication-oidc, which is off." \
            "Set authentication-oidc: enabled in ConfigMap knative-eventing/config-features."
    case "$(kubectl -n $NS get secret redis -o 'jsonpath={.data.REDIS_URL}' 2> /dev/null | base64 -d)" in
        rediss://*) ;;
        *) fail "Secret $NS/redis with a REDIS_URL that begins with rediss:// is missing." \
            "kubectl -n $NS create secret generic redis --from-literal=REDIS_URL='rediss://:PASSWORD@HOST:6380/0'" ;;
    esac
}

render() { # the overlay with the wanted image and namespace, without changing a tracked file
    mkdir -p .run/deploy
    IMAGE=$IMAGE OVERLAY=$OVERLAY NAMESPACE=$NS knative/render.sh > .run/deploy/rendered.yaml
}

make_namespace() { # first, because Secrets go into it. One that was there is not ours: make undeploy leaves it
    ! kubectl get namespace "$NS" > /dev/null 2>&1 || return 0
    kubectl create -f - << END
apiVersion: v1
kind: Namespace
metadata: {name: $NS, annotations: {modelswitch.dev/made-by: make-deploy}}
END
}

random_redis_secret() { # where the overlay brings Redis and its Secret does not exist
    [ "$OVERLAY" != production ] && [ "$OVERLAY" != dev ] || return 0
    ! kubectl -n $NS get secret redis > /dev/null 2>&1 || return 0
    local password
    password=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
    kubectl create -f - << END
apiVersion: v1
kind: Secret
metadata: {name: redis, namespace: $NS, labels: {app.kubernetes.io/part-of: modelswitch}}
stringData:
  REDIS_PASSWORD: $password
  REDIS_URL: redis://modelswitch:$password@redis:6379/0
END
}

random_secret() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

# By which functions know the broker (DIRECT_SECRETS: a store that posts without one), and with which notes on stopped models are
# signed (NOTE_KEYS). Made once, then kept: without the key, existing notes name no actor any more.
delivery_secret() {
    ! kubectl -n $NS get secret delivery > /dev/null 2>&1 || return 0
    kubectl create -f - << END
apiVersion: v1
kind: Secret
metadata: {name: delivery, namespace: $NS, labels: {app.kubernetes.io/part-of: modelswitch}}
stringData:
  DELIVERY_SECRETS: $(random_secret)
  DIRECT_SECRETS: $(random_secret)
  NOTE_KEYS: $(random_secret)
END
    teach_triggers "$(current_secret)" # those of an installation that had no such secret: before its functions ask for it
}

current_secret() {
    local secrets
    secrets=$(kubectl -n $NS get secret delivery -o 'jsonpath={.data.DELIVERY_SECRETS}' | base64 -d)
    [ -n "$secrets" ] || fail "Secret $NS/delivery has no DELIVERY_SECRETS." "Delete it and repeat make deploy, which makes a new one."
    printf '%s' "${secrets%%,*}"
}

# A secret stands in no file and no command line: it goes to kubectl through a pipe.
set_secrets() { # the current one, and behind a comma the one that is still accepted
    kubectl -n $NS patch secret delivery --type merge --patch-file /dev/stdin <<< "{\"stringData\": {\"DELIVERY_SECRETS\": \"$1\"}}"
}

teach_triggers() { # those that are there
    local uri="/?delivery=$1" object sink
    for object in $(kubectl -n $NS get triggers.eventing.knative.dev,brokers.eventing.knative.dev -o name); do
        sink=$(kubectl -n $NS get "$object" -o 'jsonpath={.spec.delivery.deadLetterSink.ref.name}')
        {
            printf '{"spec": {'
            case "$object" in trigger*) printf '"subscriber": {"uri": "%s"}' "$uri" ;; esac
            case "$object,$sink" in trigger*,?*) printf ', ' ;; esac
            [ -z "$sink" ] || printf '"delivery": {"deadLetterSink": {"uri": "%s"}}' "$uri"
            printf '}}'
        } | kubectl -n $NS patch "$object" --type merge --patch-file /dev/stdin
    done
    kubectl -n $NS wait --for=condition=Ready --timeout="${WAIT}s" triggers.eventing.knative.dev --all ||
        echo "some Triggers are not ready yet; going on"
}

apply_rendered() {
    local secret rendered
    secret=$(current_secret)
    rendered=$(cat .run/deploy/rendered.yaml)
    kubectl apply -f - <<< "${rendered//not-deployed/$secret}"
}

restart_pods() { # an environment that comes from a Secret is read when a pod starts
    local service now
    now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    kubectl -n $NS rollout restart deployment -l app.kubernetes.io/part-of=modelswitch
    [ "$SERVING" = no ] || for service in $(kubectl -n $NS get services.serving.knative.dev -o name); do
        kubectl -n $NS patch "$service" --type merge \
            -p "{\"spec\": {\"template\": {\"metadata\": {\"annotations\": {\"modelswitch.dev/restarted-at\": \"$now\"}}}}}"
    done
    wait_until_ready
}

rotate() { # first all pods accept the new secret too, then the broker sends it, then all pods sign with it
    local old new
    old=$(current_secret) new=$(random_secret)
    set_secrets "$old,$new"
    restart_pods
    teach_triggers "$new"
    set_secrets "$new,$old"
    restart_pods
    echo "the delivery secret is a new one; the one before it is accepted until the next rotation"
}

label_namespaces() { # those that have models, for the sources to watch; one that has the label already keeps its value
    local kind namespace
    grep -q 'modelswitch.dev/watched:' .run/deploy/rendered.yaml || return 0
    for kind in inferenceservices llminferenceservices inferencegraphs; do
        ! kubectl get crd "$kind.serving.kserve.io" > /dev/null 2>&1 ||
            kubectl get "$kind.serving.kserve.io" -A -o 'jsonpath={range .items[*]}{.metadata.namespace}{"\n"}{end}'
    done | sort -u | while read -r namespace; do
        [ -n "$(kubectl get namespace "$namespace" -o 'jsonpath={.metadata.labels.modelswitch\.dev/watched}')" ] ||
            kubectl label namespace "$namespace" modelswitch.dev/watched=true
    done
}

console_link() { # the console's menu needs the host that the router chose
    local host
    kubectl -n $NS wait route/api --for='jsonpath={.status.ingress[0].host}' --timeout=30s > /dev/null 2>&1 ||
        { echo "the Route has no host yet: repeat make deploy later, so that the console's menu leads to it"; return 0; }
    host=$(kubectl -n $NS get route api -o 'jsonpath={.status.ingress[0].host}')
    kubectl patch consolelink "modelswitch.$NS" --type merge -p "{\"spec\":{\"href\":\"https://$host\"}}"
}

wait_for() { # resources…
    kubectl -n $NS wait --for=condition=Ready --timeout="${WAIT}s" "$@" ||
        fail "not ready after $WAIT s: $*" "kubectl -n $NS get pods,$1 shows what it waits for; WAIT=… waits longer."
}

wait_until_ready() {
    local workload
    for workload in $(kubectl -n $NS get statefulset,deployment -l app.kubernetes.io/part-of=modelswitch -o name); do
        kubectl -n $NS rollout status "$workload" --timeout="${WAIT}s" ||
            fail "$workload is not ready after $WAIT s." "kubectl -n $NS describe $workload; kubectl -n $NS get events"
    done
    [ "$SERVING" = no ] || wait_for services.serving.knative.dev --all
    wait_for brokers.eventing.knative.dev --all
    wait_for triggers.eventing.knative.dev --all
    wait_for apiserversources.sources.knative.dev,pingsources.sources.knative.dev,sinkbindings.sources.knative.dev --all
}

next_steps() {
    cat << END

modelswitch is on the cluster (overlay $OVERLAY, image $IMAGE). Next:
  kubectl -n $NS port-forward service/api 8080:80          # then http://127.0.0.1:8080, with a bearer token
  curl -H "Authorization: Bearer \$(kubectl -n NAMESPACE create token SERVICEACCOUNT --audience modelswitch)" http://127.0.0.1:8080/api/v1/models
  kubectl label namespace NAMESPACE modelswitch.dev/events=allow   # lets events stop and start the models of NAMESPACE;
                                                           # from whom: docs/events.md#who-may-send
  kubectl label namespace NAMESPACE modelswitch.dev/watched=true   # a namespace of models that is made later
  kubectl -n $NS get broker modelswitch                    # its URL takes stop and start requests
  make undeploy NAMESPACE=$NS                     # takes it off again, models stay as they are
END
}

SERVING=yes
if [ "${1:-}" = rotate ]; then
    kubectl get crd services.serving.knative.dev > /dev/null 2>&1 || SERVING=no
    rotate
    exit 0
fi
check_arguments
check_cluster
[ "$OVERLAY" != no-serving ] || SERVING=no
[ "$OVERLAY" != production ] || check_production
render
make_namespace
random_redis_secret
delivery_secret
apply_rendered
label_namespaces
[ "$OVERLAY" != openshift ] || console_link
[ "$WAIT" = 0 ] || wait_until_ready
next_steps
