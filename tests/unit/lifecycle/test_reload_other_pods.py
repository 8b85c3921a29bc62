"""A reload where pods come and go otherwise: an LLM's pods that take no annotation, and Knative's revisions."""

from dataclasses import replace

import pytest
from asks import take_notification
from builders import LIMITS, a_pod
from reload_world import ONE, REF_OF_LLM, ReloadWorld, answering, reload

from events.status import State
from functions.lifecycle.errors import Code
from functions.lifecycle.observation import Answered, Mode


class LlmWorld(ReloadWorld):
    """KServe hands no annotation on to an LLMInferenceService's pods; a pod that goes is made again."""

    def look(self):
        return replace(super().look(), ref=REF_OF_LLM)

    def kserve(self):
        self._touch()
        if len(self.pods) < 2:
            self.rolls += 1
            self.pods = [*self.pods, a_pod(f"new-{self.rolls}", answer=answering(self.loads), ready_since=self.now)]


def two_llm_pods():
    world = LlmWorld(pods=[a_pod("old-1"), a_pod("old-2")])
    world.run(take_notification(REF_OF_LLM, LIMITS))
    world.events.clear()
    return world


def settle_llm(world, times=6):
    for _ in range(times):
        world.kserve()
        world.later(2)
        world.run(take_notification(REF_OF_LLM, LIMITS))


def test_an_llms_pods_are_replaced_one_at_a_time():
    world = two_llm_pods()
    assert world.command(reload(ONE, ref=REF_OF_LLM)).changed
    assert world.deleted == ["old-1"]
    world.run(take_notification(REF_OF_LLM, LIMITS))
    assert world.deleted == ["old-1"], "the next goes only once its successor answers"
    settle_llm(world)
    assert world.deleted == ["old-1", "old-2"]
    assert [pod.name for pod in world.pods] == ["new-1", "new-2"]
    assert world.told() == ["reloaded"]


def test_an_llms_second_pod_stays_where_the_first_comes_back_empty():
    world = two_llm_pods()
    world.loads = Answered.MISSING
    world.command(reload(ONE, ref=REF_OF_LLM))
    settle_llm(world)
    assert world.deleted == ["old-1"]
    assert world.told() == ["failed"]
    assert world.record.state is State.RUNNING


def test_a_single_llm_pod_is_not_taken_away_and_the_way_out_is_named():
    world = LlmWorld(pods=[a_pod("only")])
    refused = world.command(reload(ONE, ref=REF_OF_LLM, by_event=False))
    assert (refused.code, world.deleted) == (Code.RELOAD_UNSUPPORTED, [])
    assert "replace" in refused.next_action


DECODE, PREFILL = "llminferenceservice-workload", "llminferenceservice-workload-prefill"


def test_the_only_pod_of_a_role_is_not_taken_away():
    world = LlmWorld(pods=[a_pod("decode", component=DECODE), a_pod("prefill", component=PREFILL)])
    refused = world.command(reload(ONE, ref=REF_OF_LLM, by_event=False))
    assert (refused.code, world.deleted) == (Code.RELOAD_UNSUPPORTED, [])
    assert "1 pod of llminferenceservice-workload," in str(refused)


def test_a_scheduler_beside_the_only_serving_pod_takes_its_place_in_no_reload():
    scheduler = a_pod("scheduler", component="llminferenceservice-router-scheduler", serves=False, answer=None)
    world = LlmWorld(pods=[a_pod("only"), scheduler])
    refused = world.command(reload(ONE, ref=REF_OF_LLM, by_event=False))
    assert (refused.code, world.deleted) == (Code.RELOAD_UNSUPPORTED, [])


@pytest.mark.parametrize(
    "bad",
    [{"ready": False, "answer": None}, {"answer": answering(Answered.MISSING)}, {"answer": answering(Answered.ASLEEP)}],
)
def test_a_pod_that_serves_nobody_is_replaced_before_the_one_that_serves(bad):
    world = LlmWorld(pods=[a_pod("serves"), a_pod("useless", **bad)])
    world.command(reload(ONE, ref=REF_OF_LLM))
    assert world.deleted == ["useless"]


def test_the_last_serving_pod_of_a_role_stays():
    """When the first new pod answers, the other prefilling pod is gone: its autoscaler wants one only."""
    roles = [(f"{role}-{number}", role) for role in (DECODE, PREFILL) for number in (1, 2)]
    world = LlmWorld(pods=[a_pod(name, component=role) for name, role in roles])
    world.command(reload(ONE, ref=REF_OF_LLM))
    assert world.deleted == [f"{DECODE}-1"]
    new = a_pod("new", component=DECODE, answer=answering())
    last = next(pod for pod in world.pods if pod.name == f"{PREFILL}-1")
    world.pods = [new, last]
    world.run(take_notification(REF_OF_LLM, LIMITS))
    assert world.deleted == [f"{DECODE}-1"]


class KnativeWorld(ReloadWorld):
    """The old revision's pods outlive the route to them."""

    def look(self):
        return replace(super().look(), mode=Mode.KNATIVE)

    def kserve(self):
        old = list(self.pods)
        super().kserve()
        if self.rolls:
            self.pods = [*{pod.uid: pod for pod in (*old, *self.pods)}.values()]


def test_in_knative_mode_the_old_revisions_pods_are_not_waited_for():
    world = KnativeWorld()
    world.notification()
    world.events.clear()
    world.command(reload(ONE))
    world.kserve()
    world.notification()
    assert world.told() == []
    world.later(5)
    world.notification()
    assert (len(world.pods), world.told()) == (2, ["reloaded"])
