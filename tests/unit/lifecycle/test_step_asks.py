"""What a command's step asks for, in which order, and what it answers; the outside is played by hand."""

import asks as ask
import pytest
from asks import take_command
from builders import LIMITS, NOW, REF, REPLICA_SET, a_pod, a_stop_note, later, played, running, start, stop, stop_set

from functions.lifecycle.decide import decide
from functions.lifecycle.errors import ClusterUnavailable, Code, PreconditionFailed, StoreUnavailable, Temporary
from functions.lifecycle.observation import Answer
from functions.lifecycle.observe import observe
from functions.lifecycle.record import Autoscaler, Intent, Run

RECORD = observe(None, running(), LIMITS).record
AWAY = StoreUnavailable("connection refused")


def claimed(**changes):
    values = {"now": NOW, "token": "t", "record": RECORD, "revision": 3, "first_seen": NOW, "sequence": 7}
    return ask.Claimed(**{**values, **changes})


def commit(decision, request, answer, *, expected=3, version=None):
    newest = max(version or 0, decision.record.version)
    return ask.Commit(
        ref=REF,
        expected=expected,
        record=decision.record.model_copy(update={"version": newest}),
        token="t",
        request=request,
        answer=answer,
        audit=decision.audit,
        events=decision.events,
        due=decision.due,
    )


def body(decision, *, changed=True, recorded=True, **more):
    status = decision.record.status().model_dump(mode="json")
    return {"status": status, "changed": changed, "recorded": recorded, **more}


def test_a_stop_over_rest_claims_looks_plans_patches_commits_and_shows_the_status():
    request = stop(reason="drift", correlation_id="corr-1")
    mine = request.claimed(7, redelivered=False)
    decision = decide(RECORD, running(), mine, LIMITS)
    asks, answer = played(take_command(request, LIMITS), claimed(), running(), None, 42, ask.Committed())
    assert answer == ask.StepAnswer(202, body(decision), changed=True)
    assert asks == [
        ask.Claim(request),
        ask.Look(REF, verb="stop"),
        ask.Plan("t", mine, decision.intent),
        *decision.effects,
        commit(decision, mine, answer, version=42),
    ]


def test_a_stop_by_event_is_answered_without_a_body():
    request = stop(by_event=True)
    mine = request.claimed(7, redelivered=True)
    decision = decide(RECORD, running(), mine, LIMITS)
    asks, answer = played(
        take_command(request, LIMITS), claimed(redelivered=True), running(), None, 42, ask.Committed()
    )
    assert answer == ask.StepAnswer(202, changed=True)
    assert asks[1] == ask.Look(REF, verb="stop")
    assert asks[-1] == commit(decision, mine, answer, version=42)


def test_every_effect_is_carried_out_in_order_and_the_newest_version_is_kept():
    request = stop(graceful=False)
    mine = request.claimed(7, redelivered=False)
    decision = decide(RECORD, running(), mine, LIMITS)
    asks, answer = played(take_command(request, LIMITS), claimed(), running(), None, None, 42, None, ask.Committed())
    assert [type(effect) for effect in asks[3:6]] == [ask.PinOwners, ask.PatchModel, ask.EndPods]
    assert asks[3].owners == (REPLICA_SET,)
    assert asks[6] == commit(decision, mine, answer, version=42)


def test_a_duplicate_is_given_the_stored_answer_and_nothing_is_looked_at():
    stored = ask.StepAnswer(202, {"changed": True}, changed=True)
    asks, answer = played(take_command(stop(), LIMITS), claimed(answer=stored))
    assert (asks, answer) == ([ask.Claim(stop())], stored)


def test_what_is_so_already_is_answered_200_with_a_sentence_and_planned_nowhere():
    request = start()
    mine = request.claimed(7, redelivered=False)
    decision = decide(RECORD, running(), mine, LIMITS)
    asks, answer = played(take_command(request, LIMITS), claimed(), running(), ask.Committed())
    told = body(decision, changed=False, message="It is running already.")
    assert answer == ask.StepAnswer(200, told, changed=False)
    assert asks[1:] == [ask.Look(REF, verb="start"), commit(decision, mine, answer)]
    assert asks[-1].record.version == 10


def test_what_a_dead_delivery_had_planned_is_known_to_the_next_one():
    planned = Intent(verb="start", at=NOW, run=Run(since=NOW, actor="pipeline", key=start().key))
    _, answer = played(take_command(start(), LIMITS), claimed(planned=planned), running(), ask.Committed())
    assert answer.changed
    assert answer.status == 202


