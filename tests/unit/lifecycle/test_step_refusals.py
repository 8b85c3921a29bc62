"""A command that is not done: what is committed, published and audited of it, and what the caller is told."""

from datetime import timedelta

import asks as ask
from asks import take_command
from builders import LIMITS, NOW, REF, later, played, running, start, stop

from events.facts import ModelFailed
from functions.lifecycle.errors import Code, NotFound, Refused, StoreUnavailable
from functions.lifecycle.observe import observe
from functions.lifecycle.record import Run

RECORD = observe(None, running(), LIMITS).record
GONE = "there is no InferenceService scorer in namespace fraud"
CHECK = "Check the name: kubectl get inferenceservices -n fraud"


def claimed(**changes):
    values = {"now": NOW, "token": "t", "record": RECORD, "revision": 3, "first_seen": NOW, "sequence": 7}
    return ask.Claimed(**{**values, **changes})


def entry(request, code, message, now=NOW):
    return ask.AuditEntry(
        time=now,
        ref=REF,
        action=request.verb,
        actor="oncall",
        code=code,
        reason="drift",
        message=message,
        source="/test",
        event_id="stop-1",
        correlation_id=request.correlation_id,
    )


def by_event(**changes):
    return stop(by_event=True, reason="drift", correlation_id="corr-1", **changes)


def test_a_command_that_expired_is_answered_audited_and_published_with_the_time_of_its_end():
    request = by_event(expires_at=NOW)
    asks, answer = played(take_command(request, LIMITS), claimed(now=later(1)), ask.Committed())
    message = "The stop was dropped: it expired at 2026-03-01T12:00:00+00:00."
    (published,) = asks[1].events
    assert published.event == ModelFailed(
        actor="oncall",
        reason="drift",
        code=Code.EXPIRED,
        message=message,
        next_action="Send it again if it is still wanted.",
        during="stop",
    )
    assert (published.ref, published.time, published.correlation_id) == (REF, later(1), "corr-1")
    assert answer == ask.StepAnswer(202)
    assert asks[1] == ask.Commit(
        REF,
        3,
        None,
        token="t",
        request=request,
        answer=answer,
        audit=(entry(request, Code.EXPIRED, message, later(1)),),
        events=asks[1].events,
    )


def test_an_hour_is_the_end_where_a_command_names_none_and_it_is_said_so():
    asks, _ = played(take_command(by_event(), LIMITS), claimed(now=later(3601)), ask.Committed())
    end = NOW + timedelta(hours=1)
    assert asks[1].audit[0].message == f"The stop was dropped: it expired at {end.isoformat()}."


def test_a_superseded_command_is_answered_and_audited_but_no_failure_is_published():
    later_done = RECORD.model_copy(update={"sequence": 8})
    request = by_event()
    asks, answer = played(
        take_command(request, LIMITS), claimed(record=later_done, redelivered=True), running(), ask.Committed()
    )
    assert answer == ask.StepAnswer(202)
    mine = request.claimed(7, redelivered=True)
    message = "The stop was dropped: a later command was already done."
    assert asks[2] == ask.Commit(
        REF, 3, None, token="t", request=mine, answer=answer, audit=(entry(mine, Code.SUPERSEDED, message),)
    )


def test_a_refused_event_is_answered_for_good_audited_and_published():
    request = by_event()
    mine = request.claimed(7, redelivered=False)
    asks, answer = played(take_command(request, LIMITS), claimed(), running(exists=False), ask.Committed())
    (published,) = asks[2].events
    assert published.event == ModelFailed(
        actor="oncall", reason="drift", code=Code.NOT_FOUND, message=GONE, next_action=CHECK, during="stop"
    )
    assert (published.ref, published.time, published.correlation_id) == (REF, NOW, "corr-1")
    assert answer == ask.StepAnswer(202)
    assert asks[2] == ask.Commit(
        REF,
        3,
        None,
        token="t",
        request=mine,
        answer=answer,
        audit=(entry(mine, Code.NOT_FOUND, GONE),),
        events=asks[2].events,
    )


def test_a_refusal_over_rest_is_audited_told_and_leaves_the_key_free_to_try_again():
    request = stop(reason="drift")
    mine = request.claimed(7, redelivered=False)
    asks, error = played(take_command(request, LIMITS), claimed(), running(exists=False), ask.Committed())
    assert isinstance(error, NotFound)
    assert error.message == GONE
    assert asks[2] == ask.Commit(
        REF, 3, None, token="t", request=mine, answer=None, audit=(entry(mine, Code.NOT_FOUND, GONE),), events=()
    )


def test_a_failure_of_a_start_is_said_of_the_start():
    asks, _ = played(take_command(start(by_event=True), LIMITS), claimed(), running(exists=False), ask.Committed())
    (published,) = asks[2].events
    assert (published.event.during, published.event.actor) == ("start", "pipeline")


def test_the_failure_of_one_command_is_one_event_however_often_it_comes():
    ids = set()
    for seconds in (0, 5):
        steps = (claimed(now=later(seconds)), running(exists=False))
        asks, _ = played(take_command(by_event(), LIMITS), *steps)
        ids.add(asks[2].events[0].id)
    asks, _ = played(take_command(by_event(id="stop-2"), LIMITS), claimed(), running(exists=False))
    assert len(ids) == 1
    assert asks[2].events[0].id not in ids


def test_without_redis_a_refusal_is_still_told():
    asks, error = played(take_command(stop(), LIMITS), StoreUnavailable("refused"), running(deleting=True))
    assert isinstance(error, Refused)
    assert error.code is Code.INVALID_TRANSITION
    assert len(asks) == 2


def test_a_run_of_ours_is_ours():
    assert Run(since=NOW, actor="oncall", key="k").ours
