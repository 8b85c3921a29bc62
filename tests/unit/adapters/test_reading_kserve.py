"""Reading objects as KServe and Kubernetes write them, the awkward ones included."""

from datetime import UTC, datetime

import pytest

from events.model import Kind, ModelRef
from functions.adapters.kserve.blockers import find_blockers
from functions.adapters.kserve.graph import members_of
from functions.adapters.kserve.model import Model
from functions.adapters.kserve.observations import PodList, read_observation
from functions.adapters.kserve.pods import read_pod
from functions.adapters.kserve.quota import find_shortages
from functions.adapters.kserve.resources import Resources, as_number, owner_of
from functions.adapters.kserve.runtimes import Runtimes
from functions.adapters.kserve.scaling import scaler_of
from functions.lifecycle.errors import Code
from functions.lifecycle.observation import Answer, Mode
from functions.lifecycle.stop_note import LastRunPod, StopNote

POD_ENDING = {
    "metadata": {
        "name": "p",
        "uid": "u",
        "deletionTimestamp": "2026-03-01T10:00:30Z",
        "deletionGracePeriodSeconds": 30,
        "finalizers": ["example.com/audit"],
    }
}
READY = {"type": "Ready", "status": "True"}


def a_model(*conditions, kind=Kind.INFERENCE_SERVICE, annotations=None, spec=None, **status):
    metadata = {"name": "scorer", "namespace": "fraud", "uid": "u", "annotations": annotations or {}}
    status = {"deploymentMode": "Standard", "conditions": list(conditions), **status}
    return Model(kind, {"metadata": metadata, "spec": spec or {"predictor": {}}, "status": status})


async def blockers(model, *, has_pods=True):
    nobody = None  # no question to the cluster is needed for these
    return await find_blockers(model, Runtimes(nobody), Resources(nobody), has_pods=has_pods)


async def test_a_ready_model_without_a_stopped_condition_comes_from_too_old_a_kserve():
    (blocker,) = await blockers(a_model(READY))
    assert blocker.code is Code.STOP_UNSUPPORTED
    assert "0.16" in blocker.next_action


async def test_one_that_is_not_ready_may_only_not_have_been_looked_at_yet():
    assert await blockers(a_model({"type": "Ready", "status": "Unknown"})) == ()


async def test_a_kserve_that_knows_the_annotation_is_no_blocker():
    assert await blockers(a_model(READY, {"type": "Stopped", "status": "False"})) == ()


NOT_BUILT = {
    "type": "PredictorReady",
    "status": "False",
    "reason": "ReconcileFailed",
    "message": 'fails to reconcile predictor: Service "a-name-predictor" is invalid: must be no more than 63 characters',
}


async def test_a_model_that_kserve_cannot_build_has_nothing_to_stop():
    (blocker,) = await blockers(a_model(NOT_BUILT), has_pods=False)
    assert blocker.code is Code.STOP_UNSUPPORTED
    assert "no more than 63 characters" in blocker.message
    assert await blockers(a_model(NOT_BUILT)) == (), "old pods of it may be stopped"


async def test_a_write_that_kserve_lost_to_another_client_is_no_failure_to_build():
    lost = {**NOT_BUILT, "message": "Operation cannot be fulfilled: the object has been modified; please apply again"}
    assert await blockers(a_model(lost), has_pods=False) == ()


@pytest.mark.parametrize("legacy", ["RawDeployment", "Standard"])
def test_legacy_names_of_the_modes_are_understood(legacy):
    assert a_model(deploymentMode=legacy).mode is Mode.STANDARD
    assert a_model(deploymentMode="Serverless").mode is Mode.KNATIVE


def test_of_two_conditions_of_one_type_the_last_counts():
    graph = a_model(
        {"type": "Stopped", "status": "True"}, {"type": "Stopped", "status": "False"}, kind=Kind.INFERENCE_GRAPH
    )
    assert graph.condition("Stopped").status is Answer.FALSE


