"""What a look writes into the record, to the last field, and what it keeps of before."""

import pytest
from builders import LIMITS, NOW, REF, a_pod, a_stop_note, later, running, stop_set, terminating

from events.status import Hold, HoldKind, State
from functions.lifecycle.heard import Heard
from functions.lifecycle.observation import Answer, Answered
from functions.lifecycle.observe import observe
from functions.lifecycle.record import Intent, Record, Run, SeenPod
from functions.lifecycle.stop_note import QueuedStart

GIB = 1024**3
RUN = Run(since=NOW, actor="pipeline", key="/test start-1")
OURS = a_stop_note(correlation_id="corr-1", grace=5, sequence=9)
SCORER_0 = SeenPod(name="scorer-0", gpus=1, memory=8 * GIB, own=30)


def look(record, seen, planned=None, **more):
    return observe(record, seen, LIMITS, planned, **more).record


RAN = look(None, running())


def test_a_running_model_as_it_is_first_seen():
    seen = running(a_pod(), a_pod("b", memory=2 * GIB), version=12, pods_version=13, labels={"team": "fraud"})
    assert look(None, seen) == Record(
        ref=REF,
        uid="model-1",
        version=12,
        pods_version=13,
        state=State.RUNNING,
        since=NOW,
        desired="running",
        gpus=2,
        memory=10 * GIB,
        endpoint="http://scorer.fraud.example.com",
        available=True,
        pods={"uid-scorer-0": SCORER_0, "uid-b": SeenPod(name="b", gpus=1, memory=2 * GIB, own=30)},
        labels={"team": "fraud"},
        heard={uid: Heard(what=Answered.LOADED, at=NOW) for uid in ("uid-scorer-0", "uid-b")},
        observed_at=NOW,
    )


def test_a_model_that_our_stop_drains():
    queued = QueuedStart(source="/p", id="start-9", actor="pipeline")
    stop_note = OURS.model_copy(update={"queued": queued})
    seen = stop_set(terminating(a_pod(), 5), stop_note=stop_note)
    assert look(RAN, seen) == Record(
        ref=REF,
        uid="model-1",
        version=20,
        pods_version=20,
        state=State.STOPPING,
        reason="Draining",
        message="1 pod may finish requests for up to 5s.",
        since=later(1),
        desired="stopped",
        gpus=1,
        memory=8 * GIB,
        endpoint="http://scorer.fraud.example.com",
        holds=stop_note.holds,
        queued=True,
        pods={"uid-scorer-0": SCORER_0.model_copy(update={"given": 5})},
        stop=Run(since=NOW, actor="oncall", key="/test stop-1", correlation_id="corr-1", grace=5),
        sequence=9,
        effective="/test stop-1",
        observed_at=later(1),
    )


def test_a_start_that_waits_is_shown():
    queued = QueuedStart(source="/p", id="start-9", actor="pipeline")
    waiting = look(RAN, stop_set(terminating(a_pod()), stop_note=a_stop_note(queued=queued)))
    assert waiting.status().queued
    assert not look(RAN, stop_set(terminating(a_pod()), stop_note=a_stop_note())).queued
    assert not look(RAN, running(stop_note=a_stop_note(queued=queued))).status().queued


def test_what_our_stop_note_says_of_the_stop_is_known_and_an_empty_one_is_nobody_s():
    hold = Hold(kind=HoldKind.USER, actor="oncall", reason="drift")
    assert look(RAN, stop_set(stop_note=a_stop_note(holds=(hold,)))).stop.reason == "drift"
    empty = look(RAN, stop_set(stop_note=a_stop_note(holds=()))).stop
    assert (empty.actor, empty.reason, empty.ours) == ("modelswitch", None, True)


def test_a_stop_of_somebody_else_holds_in_their_name_from_when_it_was_seen():
    record = look(RAN, stop_set(a_pod(), stop_actor="kubectl"))
    assert record.stop == Run(since=later(1), actor="external:kubectl", key="external model-1 20", ours=False)
    assert record.holds == (Hold(kind=HoldKind.EXTERNAL, actor="external:kubectl", since=later(1)),)
    assert record.effective is None
    again = look(record, stop_set(stop_actor="somebody else", version=21, observed_at=later(9)))
    assert again.stop == record.stop


def test_nobody_knows_when_a_stop_began_that_was_there_before_the_first_look():
    record = look(None, stop_set(a_pod()))
    assert (record.stop.since, record.stop.actor) == (None, "external:unknown")
    assert record.holds == (Hold(kind=HoldKind.EXTERNAL, actor="external:unknown"),)


def test_a_command_that_died_after_its_patch_gets_a_receipt_with_its_seconds_although_no_record_was_there():
    assert look(None, stop_set(stop_note=OURS), resumed=True).receipt.seconds == 1.0
    assert look(None, stop_set(stop_note=OURS)).receipt.seconds is None


