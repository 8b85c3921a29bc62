"""What a look makes known to others: events with who, why, figures and an id that a repeat shares; and the history."""

import pytest
from builders import LIMITS, NOW, REF, a_pod, a_stop_note, later, running, stop, stop_set, terminating
from world import World

from events.facts import ModelFailed, ModelStarted, ModelStarting, ModelStopped, ModelStopping
from events.model import Kind, ModelRef
from events.status import Hold, HoldKind
from functions.lifecycle.decide import decide
from functions.lifecycle.effects import AuditEntry
from functions.lifecycle.observation import Answer, Trouble
from functions.lifecycle.observe import observe, publish
from functions.lifecycle.record import Intent, Run

RAN = observe(None, running(), LIMITS).record
HOLD = Hold(kind=HoldKind.USER, actor="oncall", reason="drift", since=NOW)
OURS = a_stop_note(holds=(HOLD,), correlation_id="corr-1", grace=5)
STARTED = ModelStarted(actor="pipeline")
RUN = Run(since=NOW, actor="pipeline", reason="retrained", key="/test start-1", correlation_id="corr-1")


def unready(**changes):
    return running(a_pod(ready=False), **{"ready": Answer.FALSE, "observed_at": later(5), **changes})


def events(record, seen, planned=None):
    return observe(record, seen, LIMITS, planned).events


def history(record, seen):
    entries = observe(record, seen, LIMITS).audit
    assert all((entry.time, entry.ref) == (seen.observed_at, REF) for entry in entries)
    return [(entry.action, entry.actor, entry.state, entry.previous, entry.changed) for entry in entries]


def test_the_id_of_a_fact_comes_from_what_caused_it_and_not_from_when_it_was_seen():
    def identity(event=STARTED, run=RUN, ref=REF, time=NOW, **more):
        return publish(ref, event, run, time, **more).id

    others = [
        identity(ModelStarting(actor="pipeline")),
        identity(run=RUN.model_copy(update={"key": "/test start-2"})),
        identity(ref=ModelRef(namespace="fraud", name="other")),
        identity(ref=ModelRef(namespace="fraud", name="scorer", kind=Kind.INFERENCE_GRAPH)),
        identity(discriminator="12"),
    ]
    assert identity() == identity(time=later(9), run=RUN.model_copy(update={"since": later(3)}))
    assert len({identity(), *others}) == 6


def test_the_id_of_a_fact_is_the_same_in_every_release_or_an_upgrade_would_publish_it_twice():
    assert publish(REF, STARTED, RUN, NOW).id == "25955dc4-70f0-5dc6-9592-9caa38ceebd6"


def test_a_fact_carries_its_model_its_time_and_the_request_that_began_it():
    published = publish(REF, STARTED, RUN, later(3))
    assert (published.ref, published.event, published.time, published.correlation_id) == (
        REF,
        STARTED,
        later(3),
        "corr-1",
    )


def test_a_stop_of_ours_that_was_only_seen_is_published_with_all_it_says_of_itself():
    (published,) = events(RAN, stop_set(terminating(a_pod()), stop_note=OURS))
    assert published.event == ModelStopping(actor="oncall", reason="drift", pods=1, grace="5s")
    assert (published.time, published.correlation_id) == (later(1), "corr-1")


def test_a_stop_without_a_grace_of_its_own_says_none():
    (published,) = events(RAN, stop_set(a_pod(), a_pod("b"), stop_actor="kubectl"))
    assert published.event == ModelStopping(actor="external:kubectl", pods=2)


def test_stopped_is_published_with_who_why_and_the_receipt():
    draining = observe(RAN, stop_set(terminating(a_pod()), stop_note=OURS), LIMITS).record
    looked = observe(draining, stop_set(stop_note=OURS, observed_at=later(4)), LIMITS)
    (published,) = looked.events
    assert published.event == ModelStopped(actor="oncall", reason="drift", receipt=looked.record.receipt)
    assert (published.time, published.correlation_id) == (later(4), "corr-1")