def test_quota_is_told_in_kserve_s_own_words():
    message = 'pods "x" is forbidden: exceeded quota: q, requested: requests.nvidia.com/gpu=1'
    trouble = a_model(
        {"type": "PredictorReady", "status": "False", "reason": "FailedCreate", "message": message}
    ).trouble
    assert (trouble.reason, trouble.message) == ("QuotaExceeded", message)


def test_a_write_that_kserve_repeats_is_no_trouble():
    message = "Operation cannot be fulfilled: the object has been modified; please apply your changes"
    condition = {"type": "PredictorReady", "status": "False", "reason": "ReconcileFailed", "message": message}
    assert a_model(condition).trouble is None


def said(kind, reason=None, message="", status="False"):
    return {"type": kind, "status": status, "reason": reason, "message": message}


def kept_by(policy):
    """KServe's words on Kubernetes 1.35 where a ReplicaSet may not delete a pod."""
    words = f"pods \"scorer-1\" is forbidden: ValidatingAdmissionPolicy '{policy}' denied request"
    return f"unable to delete pods: {words}"


KEPT = said("PredictorReady", "FailedDelete", kept_by("modelswitch-handover"))
TOO_FEW = said("PredictorReady", "MinimumReplicasUnavailable")
ROUTED, WAITS = said("IngressReady", status="True"), said("IngressReady", "Predictor ingress not created")
URL = "http://scorer-fraud.example.com"


def look_at(*conditions, url=URL, kind=Kind.INFERENCE_SERVICE):
    not_ready = said("Ready", conditions[-1]["reason"], conditions[-1]["message"])
    model = a_model(not_ready, *conditions, kind=kind, url=url)
    return read_observation(ModelRef(namespace="fraud", name="scorer", kind=kind), model, PodList(), datetime.now(UTC))


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ((ROUTED, KEPT), Answer.TRUE),
        ((KEPT, WAITS), Answer.TRUE),
        ((said("IngressReady", "NoGateway"), KEPT), Answer.FALSE),
        ((ROUTED, said("PredictorReady", "FailedDelete", kept_by("somebody-elses"))), Answer.FALSE),
        ((ROUTED, said("PredictorReady", "FailedCreate", kept_by("modelswitch-handover"))), Answer.FALSE),
        ((KEPT, said("TransformerReady", "ProgressDeadlineExceeded"), WAITS), Answer.FALSE),
    ],
)
def test_a_pod_that_is_kept_makes_no_model_unready(conditions, expected):
    assert look_at(*conditions).ready is expected


@pytest.mark.parametrize(
    ("conditions", "reason"),
    [
        ((TOO_FEW, WAITS), "MinimumReplicasUnavailable"),
        ((KEPT, said("TransformerReady", "ProgressDeadlineExceeded"), WAITS), "ProgressDeadlineExceeded"),
        ((said("PredictorReady"), WAITS), "Predictor ingress not created"),
        ((said("PredictorReady", status="True"), said("IngressReady", "NoGateway")), "NoGateway"),
    ],
)
def test_why_it_is_not_ready_is_what_its_component_says_not_the_route_that_waits_for_it(conditions, reason):
    assert look_at(*conditions).ready_reason == reason


@pytest.mark.parametrize(
    ("condition", "url", "routed"),
    [
        (ROUTED, URL, True),
        (WAITS, URL, True),
        (WAITS, None, False),
        (said("IngressReady", "Transformer ingress not created", status="Unknown"), URL, True),
        (said("IngressReady", "NoGateway"), URL, False),
        (said("RouterReady", "HTTPRoutesNotReady"), URL, False),
        (said("RouterReady", status="True"), None, True),
        (TOO_FEW, URL, True),
        (TOO_FEW, None, False),
    ],
)
def test_a_route_that_kserve_made_once_stays(condition, url, routed):
    assert look_at(condition, url=url).routed is routed


@pytest.mark.parametrize("kind", [Kind.INFERENCE_SERVICE, Kind.LLM_INFERENCE_SERVICE])
def test_a_suspended_model_is_seen_as_such(kind):
    ref = ModelRef(namespace="fraud", name="scorer", kind=kind)
    looks = [
        read_observation(ref, a_model(kind=kind, spec=spec), PodList(), datetime.now(UTC))
        for spec in ({"suspend": True}, {"suspend": False}, {"suspend": None}, {"replicas": 1})
    ]
    assert [seen.suspended for seen in looks] == [True, False, False, False]


