"""Pods that have a node and start no container: what their Events say counts, as long as it is what holds them up."""

from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from events.model import ModelRef
from events.status import State
from functions.adapters.kserve.grace import Grace
from functions.adapters.kserve.observer import Observer
from functions.adapters.kserve.resources import Resources
from functions.adapters.probe import Probe, ProxyLine
from functions.lifecycle.derive import derive
from functions.lifecycle.reasons import ADVICE
from functions.lifecycle.record import Record
from functions.lifecycle.scene import Limits

REF = ModelRef(namespace="ml", name="scorer")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MODEL = {"metadata": {"name": "scorer", "namespace": "ml", "uid": "m"}, "spec": {"predictor": {}}, "status": {}}
MULTI_ATTACH = 'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) scorer-0'
UNMOUNTED = "Unable to attach or mount volumes: unmounted volumes=[data]: timed out waiting for the condition"
NO_SECRET = 'MountVolume.SetUp failed for volume "key" : secret "s3" not found'


def ago(seconds):
    return (NOW - timedelta(seconds=seconds)).isoformat()


def event(reason, seconds, message="", kind="Warning", field="lastTimestamp"):
    at = {"series": {"lastObservedTime": ago(seconds)}} if field == "series" else {field: ago(seconds)}
    return {"type": kind, "reason": reason, "message": message, "firstTimestamp": ago(seconds + 100), **at}


def went_on(reason, seconds):
    return event(reason, seconds, kind="Normal")


def a_pod(age=60, *, node="node1", scheduled=True, init=None, state=None):
    made = {"name": "storage-initializer", "ready": False, "state": init or {"waiting": {"reason": "PodInitializing"}}}
    main = {"name": "kserve-container", "ready": False, "state": state or {"waiting": {"reason": "PodInitializing"}}}
    conditions = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "False"}]
    labels = {"serving.kserve.io/inferenceservice": "scorer"}
    return {
        "metadata": {
            "name": "scorer-1",
            "namespace": "ml",
            "uid": "u1",
            "creationTimestamp": ago(age),
            "labels": labels,
        },
        "spec": {"containers": [], "schedulerName": "batch", **({"nodeName": node} if node else {})},
        "status": {
            "phase": "Pending",
            "conditions": conditions if scheduled else [],
            "initContainerStatuses": [made],
            "containerStatuses": [main],
        },
    }


@pytest.fixture
def look(cluster, api_server):
    observer = Observer(cluster, Resources(cluster), Grace(cluster), Probe(ProxyLine(cluster)), lambda: NOW)
    asked = []

    async def look(events=(), pod=None, status=200):
        def answer(request):
            if request.path == "/api/v1/namespaces/ml/events":
                asked.append(request.query["fieldSelector"])
                return web.json_response({"items": list(events)}, status=status)
            if request.path.endswith("/inferenceservices/scorer"):
                return web.json_response(MODEL)
            if request.path.endswith("/inferenceservices"):
                return web.json_response({"items": [MODEL]})
            if request.path.endswith("/pods"):
                return web.json_response({"items": [pod or a_pod()]})
            return web.json_response({}, status=404)

        api_server.answers = answer
        one = await observer.observe(REF)
        pages = [page async for page in observer.pages(REF.kind, "", lambda: True)]
        found = [derive(seen, Record(ref=REF), Limits()) for seen in (one, pages[0].observations[0])]
        assert found[0] == found[1], "a page of models sees what a single look sees"
        return found[0]

    look.asked = asked
    return look


@pytest.mark.parametrize(
    ("events", "reason", "message"),
    [
        ([event("FailedAttachVolume", 20, MULTI_ATTACH)], "FailedAttachVolume", MULTI_ATTACH),
        (
            [event("FailedAttachVolume", 50, MULTI_ATTACH), event("FailedMount", 5, UNMOUNTED)],
            "FailedAttachVolume",
            MULTI_ATTACH,
        ),
        ([event("FailedMount", 5, UNMOUNTED)], "FailedMount", UNMOUNTED),
        ([event("FailedMount", 5, NO_SECRET), went_on("Scheduled", 50)], "FailedMount", NO_SECRET),
        ([event("FailedMount", 5, NO_SECRET, field="series")], "FailedMount", NO_SECRET),
        ([event("FailedMount", 5, NO_SECRET, field="eventTime")], "FailedMount", NO_SECRET),
        ([event("FailedCreatePodSandBox", 5, "no route")], "FailedCreatePodSandBox", "no route"),
        ([event("AWarningOfNextYear", 5, "who knows")], "AWarningOfNextYear", "who knows"),
    ],
)
async def test_a_pod_that_does_not_move_says_what_its_events_say(look, events, reason, message):
    found = await look(events)
    assert (found.state, found.reason, found.what) == (State.ERROR, reason, f"scorer-1: {message}")
    assert reason in ADVICE or reason == "AWarningOfNextYear"
    assert look.asked == ["involvedObject.uid=u1"], "for a look after a look they are not asked again"


@pytest.mark.parametrize(
    "events",
    [
        [],
        [event("FailedMount", 40, NO_SECRET), went_on("Pulling", 30)],
        [event("FailedMount", 1200, NO_SECRET)],
        [event("FailedScheduling", 5, "0/1 nodes are available")],
        [went_on("SuccessfulAttachVolume", 5)],
        [{"reason": "FailedMount"}, 3, {"type": "Warning", "reason": "FailedMount", "lastTimestamp": "yesterday"}],
    ],
)
async def test_what_is_over_or_unclear_holds_no_pod_up(look, events):
    found = await look(events)
    assert (found.state, found.reason) == (State.STARTING, "PodsStarting")


@pytest.mark.parametrize("status", [403, 404, 500])
async def test_where_events_can_t_be_read_it_starts_as_before(look, status):
    assert (await look(status=status)).reason == "PodsStarting"


@pytest.mark.parametrize(
    "pod",
    [
        a_pod(age=29),
        a_pod(init={"running": {"startedAt": ago(20)}}),
        a_pod(state={"running": {}}),
    ],
    ids=["young", "downloading", "loading"],
)
async def test_a_pod_that_moves_is_left_alone(look, pod):
    assert (await look([event("FailedMount", 5, NO_SECRET)], pod)).reason == "PodsStarting"
    assert look.asked == []


async def test_a_pod_that_no_scheduler_looks_at_names_the_scheduler(look):
    found = await look(pod=a_pod(node=None, scheduled=False))
    assert (found.reason, found.what) == ("NoScheduler", "scorer-1: the scheduler batch says nothing of it")


async def test_a_pod_that_waits_for_a_resource_claim_says_so(look):
    """Kubernetes 1.35 keeps it from the scheduler, and sets no condition."""
    pod = a_pod(node=None, scheduled=False)
    pod["spec"]["resourceClaims"] = [{"name": "gpu", "resourceClaimTemplateName": "nope"}]
    found = await look(pod=pod)
    assert (found.reason, found.what) == ("ResourceClaimMissing", "scorer-1: its ResourceClaim gpu is not made yet")


async def test_what_an_event_says_of_a_pod_without_a_node_comes_first(look):
    failed = event("FailedResourceClaimCreation", 5, 'PodResourceClaim gpu: resourceclaimtemplate "nope" not found')
    found = await look([failed], pod=a_pod(node=None, scheduled=False))
    assert found.reason == "FailedResourceClaimCreation"
    assert found.reason in ADVICE
