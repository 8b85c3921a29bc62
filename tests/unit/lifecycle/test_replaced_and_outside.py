"""What the very answer to a command shows, before the next look corrects it, and what the history says of another actor's change."""

from dataclasses import replace

import pytest
from builders import LIMITS, REF, a_pod, patched, running, start, stop
from reload_world import ONE, THREE, TWO, URI, ReloadWorld, reload

from events.artifact import Strategy
from events.status import HoldKind, State
from functions.lifecycle.decide import decide
from functions.lifecycle.observation import ANY_PATH, DIGEST_ANNOTATION
from functions.lifecycle.patches import digest_patch
from functions.lifecycle.record import Record


def settled():
    world = ReloadWorld()
    world.settle()
    world.audit.clear()
    return world


def test_a_replacement_is_shown_as_a_stop_with_a_start_behind_it():
    world = settled()
    status = world.command(reload(ONE, strategy=Strategy.REPLACE, by_event=False)).body["status"]
    assert (status["state"], status["desired"], status["queued"]) == ("stopping", "stopped", True)
    assert [hold["kind"] for hold in status["holds"]] == ["rotation"]


def test_a_stop_that_wins_over_a_replacement_is_shown_as_its_own_at_once():
    world = settled()
    world.command(reload(ONE, strategy=Strategy.REPLACE))
    world.later(3)
    status = world.command(stop(id="mine", reason="the night")).body["status"]
    assert (status["queued"], world.record.reload) == (False, None)
    (hold,) = world.record.holds
    assert (hold.kind, hold.actor, hold.reason, hold.since) == (HoldKind.USER, "oncall", "the night", world.now)
    world.settle()
    assert world.record.holds == (hold,)
    assert "the night" in world.record.message


def test_a_stop_ends_the_reload_in_progress_at_once():
    world = settled()
    world.command(reload(ONE))
    world.command(stop())
    assert (world.record.state, world.record.reload) == (State.STOPPING, None)


def test_a_stop_that_died_before_it_could_say_so_is_in_the_history_with_all_that_names_it():
    world = settled()
    world.command(stop(id="run 7 of 9", reason="the night", correlation_id="corr-7"), crash_before=5)
    world.notification()
    (entry,) = [entry for entry in world.audit if entry.action == "stop"]
    assert (entry.source, entry.event_id, entry.correlation_id) == ("/test", "run 7 of 9", "corr-7")
    assert (entry.actor, entry.reason) == ("oncall", "the night")


def test_a_stop_from_outside_is_in_the_history_without_a_command():
    world = settled()
    world.toggle_outside()
    world.notification()
    (entry,) = [entry for entry in world.audit if entry.action == "stop"]
    assert (entry.source, entry.event_id, entry.correlation_id) == (None, None, None)


def test_a_digest_that_somebody_wrote_since_the_look_is_not_written_over():
    seen = running(annotations={DIGEST_ANNOTATION: ONE})
    operations = digest_patch(seen, TWO).operations
    assert patched({DIGEST_ANNOTATION: ONE}, operations)[DIGEST_ANNOTATION] == TWO
    with pytest.raises(AssertionError, match="artifact-digest"):
        patched({DIGEST_ANNOTATION: THREE}, operations)


def test_a_bucket_that_only_a_secret_names_is_unknown_of_a_model_first_seen_and_of_one_made_anew():
    seen = running(artifacts=(URI,), bucketless=("scorer",))
    assert decide(None, seen, None, LIMITS).record.artifacts == (URI,)
    known = Record(ref=REF, uid="model-1", artifacts=("s3://ml/scorer",))
    assert decide(known, seen, None, LIMITS).record.artifacts == (URI, "s3://ml/scorer")
    assert decide(known, replace(seen, uid="made-anew"), None, LIMITS).record.artifacts == (URI,)
    assert decide(known, replace(seen, bucketless=(ANY_PATH,)), None, LIMITS).record.artifacts == (
        URI,
        "s3://ml/scorer",
    )
    assert decide(known, replace(seen, bucketless=("other",)), None, LIMITS).record.artifacts == (URI,)


def test_a_start_that_is_withdrawn_by_a_stop_shows_whose_stop_it_is():
    world = settled()
    world.pods = [a_pod(grace=60)]
    world.command(stop())
    world.command(start(queue=True))
    assert world.record.queued
    world.command(stop(id="again", actor="somebody"))
    assert (world.record.queued, [hold.actor for hold in world.record.holds]) == (False, ["oncall"])


def test_a_start_after_a_stop_from_outside_that_died_before_its_patch_is_done_when_it_comes_again():
    world = settled()
    world.toggle_outside()
    world.settle()
    world.command(start(by_event=True), crash_before=4)
    assert world.stop_wanted
    assert world.command(start(by_event=True)).changed
    assert (world.stop_wanted, world.record.state) == (False, State.STARTING)