def test_who_set_the_stop_is_the_newest_writer_of_that_annotation():
    written = {"f:metadata": {"f:annotations": {"f:serving.kserve.io/stop": {}}}}
    other = {"f:metadata": {"f:annotations": {"f:team": {}}}}
    model = a_model()
    model.object["metadata"]["managedFields"] = [
        {"manager": "argocd", "time": "2026-01-01T00:00:00Z", "fieldsV1": written},
        {"manager": "kubectl-annotate", "time": "2026-01-02T00:00:00Z", "fieldsV1": written},
        {"manager": "dashboard", "time": "2026-01-03T00:00:00Z", "fieldsV1": other},
    ]
    assert model.stop_actor == "kubectl-annotate"


def a_pod(containers, init=(), **status):
    metadata = {"name": "p", "uid": "u", "labels": {"component": "predictor"}}
    spec = {"containers": containers, "initContainers": list(init), "nodeName": "node1"}
    return read_pod({"metadata": metadata, "spec": spec, "status": status})


def asks(name="c", **resources):
    return {"name": name, "resources": resources}


def test_a_gpu_is_counted_once_although_it_stands_in_requests_and_limits():
    gpu = {"nvidia.com/gpu": "2"}
    pod = a_pod([asks(requests={**gpu, "memory": "1Gi"}, limits={**gpu, "memory": "2Gi"})])
    assert (pod.gpus, pod.memory) == (2, 1024**3)


def test_a_limit_alone_is_a_request_too():
    pod = a_pod([asks(limits={"nvidia.com/gpu": "1", "memory": "4Gi"})])
    assert (pod.gpus, pod.memory) == (1, 4 * 1024**3)


def test_an_init_container_counts_where_it_asks_for_more_and_a_sidecar_always():
    init = asks("load", requests={"memory": "8Gi"})
    sidecar = {**asks("proxy", requests={"memory": "1Gi"}), "restartPolicy": "Always"}
    assert a_pod([asks(requests={"memory": "2Gi"})], [init]).memory == 8 * 1024**3
    assert a_pod([asks(requests={"memory": "2Gi"})], [sidecar]).memory == 3 * 1024**3


def waiting(reason, **more):
    return {"name": "c", "ready": False, "restartCount": 0, "state": {"waiting": {"reason": reason}}, **more}


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "CreateContainerConfigError", "InvalidImageName"])
def test_why_a_container_can_t_start(reason):
    assert a_pod([], containerStatuses=[waiting(reason)]).trouble.reason == reason


def test_a_container_that_is_being_made_is_no_trouble():
    assert a_pod([], containerStatuses=[waiting("ContainerCreating")]).trouble is None


def test_between_two_crashes_it_is_still_a_crash_loop():
    ended = {
        "name": "c",
        "ready": False,
        "restartCount": 3,
        "state": {"terminated": {"exitCode": 1, "reason": "Error"}},
    }
    assert a_pod([], containerStatuses=[ended]).trouble.reason == "CrashLoopBackOff"


def test_restarts_of_all_its_containers_are_counted():
    statuses = [{"name": "c", "ready": True, "restartCount": 2}, {"name": "proxy", "ready": True, "restartCount": 1}]
    assert a_pod([], containerStatuses=statuses).restarts == 3
    assert a_pod([]).restarts == 0


def test_a_model_that_can_t_be_fetched_is_told_apart():
    last = {"terminated": {"exitCode": 1, "message": "no such bucket"}}
    init = waiting("CrashLoopBackOff", name="storage-initializer", lastState=last, restartCount=2)
    trouble = a_pod([], initContainerStatuses=[{**init, "name": "storage-initializer"}]).trouble
    assert trouble.reason == "StorageInitializerFailed"
    assert "no such bucket" in trouble.message


