"""What a step does where its command is not the next one: others first, or an answer at once."""

import asks as ask
import pytest
from asks import begin, take_command, take_next
from builders import LIMITS, NOW, REF, later, played, running, start, stop, stop_set

from events.facts import ModelFailed
from functions.lifecycle.errors import (
    ClusterRefused,
    ClusterUnavailable,
    Code,
    PolicyRefused,
    Refused,
    StoreUnavailable,
)
from functions.lifecycle.observe import observe
from functions.reconcile.command import MAY_BE_DONE, NOTHING

RECORD = observe(None, running(), LIMITS).record
STOPPED = observe(None, stop_set(), LIMITS).record


def claimed(**changes):
    values = {"now": NOW, "token": "t", "record": RECORD, "revision": 3, "first_seen": NOW, "sequence": 7}
    return ask.Claimed(**{**values, **changes})


def names(asks):
    return [type(one).__name__ for one in asks]


@pytest.mark.parametrize("request_", [stop(), stop(by_event=True), start()])
def test_a_command_that_is_in_line_is_answered_at_once_with_how_many_come_first(request_):
    asks, answer = played(take_command(request_, LIMITS), ask.InLine(3))
    assert asks == [ask.Claim(request_)]
    assert (answer.status, answer.ahead, answer.changed) == (202, 3, False)


def test_what_comes_first_is_done_first_and_then_the_own_command():
    other = stop(id="first", by_event=True)
    steps = (claimed(request=other, redelivered=True), running(), None, 42, ask.Committed())
    asks, answer = played(take_command(start(), LIMITS), *steps, claimed(record=STOPPED), stop_set(), None, 43)
    assert names(asks)[:6] == ["Claim", "Look", "Plan", "PatchModel", "Commit", "Claim"]
    assert asks[4].request.id == "first"
    assert asks[5] == ask.Claim(start())
    assert asks[7].request.id == "start-1"
    assert answer is None


@pytest.mark.parametrize("failed", [ClusterUnavailable("timeout"), RuntimeError("unforeseen")])
def test_where_what_comes_first_fails_the_own_command_stays_in_line(failed):
    other = stop(id="first", by_event=True)
    asks, answer = played(take_command(start(), LIMITS), claimed(request=other), failed, None)
    assert asks[-1] == ask.Release("t", other.claimed(7, redelivered=False), stays=True)
    assert (answer.status, answer.ahead) == (202, 1)


def test_others_are_done_for_a_while_only():
    others = []
    for number in range(20):
        others += [claimed(request=stop(id=f"{number}"), record=RECORD.model_copy(update={"sequence": 9})), None]
    asks, answer = played(take_command(start(), LIMITS), *others)
    assert sum(isinstance(one, ask.Claim) for one in asks) < 20
    assert (answer.status, answer.ahead) == (202, 1)


def test_a_line_with_nothing_in_it_is_nothing_to_do():
    assert played(take_next(REF, LIMITS), None) == ([ask.Next(REF)], NOTHING)


@pytest.mark.parametrize("by_event", [True, False])
def test_a_command_in_line_that_a_later_one_made_pointless_is_dropped_without_a_look(by_event):
    request = stop(by_event=by_event)
    done = RECORD.model_copy(update={"sequence": 8})
    asks, answer = played(take_next(REF, LIMITS), claimed(request=request, record=done), ask.Committed())
    assert names(asks) == ["Next", "Commit"]
    assert [entry.code for entry in asks[1].audit] == [Code.SUPERSEDED]
    assert asks[1].answer == answer == ask.StepAnswer(202)


def test_a_command_in_line_that_waited_too_long_is_dropped_and_said():
    asks, _ = played(take_next(REF, LIMITS), claimed(request=stop(), now=later(3601)), ask.Committed())
    assert [entry.code for entry in asks[1].audit] == [Code.EXPIRED]
    assert [type(one.event) for one in asks[1].events] == [ModelFailed]