def test_a_model_that_changed_before_the_patch_is_looked_at_again_and_decided_anew():
    asks, answer = played(
        take_command(stop(), LIMITS),
        claimed(),
        running(),
        None,
        PreconditionFailed("uid"),
        stop_set(stop_note=a_stop_note(command="other")),
        ask.Committed(),
    )
    assert [type(one).__name__ for one in asks] == ["Claim", "Look", "Plan", "PatchModel", "Look", "Commit"]
    assert answer.status == 200
    assert not answer.changed


@pytest.mark.parametrize("lost", [ask.Committed(conflict=True), ask.Committed(stale=True)])
def test_a_commit_that_came_second_rests_on_the_newer_record_and_still_says_what_it_changed(lost):
    request = stop()
    mine = request.claimed(7, redelivered=False)
    newer = observe(RECORD, running(version=11), LIMITS).record
    resumed = stop_set(stop_note=a_stop_note())
    asks, answer = played(
        take_command(request, LIMITS),
        claimed(),
        running(),
        None,
        42,
        lost,
        ask.Loaded(newer, 4),
        resumed,
        ask.Committed(),
    )
    first = decide(RECORD, running(), mine, LIMITS)
    decision = decide(newer, resumed, mine, LIMITS, first.intent)
    assert answer == ask.StepAnswer(202, body(decision), changed=True)
    assert asks[5] == ask.Load(REF)
    assert asks[6] == ask.Look(REF, verb="stop")
    assert asks[7] == commit(decision, mine, answer, expected=4)


def test_a_change_once_made_is_said_although_the_second_look_finds_it_done_by_somebody_else():
    other = stop_set(stop_note=a_stop_note(command="other"))
    steps = (
        claimed(),
        running(),
        None,
        42,
        ask.Committed(conflict=True),
        ask.Loaded(RECORD, 4),
        other,
        ask.Committed(),
    )
    _, answer = played(take_command(stop(), LIMITS), *steps)
    assert (answer.status, answer.changed, answer.body["changed"]) == (202, True, True)


def test_a_start_whose_commit_came_second_is_known_by_its_own_plan():
    stopped = observe(None, stop_set(), LIMITS).record
    steps = (
        claimed(record=stopped),
        stop_set(),
        None,
        42,
        ask.Committed(conflict=True),
        ask.Loaded(stopped, 4),
        running(version=43, observed_at=later(2)),
        ask.Committed(),
    )
    asks, _ = played(take_command(start(), LIMITS), *steps)
    assert [published.event.actor for published in asks[-1].events] == ["pipeline", "pipeline"]
    assert asks[-1].record.sequence == 7


def test_a_plan_of_before_is_kept_over_a_commit_that_came_second():
    planned = Intent(verb="start", at=NOW, run=Run(since=NOW, actor="pipeline", key=start().key))
    steps = (claimed(planned=planned), running(), ask.Committed(conflict=True), ask.Loaded(RECORD, 4), running())
    asks, answer = played(take_command(start(), LIMITS), *steps, ask.Committed())
    assert asks[-1].expected == 4
    assert answer.changed


def test_five_looks_in_vain_are_a_conflict_that_gives_the_claim_back():
    request = stop()
    again = (running(), None, PreconditionFailed("stop"))
    asks, error = played(take_command(request, LIMITS), claimed(), *again * 5, None)
    assert sum(isinstance(one, ask.Look) for one in asks) == 5
    assert asks[-1] == ask.Release("t", request.claimed(7, redelivered=False))
    assert (error.status, error.code, error.retry_after) == (409, Code.CONFLICT, 1)
    assert error.message == "InferenceService fraud/scorer kept changing while it was looked at"
    assert error.next_action == (
        "Ask again. If it goes on, find out who changes its annotations: kubectl get -o yaml --show-managed-fields."
    )


def test_a_stop_outlasts_a_burst_of_looks_that_are_faster():
    """Each pod that a forced stop ends is told of twice, and the looks that follow commit too."""
    overtaken = (ask.Committed(conflict=True), ask.Loaded(RECORD, 4), stop_set(a_pod()))
    steps = (running(), None, 42, *overtaken * 14, ask.Committed())
    _, answer = played(take_command(stop(), LIMITS), claimed(), *steps)
    assert (answer.status, answer.changed) == (202, True)