def last_run(count, component="predictor"):
    requests = {"requests.nvidia.com/gpu": "1"}
    pods = tuple(
        LastRunPod(uid=f"{component}{n}", name="p", component=component, gpus=1, memory=0, grace=30, requests=requests)
        for n in range(count)
    )
    return StopNote(holds=(), source="/t", command="c", since="2026-03-01T00:00:00Z", pods=pods)


def quota(hard, used, **spec):
    resource = "requests.nvidia.com/gpu"
    return {"metadata": {"name": "q"}, "spec": spec, "status": {"hard": {resource: hard}, "used": {resource: used}}}


def test_a_start_needs_what_starts_at_once_not_what_the_autoscaler_had_added():
    five_ran = last_run(5)
    assert find_shortages(a_model(), five_ran, [quota("4", "3")]) == ()
    (short,) = find_shortages(a_model(spec={"predictor": {"minReplicas": 2}}), five_ran, [quota("4", "3")])
    assert (short.requested, short.used, short.limited) == ("2", "3", "4")


def test_a_start_whose_last_run_is_unknown_is_tried():
    assert find_shortages(a_model(), None, [quota("0", "0")]) == ()


def test_a_quota_with_a_scope_is_left_to_kubernetes():
    assert find_shortages(a_model(), last_run(1), [quota("0", "0", scopes=["Terminating"])]) == ()


def test_a_pod_s_labels_name_its_model():
    isvc = owner_of({"serving.kserve.io/inferenceservice": "a"}, "ns")
    llm = owner_of({"app.kubernetes.io/part-of": "llminferenceservice", "app.kubernetes.io/name": "b"}, "ns")
    assert isvc == ModelRef(namespace="ns", name="a")
    assert llm == ModelRef(namespace="ns", name="b", kind=Kind.LLM_INFERENCE_SERVICE)
    assert owner_of({"app": "other"}, "ns") is None


def test_a_label_that_anybody_wrote_on_a_pod_names_no_model_and_does_no_harm():
    assert owner_of({"serving.kserve.io/inferenceservice": "No_Model"}, "ns") is None
    assert owner_of({"app.kubernetes.io/part-of": "llminferenceservice"}, "ns") is None


@pytest.mark.parametrize(
    ("version", "number"), [("7", 7), ("", 0), (None, 0), ("²", 0), ("-1", 0), ("٣", 0), ("9" * 5000, 0), ("opaque", 0)]
)
def test_a_version_that_is_no_number_is_opaque(version, number):
    assert as_number(version) == number


def test_a_look_shows_the_bucket_that_a_pod_loads_from_and_says_where_none_does():
    model = a_model(READY, spec={"predictor": {"model": {"storage": {"key": "minio", "path": "scorer"}}}})
    ref, now = ModelRef(namespace="fraud", name="scorer"), datetime.now(UTC)
    loading = {"name": "storage-initializer", "args": ["s3://ml/scorer", "/mnt/models"]}
    pod = {"metadata": {"name": "p", "uid": "1"}, "spec": {"initContainers": [loading]}}
    seen = read_observation(ref, model, PodList.read(ref, {"items": [pod]}), now)
    assert (seen.artifacts, seen.bucketless) == (("s3://ml/scorer",), ())
    seen = read_observation(ref, model, PodList(), now)
    assert (seen.artifacts, seen.bucketless) == ((), ("scorer",))


def test_a_pod_says_when_its_grace_ends_and_what_keeps_it():
    pod = read_pod(POD_ENDING)
    assert (pod.ends_by, pod.finalizers) == (datetime(2026, 3, 1, 10, 0, 30, tzinfo=UTC), ("example.com/audit",))


def behind(**predictor):
    """In Knative mode revision 2 fails, and 1 has the traffic."""
    failed = {"status": "False", "reason": "RevisionFailed", "message": 'Revision "scorer-predictor-00002" failed'}
    component = {
        "latestCreatedRevision": "scorer-predictor-00002",
        "latestReadyRevision": "scorer-predictor-00001",
        "traffic": [{"revisionName": "scorer-predictor-00001", "percent": 100}],
    }
    return a_model(
        {"type": "IngressReady", "status": "True"},
        {"type": "PredictorReady", **failed},
        {"type": "Ready", **failed},
        deploymentMode="Knative",
        url="http://scorer",
        components={"predictor": {**component, **predictor}},
    )