def test_the_end_of_one_stop_is_one_event_whichever_look_sees_it():
    draining = observe(RAN, stop_set(terminating(a_pod()), stop_note=OURS), LIMITS).record
    ids = {
        events(draining, stop_set(stop_note=OURS, version=version, observed_at=later(version)))[0].id
        for version in (21, 22)
    }
    assert len(ids) == 1


def test_what_a_command_published_and_what_a_look_found_of_it_are_one_event():
    asked = decide(RAN, running(), stop(), LIMITS)
    seen = stop_set(terminating(a_pod()), stop_note=a_stop_note())
    assert asked.record.stop.key == "/test stop-1"
    assert [event.id for event in events(RAN, seen)] == [event.id for event in asked.events]
    ended = events(asked.record, stop_set(stop_note=a_stop_note()))
    assert [event.id for event in ended] == [publish(REF, ended[0].event, asked.record.stop, NOW).id]


def test_a_stop_that_ended_twice_between_two_looks_is_two_events():
    ended = observe(RAN, stop_set(stop_note=OURS), LIMITS).record
    revived = observe(ended, stop_set(a_pod("b"), stop_note=OURS, version=21, observed_at=later(5)), LIMITS).record
    again = events(revived, stop_set(stop_note=OURS, version=22, observed_at=later(6)))
    more = observe(ended, stop_set(a_pod("b"), stop_note=OURS, version=23, observed_at=later(7)), LIMITS).record
    third = events(more, stop_set(stop_note=OURS, version=24, observed_at=later(8)))
    first = events(RAN, stop_set(stop_note=OURS))
    ids = [published.id for published in (first[-1], again[-1], third[-1])]
    assert len(set(ids)) == 3


def test_a_stop_that_ended_in_the_moment_it_began_has_ended_all_the_same():
    ended = observe(RAN, stop_set(stop_note=OURS, observed_at=NOW), LIMITS)
    revived = observe(ended.record, stop_set(a_pod("b"), stop_note=OURS, version=21), LIMITS).record
    again = events(revived, stop_set(stop_note=OURS, version=22, observed_at=later(6)))
    assert ended.events[-1].id != again[-1].id


def test_a_stop_that_begins_is_not_said_to_have_ended_because_one_before_it_has():
    ended = observe(RAN, stop_set(stop_note=OURS), LIMITS).record
    ran = observe(ended, running(version=30, observed_at=later(10)), LIMITS).record
    assert ran.receipt
    second = a_stop_note(command="stop-2", since=later(20))
    begun = events(ran, stop_set(terminating(a_pod()), stop_note=second, version=40, observed_at=later(20)))
    assert [type(published.event) for published in begun] == [ModelStopping]


def test_a_start_of_somebody_else_is_published_as_theirs():
    stopped = observe(RAN, stop_set(stop_note=OURS), LIMITS).record
    starting = observe(stopped, unready(stop_actor="kubectl", version=30), LIMITS)
    (published,) = starting.events
    assert published.event == ModelStarting(actor="external:kubectl")
    assert starting.record.start == Run(since=later(5), actor="external:kubectl", key="external model-1 30", ours=False)
    assert observe(stopped, unready(), LIMITS).record.start.actor == "external:unknown"


def test_started_is_published_with_who_why_and_the_seconds_since_the_start():
    starting = observe(None, unready(), LIMITS).record.model_copy(update={"start": RUN})
    (published,) = events(starting, running(observed_at=later(7.123456)))
    assert published.event == ModelStarted(actor="pipeline", reason="retrained", seconds=7.123)
    assert (published.time, published.correlation_id) == (later(7.123456), "corr-1")


def test_a_model_that_heals_by_itself_is_published_once_for_each_time():
    ids = set()
    for version in (11, 12):
        broken = observe(RAN, unready(trouble=Trouble("NewToUs", "broken")), LIMITS).record
        (published,) = events(broken, running(version=version, observed_at=later(9)))
        assert published.event == ModelStarted(actor="modelswitch")
        ids.add(published.id)
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("record", "seen", "actor", "during"),
    [
        (RAN, unready(trouble=Trouble("NewToUs", "broken")), "modelswitch", "run"),
        (
            observe(None, unready(), LIMITS).record.model_copy(update={"start": RUN}),
            unready(trouble=Trouble("NewToUs", "broken")),
            "pipeline",
            "start",
        ),
        (
            observe(RAN, stop_set(terminating(a_pod()), stop_note=OURS), LIMITS).record,
            stop_set(terminating(a_pod()), stop_note=OURS, observed_at=later(99)),
            "oncall",
            "stop",
        ),
    ],
)
def test_a_failure_says_whose_command_it_met_and_during_what(record, seen, actor, during):
    (published,) = events(record, seen)
    assert (published.event.actor, published.event.during) == (actor, during)