def test_one_that_is_overtaken_for_good_is_a_conflict_and_no_endless_loop():
    overtaken = (ask.Committed(conflict=True), ask.Loaded(RECORD, 4), stop_set(a_pod()))
    steps = (running(), None, 42, *overtaken * 14, *overtaken[:2], None)
    asks, error = played(take_command(stop(), LIMITS), claimed(), *steps)
    assert (error.status, error.code, error.retry_after) == (409, Code.CONFLICT, 1)
    assert isinstance(asks[-1], ask.Release)


def test_a_cluster_that_is_away_gives_the_claim_back_and_says_when_to_come_again():
    away = ClusterUnavailable("timeout")
    asks, error = played(take_command(stop(), LIMITS), claimed(), away, None)
    assert error is away
    assert asks[-1] == ask.Release("t", stop().claimed(7, redelivered=False))


def test_a_claim_that_can_t_be_given_back_hides_nothing_of_what_happened():
    away = ClusterUnavailable("timeout")
    _, error = played(take_command(stop(), LIMITS), claimed(), away, AWAY)
    assert error is away


def test_a_lease_that_is_taken_is_told_to_come_again():
    busy = Temporary(Code.BUSY, "busy", "again", retry_after=1)
    asks, error = played(take_command(start(), LIMITS), busy)
    assert (error, len(asks)) == (busy, 1)


def test_a_stop_over_rest_needs_no_redis_and_says_that_nothing_was_recorded():
    decision = decide(None, running(), stop(), LIMITS)
    asks, answer = played(take_command(stop(), LIMITS), AWAY, running(), 42)
    assert asks == [ask.Claim(stop()), ask.Look(REF, verb="stop"), *decision.effects]
    assert answer == ask.StepAnswer(202, body(decision, recorded=False), changed=True)


def test_a_model_that_is_still_starting_can_be_stopped_without_redis_too():
    starting = running(a_pod(ready=False), ready=Answer.FALSE)
    _, answer = played(take_command(stop(), LIMITS), AWAY, starting, 42)
    assert answer.changed


def test_redis_that_goes_away_at_the_plan_stops_no_stop_over_rest():
    asks, answer = played(take_command(stop(), LIMITS), claimed(), running(), AWAY, 42)
    assert [type(one).__name__ for one in asks] == ["Claim", "Look", "Plan", "PatchModel"]
    assert answer.body["recorded"] is False
    assert answer.changed


def test_without_redis_since_the_plan_the_record_that_was_read_still_counts():
    record = RECORD.model_copy(update={"autoscaler": Autoscaler(prior="hpa")})
    steps = (claimed(record=record), running(), AWAY, PreconditionFailed("stop"), running())
    asks, _ = played(take_command(stop(), LIMITS), *steps)
    assert asks[-1].operations[-1]["value"] == "hpa"


def test_redis_that_goes_away_at_the_commit_of_a_stop_over_rest_is_said():
    decision = decide(RECORD, running(), stop().claimed(7, redelivered=False), LIMITS)
    _, answer = played(take_command(stop(), LIMITS), claimed(), running(), None, 42, AWAY)
    assert answer == ask.StepAnswer(202, body(decision, recorded=False), changed=True)


@pytest.mark.parametrize(
    ("request_", "answers"),
    [
        (stop(by_event=True), (claimed(), running(), AWAY)),
        (start(), (claimed(), stop_set(), AWAY)),
        (stop(by_event=True), (claimed(), running(), None, 42, AWAY)),
        (start(), (claimed(), running(), AWAY)),
    ],
)
def test_without_redis_everything_else_is_told_to_come_again(request_, answers):
    asks, error = played(take_command(request_, LIMITS), *answers, None)
    assert error is AWAY
    assert isinstance(asks[-1], ask.Release)


def test_a_command_that_names_no_end_lives_for_an_hour_from_its_first_arrival():
    for seconds, last in ((3600, "Look"), (3600.1, "Commit")):
        asks, _ = played(take_command(stop(by_event=True), LIMITS), claimed(now=later(seconds)))
        assert type(asks[-1]).__name__ == last


def test_a_command_s_own_end_counts_over_the_default():
    request = stop(by_event=True, expires_at=later(10))
    for seconds, last in ((10, "Look"), (11, "Commit")):
        asks, _ = played(take_command(request, LIMITS), claimed(now=later(seconds)))
        assert type(asks[-1]).__name__ == last