def test_a_new_revision_that_fails_is_told_from_the_one_that_has_the_traffic():
    assert behind().failed_revision == "scorer-predictor-00002"
    assert behind().traffic == {"scorer-predictor-00001": 100}
    assert behind(latestReadyRevision=None, traffic=None).failed_revision is None, "the first one has none beside it"
    split = [
        {"revisionName": "scorer-predictor-00001", "percent": 90},
        {"revisionName": "scorer-predictor-00002", "percent": 10},
    ]
    assert behind(traffic=split).failed_revision is None, "it has a part of the traffic"


def test_only_what_a_request_can_reach_belongs_to_a_graph():
    nodes = {
        "root": {
            "routerType": "Splitter",
            "steps": [
                {"serviceName": "most", "weight": 100},
                {"serviceName": "resting", "weight": 0},
                {"nodeName": "next", "weight": 0},
                {"nodeName": "chain", "weight": 1},
            ],
        },
        "chain": {
            "routerType": "Sequence",
            "steps": [{"serviceName": "first", "weight": 0}, {"nodeName": "root"}, {"serviceName": "last"}],
        },
        "next": {"routerType": "Sequence", "steps": [{"serviceName": "behind-nothing"}]},
        "apart": {"routerType": "Sequence", "steps": [{"serviceName": "unreached"}]},
    }
    graph = a_model(kind=Kind.INFERENCE_GRAPH, spec={"nodes": nodes})
    assert [member.name for member in members_of(graph)] == ["first", "last", "most"]


def test_an_llm_whose_route_is_there_needs_its_workload_alone():
    def llm(**spec):
        conditions = [{"type": "RouterReady", "status": "True"}, {"type": "WorkloadsReady", "status": "False"}]
        return a_model(*conditions, kind=Kind.LLM_INFERENCE_SERVICE, spec={"model": {"uri": "hf://a/b"}, **spec})

    assert llm().needed_components == ("llminferenceservice-workload",)
    assert llm(prefill={}).needed_components == (), "which pods prefill is not told by their number"
    assert a_model(spec={"predictor": {}, "transformer": {}}).needed_components == ("predictor", "transformer")


@pytest.mark.parametrize(("scaling", "scaler"), [({"keda": {"idleReplicaCount": 0}}, "keda"), ({}, None), (None, None)])
def test_an_llm_that_keda_may_keep_at_zero_says_so(scaling, scaler):
    assert scaler_of(a_model(kind=Kind.LLM_INFERENCE_SERVICE, spec={"scaling": scaling})) == scaler


CANARIES = [
    {"trafficPercent": 10, "predictor": {"name": "v2"}},
    {"trafficPercent": 0, "predictor": {"name": "v3", "minReplicas": 2}},
]


def test_the_canaries_of_standard_mode_are_named_with_their_share():
    ref = ModelRef(namespace="fraud", name="scorer")
    statuses = [{"name": "v2", "ready": False, "trafficPercent": 10}]
    model = a_model(spec={"predictor": {"minReplicas": 2}, "canary": CANARIES}, canaryStatuses=statuses)
    seen = read_observation(ref, model, PodList(), datetime.now(UTC))
    assert [str(one) for one in seen.canaries] == [
        "the canary v2 is not ready and gets none of its 10% of the traffic",
        "the canary v3 gets no traffic",
    ]
    knative = a_model(spec={"predictor": {}, "canary": CANARIES}, deploymentMode="Serverless")
    assert knative.canaries == ()


def test_a_start_needs_room_for_its_canaries_too():
    five_ran, full = last_run(5), quota("4", "0")
    spec = {"predictor": {"minReplicas": 2}, "canary": CANARIES}
    (short,) = find_shortages(a_model(spec=spec), five_ran, [full])
    assert short.requested == "5"
    assert find_shortages(a_model(spec={"predictor": {"minReplicas": 2}}), five_ran, [full]) == ()
