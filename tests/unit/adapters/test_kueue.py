"""Pods that a queue holds back: which gate, which queue, which position, as far as Kueue tells."""

from datetime import UTC, datetime

import pytest
from aiohttp import web

from events.model import ModelRef
from events.status import State
from functions.adapters.kserve.grace import Grace
from functions.adapters.kserve.observer import Observer
from functions.adapters.kserve.pods import read_pod
from functions.adapters.kserve.resources import Resources
from functions.adapters.probe import Probe, ProxyLine
from functions.lifecycle.derive import derive
from functions.lifecycle.record import Record
from functions.lifecycle.scene import Limits

REF = ModelRef(namespace="ml", name="scorer")
GATED = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "SchedulingGated",
    "message": "Scheduling is blocked due to non-empty scheduling gates",
}
MODEL = {"metadata": {"name": "scorer", "namespace": "ml", "uid": "m"}, "spec": {"predictor": {}}, "status": {}}


def a_gated_pod(**labels):
    return {
        "metadata": {"name": "scorer-1", "uid": "u1", "labels": labels},
        "spec": {"containers": [], "schedulingGates": [{"name": "kueue.x-k8s.io/admission"}]},
        "status": {"phase": "Pending", "conditions": [GATED]},
    }


QUEUED = a_gated_pod(**{"kueue.x-k8s.io/queue-name": "team-a"})


def waits(place, **metadata):
    return {"metadata": {"name": f"w{place}", **metadata}, "positionInLocalQueue": place, "priority": 0}


def answering(pod, pending, version="v1beta2", status=200):
    def answer(request):
        path = request.path
        if path == f"/apis/visibility.kueue.x-k8s.io/{version}/namespaces/ml/localqueues/team-a/pendingworkloads":
            return web.json_response(pending, status=status)
        if path.endswith("/inferenceservices/scorer"):
            return web.json_response(MODEL)
        if path.endswith("/inferenceservices"):
            return web.json_response({"items": [MODEL]})
        if path.endswith("/pods"):
            labelled = {**pod["metadata"]["labels"], "serving.kserve.io/inferenceservice": "scorer"}
            listed = {**pod, "metadata": {**pod["metadata"], "namespace": "ml", "labels": labelled}}
            return web.json_response({"items": [listed]})
        return web.json_response({}, status=404)

    return answer


@pytest.fixture
def observer(cluster):
    grace = Grace(cluster)
    return Observer(cluster, Resources(cluster), grace, Probe(ProxyLine(cluster)), lambda: datetime.now(UTC))


def said(seen):
    verdict = derive(seen, Record(ref=REF), Limits())
    return verdict.state, verdict.reason, verdict.what


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ({}, "held back by the scheduling gate kueue.x-k8s.io/admission"),
        (
            {"kueue.x-k8s.io/queue-name": "team-a"},
            "held back by the scheduling gate kueue.x-k8s.io/admission, in Kueue's queue team-a",
        ),
    ],
)
def test_a_pod_with_a_scheduling_gate_names_it_and_its_queue(labels, told):
    trouble = read_pod(a_gated_pod(**labels)).trouble
    assert (trouble.reason, trouble.message, trouble.held) == ("SchedulingGated", told, True)


@pytest.mark.parametrize("version", ["v1beta2", "v1beta1"])
@pytest.mark.parametrize(
    "workload",
    [waits(2, ownerReferences=[{"kind": "Pod", "name": "scorer-1", "uid": "u1"}]), waits(2, name="group-1")],
)
async def test_kueue_tells_the_position_in_the_queue(observer, api_server, version, workload):
    grouped = a_gated_pod(
        **{"kueue.x-k8s.io/queue-name": "team-a", "kueue.x-k8s.io/pod-group-name": workload["metadata"]["name"]}
    )
    api_server.answers = answering(grouped, {"items": [waits(0), waits(1), workload]}, version)
    state, reason, what = said(await observer.observe(REF))
    assert (state, reason) == (State.STARTING, "SchedulingGated")
    assert what.endswith("in Kueue's queue team-a (position 3 of 3)")
    pages = [page async for page in observer.pages(REF.kind, "", lambda: True)]
    assert said(pages[0].observations[0]) == (state, reason, what)


@pytest.mark.parametrize(
    ("pending", "status"), [({"items": []}, 200), ({"items": [3, {}]}, 200), ([], 200), ({}, 403), ({}, 404), ({}, 503)]
)
async def test_where_kueue_does_not_tell_the_position_is_said_to_be_unknown(observer, api_server, pending, status):
    api_server.answers = answering(QUEUED, pending, status=status)
    _, reason, what = said(await observer.observe(REF))
    assert reason == "SchedulingGated"
    assert what.endswith("in Kueue's queue team-a (its position there is unknown)")
