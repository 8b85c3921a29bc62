"""What a reload can't have: whose artifact it is not, what stands in its way, and what to do instead, word for word."""

from dataclasses import replace

import pytest
from builders import LIMITS, REF, a_pod, a_stop_note, running, stop_set, terminating
from reload_world import ONE, REF_OF_LLM, URI, reload

from functions.lifecycle.decide import decide
from functions.lifecycle.errors import Code, Refused
from functions.lifecycle.observation import Blocker, Mode, NarrowClaim

CANARY = Blocker(Code.CANARY_IN_PROGRESS, "20 % go to a canary", "Promote it or take it back.", only_stops=True)
TOO_OLD = Blocker(Code.STOP_UNSUPPORTED, "this KServe knows no stop", "Upgrade KServe.", only_stops=True)
MESH = Blocker(Code.STOP_UNSUPPORTED, "ModelMesh has no pod of its own for a model", "Delete the model to free it.")
WAY_OUT = 'Reload it with {"strategy": "replace"}, which stops and starts it; or give it two replicas.'


def loading(*pods, artifacts=(URI,), **changes):
    return running(*pods, artifacts=artifacts, **changes)


@pytest.mark.parametrize(
    ("artifacts", "loads"),
    [
        (("s3://ml/a", "s3://ml/b"), "s3://ml/a, s3://ml/b"),
        ((), "no artifact that is named by a URI"),
    ],
)
def test_what_it_loads_instead_is_said(artifacts, loads):
    with pytest.raises(Refused) as error:
        decide(None, loading(artifacts=artifacts), reload(), LIMITS)
    assert error.value.message == f"{REF} does not load {URI}; it loads {loads}"
    assert error.value.next_action == "Name the artifact as the model's storageUri does."


def test_an_artifact_of_another_namespace_is_refused_with_what_to_name():
    with pytest.raises(Refused) as error:
        decide(None, loading(), reload(namespace="elsewhere"), LIMITS)
    assert error.value.next_action == "Name the namespace that the claim and the model are in."


@pytest.mark.parametrize(("blocker", "strategy"), [(TOO_OLD, "replace"), (MESH, "rolling"), (MESH, "replace")])
def test_what_stands_in_the_way_is_told_as_it_is(blocker, strategy):
    seen = loading(blockers=(blocker,), mode=Mode.KNATIVE)
    with pytest.raises(Refused) as error:
        decide(None, seen, reload(strategy=strategy), LIMITS)
    told = error.value.code, error.value.message, error.value.next_action
    assert told == (Code.RELOAD_UNSUPPORTED, blocker.message, blocker.next_action)


def test_a_canary_is_not_promoted_by_a_reload_that_stops():
    with pytest.raises(Refused) as error:
        decide(None, loading(blockers=(CANARY,), mode=Mode.KNATIVE), reload(strategy="replace"), LIMITS)
    assert (error.value.code, error.value.message) == (CANARY.code, CANARY.message)
    assert '{"strategy": "rolling"}' in error.value.next_action


@pytest.mark.parametrize("blocker", [CANARY, TOO_OLD])
def test_what_only_a_stop_would_harm_is_no_reason_against_a_rolling_reload(blocker):
    assert decide(None, loading(blockers=(blocker,), mode=Mode.KNATIVE), reload(), LIMITS).effects


def test_nothing_stands_in_the_way_of_what_is_only_noted_for_the_next_start():
    seen = replace(stop_set(stop_note=a_stop_note()), artifacts=(URI,), blockers=(MESH,))
    assert decide(None, seen, reload(), LIMITS).record.digest == ONE


@pytest.mark.parametrize(
    ("beside", "count"),
    [
        ((), "1 pod"),
        ((terminating(a_pod("ending")),), "1 pod"),
        ((a_pod("ended", finished=True),), "1 pod"),
        ((a_pod("router", serves=False, answer=None),), "1 pod"),
    ],
)
def test_an_llm_with_one_pod_that_serves_is_not_left_without(beside, count):
    seen = loading(a_pod(), *beside, ref=REF_OF_LLM)
    with pytest.raises(Refused) as error:
        decide(None, seen, reload(ref=REF_OF_LLM), LIMITS)
    why = "KServe can't make an LLMInferenceService's new pod before the old one goes"
    assert (error.value.code, error.value.message) == (Code.RELOAD_UNSUPPORTED, f"{REF_OF_LLM} has {count}, and {why}")
    assert error.value.next_action == WAY_OUT


def test_an_llm_with_one_pod_may_be_replaced_and_one_with_two_may_roll():
    one, two = loading(a_pod(), ref=REF_OF_LLM), loading(a_pod(), a_pod("scorer-1"), ref=REF_OF_LLM)
    assert decide(None, one, reload(ref=REF_OF_LLM, strategy="replace"), LIMITS).effects
    assert decide(None, two, reload(ref=REF_OF_LLM), LIMITS).effects


ONE_POD, ONE_NODE = NarrowClaim("models", one_pod=True), NarrowClaim("models")


def test_a_claim_for_one_pod_can_t_have_two_side_by_side():
    with pytest.raises(Refused) as error:
        decide(None, loading(narrow_claims=(ONE_POD,)), reload(), LIMITS)
    assert error.value.code is Code.RELOAD_UNSUPPORTED
    assert "the claim models" in error.value.message
    assert '{"strategy": "replace"}' in error.value.next_action
    assert decide(None, loading(narrow_claims=(ONE_POD,)), reload(strategy="replace"), LIMITS).changed


@pytest.mark.parametrize(("claims", "strategy", "warned"), [((ONE_NODE,), "rolling", True), ((), "rolling", False)])
def test_a_claim_for_one_node_is_warned_of_before_the_reload_starts(claims, strategy, warned):
    decision = decide(None, loading(narrow_claims=claims), reload(strategy=strategy), LIMITS)
    for text in (decision.note or "", decision.record.message):
        assert ("The claim models is ReadWriteOnce" in text and '{"strategy": "replace"}' in text) is warned


def test_a_reload_that_replaces_is_not_warned_of_it():
    decision = decide(None, loading(narrow_claims=(ONE_NODE,)), reload(strategy="replace"), LIMITS)
    assert "ReadWriteOnce" not in f"{decision.note} {decision.record.message}"
