"""What a refusal tells: the code that programs read, what was found, and what to do next, word for word."""

import pytest
from builders import LIMITS, a_pod, a_stop_note, running, start, stop, stop_set, terminating

from events.model import Kind, ModelRef
from functions.lifecycle.decide import decide
from functions.lifecycle.errors import (
    ClusterRefused,
    ClusterUnavailable,
    Code,
    Refused,
    StepError,
    StoreRebuilding,
    StoreUnavailable,
)
from functions.lifecycle.observation import Blocker, Mode, QuotaShortage
from functions.lifecycle.refusals import refuse_unless_there

STOPPED = stop_set(stop_note=a_stop_note())
LLM = ModelRef(namespace="chat", name="llama", kind=Kind.LLM_INFERENCE_SERVICE)
GPU = QuotaShortage("team", "requests.nvidia.com/gpu", "2", "3", "4")
MEMORY = QuotaShortage("team", "requests.memory", "8Gi", "60Gi", "64Gi")


def told(error):
    return error.status, error.code, str(error), error.next_action, error.retry_after


def refused(seen, request):
    with pytest.raises(Refused) as error:
        refuse_unless_there(seen)
        decide(None, seen, request, LIMITS)
    assert str(error.value) == error.value.message
    return told(error.value)


@pytest.mark.parametrize(
    ("seen", "request_", "expected"),
    [
        (
            running(exists=False, ref=LLM),
            stop(ref=LLM),
            (
                404,
                Code.NOT_FOUND,
                "there is no LLMInferenceService llama in namespace chat",
                "Check the name: kubectl get llminferenceservices -n chat",
                None,
            ),
        ),
        (
            running(deleting=True),
            stop(),
            (
                409,
                Code.INVALID_TRANSITION,
                "InferenceService fraud/scorer is being deleted",
                "Wait until it is gone; apply it again to have it back.",
                None,
            ),
        ),
        (
            running(blockers=(Blocker(Code.STOP_UNSUPPORTED, "too old", "update KServe"),)),
            stop(promote_canary=True),
            (409, Code.STOP_UNSUPPORTED, "too old", "update KServe", None),
        ),
        (
            running(
                blockers=(
                    Blocker(Code.CANARY_IN_PROGRESS, "canary", "promote it"),
                    Blocker(Code.STOP_UNSUPPORTED, "too old", "update KServe"),
                )
            ),
            stop(promote_canary=True),
            (409, Code.STOP_UNSUPPORTED, "too old", "update KServe", None),
        ),
        (
            running(blockers=(Blocker(Code.CANARY_IN_PROGRESS, "canary", "promote it"),)),
            stop(),
            (409, Code.CANARY_IN_PROGRESS, "canary", "promote it", None),
        ),
        (
            stop_set(terminating(a_pod("a")), terminating(a_pod("b"))),
            start(),
            (
                409,
                Code.STOP_IN_PROGRESS,
                "InferenceService fraud/scorer is still stopping: 2 pods left",
                'Ask again when it is stopped, or send {"queue": true} and it starts when the last pod is gone.',
                2,
            ),
        ),
        (
            stop_set(stop_note=a_stop_note(), shortages=(GPU, MEMORY)),
            start(),
            (
                409,
                Code.QUOTA_EXCEEDED,
                "InferenceService fraud/scorer does not fit the namespace's quota: "
                "requests.nvidia.com/gpu: needs 2, used 3 of 4 (quota team); "
                "requests.memory: needs 8Gi, used 60Gi of 64Gi (quota team)",
                "Stop another model of this namespace or ask for a larger quota, then start again.",
                None,
            ),
        ),
    ],
)
def test_a_refusal_names_what_was_found_and_the_way_out(seen, request_, expected):
    assert refused(seen, request_) == expected


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"ref": LLM}, "KServe has no annotation for that on a LLMInferenceService"),
        ({"mode": Mode.KNATIVE}, "in Knative mode KServe always takes the scale from the spec"),
        ({"autoscaler": "keda"}, "its autoscaler class is keda, which KServe does not make itself"),
    ],
)
def test_a_start_without_the_autoscaler_says_why_it_can_t_be_had(changes, why):
    seen = stop_set(stop_note=a_stop_note(), **changes)
    assert refused(seen, start(ref=seen.ref, restore_autoscaling=False)) == (
        409,
        Code.START_UNSUPPORTED,
        f"{seen.ref} can't start without its autoscaler: {why}",
        'Start it with {"restore_autoscaling": true}, or change minReplicas and maxReplicas in its spec.',
        None,
    )


@pytest.mark.parametrize("autoscaler", [None, "", "hpa"])
def test_the_autoscaler_that_kserve_makes_itself_can_be_left_out(autoscaler):
    seen = stop_set(stop_note=a_stop_note(), autoscaler=autoscaler)
    assert decide(None, seen, start(restore_autoscaling=False), LIMITS).changed


def test_a_queued_start_does_not_ask_for_room_that_the_stop_is_about_to_free():
    seen = stop_set(terminating(a_pod()), stop_note=a_stop_note(), shortages=(GPU,))
    assert decide(None, seen, start(queue=True), LIMITS).record.queued


def test_a_queued_start_is_refused_at_once_where_it_could_never_be_done():
    seen = stop_set(terminating(a_pod()), stop_note=a_stop_note(), mode=Mode.KNATIVE)
    assert refused(seen, start(queue=True, restore_autoscaling=False))[1] is Code.START_UNSUPPORTED


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (
            lambda: StoreUnavailable("connection refused"),
            (
                503,
                Code.STORE_UNAVAILABLE,
                "Redis does not answer: connection refused",
                "Wait and ask again; stops over REST work without Redis. Check REDIS_URL and the Redis pod.",
                5,
            ),
        ),
        (
            StoreRebuilding,
            (
                503,
                Code.STORE_UNAVAILABLE,
                "the list of models is still being rebuilt from the cluster",
                "Ask again in a moment; the status of a single model is available.",
                2,
            ),
        ),
        (
            lambda: ClusterUnavailable("429"),
            (
                503,
                Code.CLUSTER_UNAVAILABLE,
                "the Kubernetes API does not answer: 429",
                "Wait and ask again; check the API server's health and this service's network and credentials.",
                2,
            ),
        ),
        (
            lambda: ClusterUnavailable("429", retry_after=7),
            (
                503,
                Code.CLUSTER_UNAVAILABLE,
                "the Kubernetes API does not answer: 429",
                "Wait and ask again; check the API server's health and this service's network and credentials.",
                7,
            ),
        ),
        (
            lambda: ClusterRefused("forbidden"),
            (
                502,
                Code.CLUSTER_REFUSED,
                "the Kubernetes API refused: forbidden",
                "See the API server's message above; grant the permission or fix the object, then retry.",
                None,
            ),
        ),
        (
            lambda: StepError(Code.BUSY, "busy", "wait", retry_after=3),
            (500, Code.BUSY, "busy", "wait", 3),
        ),
    ],
)
def test_an_outage_says_who_is_away_when_to_come_again_and_what_to_check(make, expected):
    error = make()
    assert told(error) == expected
    assert error.message == expected[2]


def test_nothing_is_refused_of_a_model_that_is_there():
    refuse_unless_there(running())