def test_a_refusal_that_nobody_waits_for_is_kept_published_and_audited():
    request = start(queue=False)
    draining = stop_set(running().pods[0])
    asks, answer = played(take_next(REF, LIMITS), claimed(request=request, record=None), draining, ask.Committed())
    commit = asks[-1]
    assert isinstance(commit.refusal, Refused)
    assert (commit.refusal.code, commit.answer) == (Code.STOP_IN_PROGRESS, None)
    assert [entry.code for entry in commit.audit] == [Code.STOP_IN_PROGRESS]
    assert [one.event.code for one in commit.events] == [Code.STOP_IN_PROGRESS]
    assert answer.status == 409


def test_what_the_cluster_refuses_for_good_is_not_tried_until_it_expires():
    refused = ClusterRefused("denied by webhook")
    steps = (claimed(request=stop()), running(), None, refused, ask.Committed())
    asks, answer = played(take_next(REF, LIMITS), *steps)
    assert asks[-1].refusal is refused
    assert [entry.code for entry in asks[-1].audit] == [Code.CLUSTER_REFUSED]
    assert answer.status == 502


def test_an_event_that_a_policy_denies_is_answered_for_good_audited_and_its_pin_is_gone():
    denied = PolicyRefused("change freeze until Monday")
    request = stop(by_event=True, timeout="5s")
    steps = (claimed(), running(), None, None, denied, None, ask.Committed())
    asks, answer = played(take_command(request, LIMITS), *steps)
    assert names(asks)[3:] == ["PinOwners", "PatchModel", "UnpinOwners", "Commit"]
    assert asks[5].owners == asks[3].owners
    assert [(entry.code, "until Monday" in entry.message) for entry in asks[-1].audit] == [(Code.POLICY_REFUSED, True)]
    assert [one.event.code for one in asks[-1].events] == [Code.POLICY_REFUSED]
    assert answer.status == 202


def test_a_caller_over_rest_is_told_the_policy_s_words_and_the_audit_has_them():
    denied = PolicyRefused("change freeze until Monday")
    asks, error = played(take_command(stop(), LIMITS), claimed(), running(), None, denied, ask.Committed())
    assert error is denied
    assert [entry.code for entry in asks[-1].audit] == [Code.POLICY_REFUSED]


def test_a_command_in_line_that_failed_for_now_keeps_its_place():
    failed = ClusterUnavailable("timeout")
    asks, error = played(take_next(REF, LIMITS), claimed(request=start()), failed, None)
    assert error is failed
    assert asks[-1] == ask.Release("t", start().claimed(7, redelivered=False), stays=True)


def test_an_event_that_failed_for_now_is_told_so_and_keeps_its_place_as_well():
    away = ClusterUnavailable("timeout")
    asks, error = played(take_command(stop(by_event=True), LIMITS), claimed(), away, None)
    assert error is away
    assert asks[-1].stays


@pytest.mark.parametrize("failed", [ClusterUnavailable("timeout"), ClusterRefused("denied")])
def test_who_is_told_an_error_over_rest_has_left_the_line(failed):
    asks, error = played(take_command(start(), LIMITS), claimed(), failed, None)
    assert error is failed
    assert asks[-1] == ask.Release("t", start().claimed(7, redelivered=False), stays=False)


def test_where_a_command_could_not_be_taken_out_of_line_its_sender_is_told_that_it_may_be_done():
    away = StoreUnavailable("timeout")
    _, error = played(take_command(start(), LIMITS), claimed(record=STOPPED), stop_set(), away, away)
    assert (error.status, error.next_action) == (503, MAY_BE_DONE)


def test_a_command_whose_redis_went_away_while_it_did_what_came_first_is_in_line():
    other = start(id="first", by_event=True)
    steps = (claimed(request=other), StoreUnavailable("x"), StoreUnavailable("x"))
    asks, answer = played(take_command(stop(), LIMITS), *steps)
    assert (answer.status, answer.ahead) == (202, 1)
    assert names(asks) == ["Claim", "Look", "Release"]


@pytest.mark.parametrize("heard", [True, False])
def test_an_unforeseen_error_gives_the_lease_back_and_is_told_unchanged(heard):
    request = start(by_event=True)
    step = take_command(request, LIMITS) if heard else take_next(REF, LIMITS)
    begin(step)
    step.send(claimed(request=None if heard else request))
    given_back = step.throw(KeyError("uid"))
    assert (type(given_back), given_back.token, given_back.stays) == (ask.Release, "t", not heard)
    with pytest.raises(KeyError):
        step.send(None)
