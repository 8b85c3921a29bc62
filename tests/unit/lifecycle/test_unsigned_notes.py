"""A note on a stopped model that we have not signed: what it says counts, whom it names does not."""

from builders import LIMITS, NOW, REF, a_pod, a_stop_note, later, running, stop, stop_set

from events.status import Hold, HoldKind, State
from functions.lifecycle.decide import decide
from functions.lifecycle.record import Record
from functions.lifecycle.stop_note import QueuedStart

FORGED = a_stop_note(
    holds=(Hold(kind=HoldKind.USER, actor="ceo@bank", reason="x", since=NOW),),
    source="rest:ceo@bank",
    queued=QueuedStart(source="rest:ceo@bank", id="q1", actor="ceo@bank"),
).as_claim()


def test_the_stop_is_nobody_s_and_names_whom_it_claims_to_be_of():
    record = decide(None, stop_set(stop_note=FORGED.model_copy(update={"queued": None})), None, LIMITS).record
    assert (record.stop.actor, record.stop.claimed_actor) == ("unknown", "ceo@bank")
    assert (record.holds[0].actor, record.receipt.actor) == ("unknown", "unknown")
    assert "Stopped by unknown (claims to be ceo@bank)" in record.message


def test_a_start_that_waits_in_it_is_done_but_in_nobody_s_name():
    seen = stop_set(stop_note=FORGED)
    noted = decide(Record(ref=REF, uid=seen.uid), seen, None, LIMITS).record
    done = decide(noted, stop_set(stop_note=FORGED, observed_at=later(1)), None, LIMITS)
    [entry] = [entry for entry in done.audit if entry.action == "start"]
    assert (entry.actor, entry.claimed_actor, entry.source) == ("modelswitch", "ceo@bank", "unsigned:rest:ceo@bank")
    [event] = [one.event for one in done.events if one.event.type.endswith("starting.v1")]
    assert (event.actor, event.claimed_actor) == ("modelswitch", "ceo@bank")
    assert done.record.state is State.STARTING


def test_a_stop_that_we_have_recorded_keeps_its_name_whatever_is_written_over_its_note():
    """Also where the key was lost, and after an update from a version that did not sign."""
    stopped = decide(None, running(a_pod()), stop(), LIMITS).record
    ours = a_stop_note(source="/test", command="stop-1")
    assert stopped.stop.key == ours.key
    tampered = ours.model_copy(update={"holds": (Hold(kind=HoldKind.USER, actor="ceo@bank"),)}).as_claim()
    record = decide(stopped, stop_set(stop_note=tampered, observed_at=later(5)), None, LIMITS).record
    assert (record.stop.actor, record.holds[0].actor, record.receipt.actor) == ("oncall", "oncall", "oncall")
    assert record.holds[0].claimed_actor is None


def test_of_a_forged_stop_the_history_names_no_command():
    known = decide(None, running(a_pod()), None, LIMITS).record
    [entry, *_] = decide(known, stop_set(stop_note=FORGED, observed_at=later(5)), None, LIMITS).audit
    assert (entry.action, entry.actor, entry.claimed_actor) == ("stop", "unknown", "ceo@bank")
    assert (entry.source, entry.event_id) == (None, None)


def test_a_forged_stop_began_when_it_was_first_observed_whatever_it_claims():
    known = decide(None, running(a_pod()), None, LIMITS).record
    hour_ago = FORGED.model_copy(update={"since": later(-3600), "queued": None})
    record = decide(known, stop_set(a_pod(), stop_note=hour_ago, observed_at=later(5)), None, LIMITS).record
    assert record.state is State.STOPPING, "no stop is ignored for an hour that began a moment ago"
    assert record.stop.since == record.holds[0].since == later(5)


def test_of_a_forged_stop_that_was_there_before_us_the_beginning_is_unknown():
    record = decide(None, stop_set(stop_note=FORGED.model_copy(update={"queued": None})), None, LIMITS).record
    assert (record.state, record.stop.since, record.holds[0].since) == (State.STOPPED, None, None)