def test_the_receipt_takes_the_pods_with_it_and_stands_until_the_next_stop():
    stopped = look(RAN, stop_set(stop_note=OURS))
    assert stopped.receipt.pods == 1
    assert stopped.pods == {}
    assert look(stopped, stop_set(stop_note=OURS, observed_at=later(60))).receipt == stopped.receipt


def test_no_old_receipt_stands_for_a_stop_that_nobody_saw():
    unknown = Record(ref=REF, uid="model-1", receipt=look(RAN, stop_set(stop_note=OURS)).receipt)
    assert look(unknown, stop_set()).receipt is None


def test_a_receipt_is_complete_where_somebody_wrote_down_what_ran():
    assert look(RAN, stop_set()).receipt.complete
    assert look(None, stop_set(stop_note=OURS)).receipt.complete


def test_a_stop_that_was_in_progress_when_it_was_first_seen_may_have_freed_more_than_was_counted():
    draining = look(None, stop_set(terminating(a_pod())))
    receipt = look(draining, stop_set(observed_at=later(9))).receipt
    assert (receipt.pods, receipt.complete, receipt.seconds) == (1, False, None)


def test_pods_that_a_stop_note_left_behind_names_are_not_counted_while_the_model_runs():
    gone = a_stop_note(pods=(OURS.pods[0].model_copy(update={"uid": "uid-old"}),))
    record = look(None, running(stop_note=gone))
    assert set(record.pods) == {"uid-scorer-0"}
    assert (record.left_behind, record.queued, record.holds) == ("/test stop-1", False, ())
    assert look(record, running()).left_behind is None
    assert look(record, stop_set(a_pod())).left_behind == "/test stop-1"


def test_pods_of_the_run_before_are_forgotten_when_it_runs_again():
    record = look(RAN, running(a_pod("new")))
    assert set(record.pods) == {"uid-new"}


def test_pods_that_are_gone_stay_counted_while_it_stops():
    record = look(RAN, stop_set(terminating(a_pod("b")), stop_note=OURS))
    assert set(record.pods) == {"uid-scorer-0", "uid-b"}


def test_the_state_s_own_time_moves_when_the_state_does_and_only_then():
    starting = look(RAN, running(a_pod(ready=False), ready=Answer.FALSE, observed_at=later(5)))
    assert starting.since == later(5)
    assert look(starting, running(pods=(), ready=Answer.FALSE, observed_at=later(6))).since == later(5)
    assert look(RAN.model_copy(update={"since": None}), running(observed_at=later(7))).since == later(7)


def test_a_model_can_be_reached_while_it_runs_and_has_an_endpoint():
    assert RAN.available
    assert not look(None, running(url=None)).available
    starting = look(RAN, running(a_pod(ready=False), ready=Answer.FALSE, url=None))
    assert starting.endpoint == "http://scorer.fraud.example.com"
    assert not starting.available


def test_a_start_is_over_when_the_model_runs():
    starting = look(None, running(a_pod(ready=False), ready=Answer.FALSE)).model_copy(update={"start": RUN})
    assert look(starting, running(a_pod(ready=False), ready=Answer.FALSE)).start == RUN
    assert look(starting, running()).start is None


def planned(verb, *, by_event):
    return Intent(verb=verb, at=NOW, run=RUN, sequence=8, by_event=by_event)


@pytest.mark.parametrize(
    ("record", "seen", "plan", "sequence"),
    [
        (None, running(), None, 0),
        (RAN, running(), planned("start", by_event=True), 8),
        (RAN, stop_set(), planned("start", by_event=True), 8),
        (RAN, running(), planned("stop", by_event=True), 8),
        (RAN, running(), planned("start", by_event=False), 8),
        (RAN, stop_set(), planned("start", by_event=False), 0),
        (RAN, running(), planned("stop", by_event=False), 0),
        (RAN, stop_set(stop_note=OURS), planned("start", by_event=True), 9),
        (RAN, running(stop_note=OURS), None, 0),
        (RAN.model_copy(update={"sequence": 12}), stop_set(stop_note=OURS), planned("stop", by_event=True), 12),
    ],
)
def test_the_place_in_the_order_is_the_latest_that_can_have_been_done(record, seen, plan, sequence):
    assert look(record, seen, plan).sequence == sequence


def test_the_command_in_effect_is_the_one_whose_mark_is_seen():
    known = RAN.model_copy(update={"effective": "/test before"})
    assert look(known, running()).effective == "/test before"
    assert look(known, stop_set()).effective == "/test before"
    assert look(known, stop_set(stop_note=OURS)).effective == "/test stop-1"
    starting = running(a_pod(ready=False), ready=Answer.FALSE)
    assert look(known.model_copy(update={"start": RUN}), starting).effective == "/test start-1"
    theirs = RUN.model_copy(update={"ours": False})
    assert look(known.model_copy(update={"start": theirs}), starting).effective == "/test before"