@pytest.mark.parametrize(
    ("trouble", "code", "message", "next_action"),
    [
        (
            Trouble("ModelLoadFailed", "no such file"),
            "ModelLoadFailed",
            "no such file",
            "Check the artifact at storageUri; the predictor's log says more.",
        ),
        (
            Trouble("", ""),
            "Unknown",
            "The model is in error.",
            "Look at the model's pods and at what KServe says in the resource's status.",
        ),
    ],
)
def test_a_failure_says_what_happened_and_what_to_do_also_where_kserve_says_nothing(
    trouble, code, message, next_action
):
    (published,) = events(RAN, unready(trouble=trouble))
    assert published.event == ModelFailed(
        actor="modelswitch", code=code, message=message, next_action=next_action, during="run"
    )


def test_each_failure_is_an_event_of_its_own():
    ids = {
        events(RAN, unready(trouble=Trouble(reason, "broken"), observed_at=later(seconds)))[0].id
        for reason, seconds in (("A", 5), ("B", 5), ("A", 6))
    }
    assert len(ids) == 3


def test_the_history_of_a_model_tells_each_change_of_state_with_the_one_before():
    assert history(None, running()) == [("adopted", "modelswitch", "running", None, False)]
    assert history(RAN, running(observed_at=later(5))) == []
    assert history(RAN, unready()) == [("state", "modelswitch", "starting", "running", False)]
    draining = stop_set(terminating(a_pod()), stop_actor="kubectl")
    assert history(RAN, draining) == [
        ("stop", "external:kubectl", "stopping", None, True),
        ("state", "external:kubectl", "stopping", "running", False),
    ]
    stopped = observe(RAN, stop_set(stop_note=OURS), LIMITS).record
    assert history(stopped, unready(stop_actor="kubectl")) == [
        ("start", "external:kubectl", "starting", None, True),
        ("state", "external:kubectl", "starting", "stopped", False),
    ]
    assert history(None, stop_set(stop_note=OURS)) == [("adopted", "oncall", "stopped", None, False)]


def test_another_reason_for_the_same_state_is_kept_in_the_history_with_its_message():
    starting = observe(RAN, unready(), LIMITS).record
    (entry,) = observe(starting, running(pods=(), ready=Answer.FALSE, observed_at=later(6)), LIMITS).audit
    assert entry == AuditEntry(
        time=later(6),
        ref=REF,
        action="state",
        actor="modelswitch",
        state="starting",
        previous="starting",
        reason="AwaitingPods",
        message="KServe has not made the pods yet.",
    )


def test_a_start_that_died_is_its_sender_s_for_a_minute_and_no_longer():
    stopped = observe(RAN, stop_set(stop_note=OURS), LIMITS).record
    planned = Intent(verb="start", at=NOW, run=RUN)
    for seconds, actor in ((59, "pipeline"), (60, "external:kubectl")):
        seen = unready(observed_at=later(seconds), stop_actor="kubectl")
        assert events(stopped, seen, planned)[0].event.actor == actor
    by_stop = Intent(verb="stop", at=NOW, run=RUN)
    assert events(stopped, unready(stop_actor="kubectl"), by_stop)[0].event.actor == "external:kubectl"


def test_the_history_names_a_command_whose_own_commit_never_came():
    world = World()
    world.notification()
    world.command(stop(id="s-1", reason="drift"), crash_before=5)
    assert world.patches == ["stop"]
    world.notification()
    (entry,) = [entry for entry in world.audit if entry.action == "stop"]
    assert (entry.actor, entry.source, entry.event_id, entry.reason) == ("oncall", "/test", "s-1", "drift")
