"""What pages are made from, without a page: views in URLs, timelines, expected starts, bars, words."""

from datetime import UTC, datetime, timedelta

import pytest

from events.model import Kind, ModelRef
from events.status import State
from functions.adapters.kserve.graph import members_of
from functions.adapters.kserve.model import Model
from functions.api.overview import Earlier, Freed, Line
from functions.api.pages.again import again_of
from functions.api.pages.chart import bar_of
from functions.api.pages.history import failures_of, starts_of, timeline, title_of
from functions.api.pages.kserve_word import differs, word_of
from functions.api.pages.view import View
from functions.api.pages.wording import duration, memory, plural
from functions.api.saving import Saving, by_model, saving_of, together
from functions.lifecycle.dead_letter import DeadLetter
from functions.lifecycle.effects import AuditEntry

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
REF = ModelRef(namespace="ml", name="iris")


def line(name="iris", namespace="ml", state=State.RUNNING, gpus=0, **given):
    ref = ModelRef(namespace=namespace, name=name)
    values = {"reason": None, "memory": 0, "since": NOW, "found": f"{name} {namespace}", "freed": None, **given}
    return Line(ref=ref, state=state, gpus=gpus, **values)


def entry(action, seconds, **given):
    return AuditEntry(time=NOW + timedelta(seconds=seconds), ref=REF, action=action, actor="operator", **given)


def test_a_view_goes_through_its_url_unchanged():
    view = View.of(
        {"state": "error", "namespace": "ml", "q": "a b", "sort": "-gpus", "group": "namespace", "page": "3"}
    )
    assert view.url(page=3) == "/?state=error&namespace=ml&q=a+b&sort=-gpus&group=namespace&page=3"
    assert View().url() == "/"
    assert "page" not in view.url(state="")


@pytest.mark.parametrize(
    "given", [{"page": "-1"}, {"page": "9" * 30}, {"sort": "nonsense"}, {"state": "x"}, {"kind": "x"}]
)
def test_what_a_url_says_wrong_counts_as_not_said(given):
    assert View.of(given) == View()


def test_every_word_of_a_search_must_be_found():
    assert View(q="IRI ml").fits(line())
    assert not View(q="iris other").fits(line())


def test_orders_are_stable_and_groups_keep_namespaces_together():
    lines = [line("b", "x", gpus=1), line("a", "y", gpus=2), line("c", "x", State.ERROR)]
    by = lambda **view: [one.ref.name for one in View(**view).ordered(lines)]  # noqa: E731
    assert by() == ["a", "b", "c"]
    assert by(sort="-name") == ["c", "b", "a"]
    assert by(sort="gpus") == ["a", "b", "c"]
    assert by(sort="state")[0] == "c"
    assert by(sort="gpus", group="namespace") == ["b", "c", "a"]


def test_a_timeline_says_how_long_each_state_took():
    entries = [
        entry("state", 12, state="stopped", previous="stopping"),
        entry("stop", 10, state="stopping", changed=True, event_id="e1"),
        entry("stop", 5, state="running", code="CanaryInProgress", message="no"),
        entry("adopted", 0, state="running"),
    ]
    steps = timeline(entries)
    assert [step.title for step in steps] == ["Now stopped", "Stop accepted", "Stop refused", "First seen: running"]
    assert steps[0].took == 2
    assert steps[2].bad


def test_an_artifact_that_was_written_is_news_and_not_a_command_that_did_nothing():
    assert title_of(entry("artifact-written", 0)) == "An artifact was written"
    assert title_of(entry("artifact-written", 0, code="Expired")) == "News of an artifact refused"


def test_a_timeline_times_the_steps_of_a_reload():
    entries = [
        entry("reload-failed", 100, state="running"),
        entry("reload", 60, state="running", changed=True),
        entry("reloaded", 20, state="running", message="sha256:1 answers after 18.5s."),
        entry("state", 9, state="running", previous="running"),
        entry("reload-pods", 4.5, state="running"),
        entry("reload", 2, state="running", changed=True, event_id="e1"),
        entry("reload", 1, state="running", code="NotItsArtifact"),
    ]
    steps = timeline(entries)
    assert [(step.title, step.took, step.in_all) for step in steps] == [
        ("Not loaded", 40, 40),
        ("Reload accepted", None, None),
        ("Reloaded", 15.5, 18),
        ("Still running", None, None),
        ("New pods are made", 2.5, None),
        ("Reload accepted", None, None),
        ("Reload refused", None, None),
    ]
    assert [step.bad for step in steps] == [True, False, False, False, False, False, True]
    assert timeline(entries[2:5])[0].in_all is None, "where its beginning is not known"


def test_the_next_start_is_expected_to_take_the_median():
    entries = []
    for start, took in ((0, 10), (100, 30), (200, 20)):
        entries = [
            entry("state", start + took, state="running", previous="starting"),
            entry("start", start, state="starting", changed=True),
            *entries,
        ]
    assert starts_of(entries).seconds == (20, 30, 10)
    assert starts_of(entries).expected == 20
    assert starts_of([]).expected is None
    given_up = [entry("state", 9, state="running"), entry("stop", 5, changed=True), entry("start", 0, changed=True)]
    assert starts_of(given_up).seconds == ()


def test_each_kind_of_error_is_told_once_with_what_to_do():
    failing = [entry("state", second, state="error", reason="Unschedulable", message="no GPU") for second in (9, 5)]
    [failure] = failures_of(failing)
    assert (failure.times, failure.time) == (2, NOW + timedelta(seconds=9))
    assert "starts by itself" in failure.next_action


def stop_letter(**data):
    return DeadLetter("dev.modelswitch.model.stop-requested.v1", REF.subject, data, 10)


def dead(**given):
    values = {"action": "dead-letter", "code": "503", "event_id": "e1", "correlation_id": "c1", "letter": "1-0"}
    return entry(values.pop("action"), 0, **{**values, **given})


@pytest.mark.parametrize(
    ("given", "verb"),
    [
        ({"code": "NotFound", "event_id": "e"}, "stop"),
        ({"code": "NotFound", "event_id": None}, None),
        ({"code": None, "event_id": "e"}, None),
        ({"code": "NotFound", "event_id": "e", "letter": "1-0"}, None),
    ],
)
def test_of_a_refused_command_only_its_reason_is_known(given, verb):
    again = again_of(entry("stop", 0, reason="night", **given), None)
    assert (
        (again.verb, again.command, again.whole) == (verb, {"reason": "night"}, False) if verb else str(again) == again
    )


def test_a_dead_stop_is_sent_again_with_all_that_it_carried_and_its_correlation_id():
    again = again_of(dead(), stop_letter(timeout="90s", reason="night", actor="pipeline"))
    assert (again.verb, again.correlation, again.whole) == ("stop", "c1", True)
    assert again.command == {"timeout": "90s", "reason": "night"}


def test_any_other_event_that_somebody_wants_is_sent_as_it_is():
    artifact = {"uri": "s3://models/iris", "digest": f"sha256:{'0' * 64}", "size": 1}
    reload = DeadLetter("dev.modelswitch.model.reload-requested.v1", REF.subject, {"artifact": artifact}, 10)
    written = DeadLetter("dev.modelswitch.artifact.written.v1", None, artifact, 10)
    assert [again_of(dead(), letter).verb for letter in (reload, written)] == [None, None]


@pytest.mark.parametrize(
    ("letter", "why"),
    [
        (stop_letter(force=True), "would be refused again"),
        (DeadLetter("dev.modelswitch.model.stop-requested.v1", "nobody", {}, 2), "would be refused again"),
        (DeadLetter("dev.modelswitch.model.stop-requested.v1", REF.subject, None, 20_000), "larger than 16 KiB"),
        (DeadLetter("dev.knative.apiserver.resource.update", "/apis/v1/pods/x", None, 900), "only a notification"),
        (DeadLetter("dev.modelswitch.model.stopped.v1", REF.subject, {}, 2), "what was true then"),
        (None, "kept no longer"),
    ],
)
def test_what_cannot_be_sent_again_says_why(letter, why):
    assert why in again_of(dead(), letter)


def test_letters_keep_data_up_to_a_size_and_nothing_of_notifications():
    attributes = {"type": "dev.modelswitch.model.stop-requested.v1", "subject": REF.subject}
    assert DeadLetter.of(attributes, {"reason": "x" * 16_370}).data is not None
    big = DeadLetter.of(attributes, {"reason": "x" * 16_384})
    assert (big.data, big.size) == (None, 16_397)
    assert "16,397 bytes" in big.why_not_kept
    assert DeadLetter.of({"type": "dev.knative.apiserver.resource.add"}, {"spec": {}}).data is None
    raw = DeadLetter.of(attributes, b"raw")
    assert (raw.why_not_kept, raw.beginning) == ("Its body (3 bytes) could not be read.", "raw")
    assert (DeadLetter.of(attributes, None).ref, DeadLetter.of({"type": "t", "subject": "x"}, None).ref) == (REF, None)


def test_bars_share_one_scale():
    bar = bar_of(held=2, waiting=1, freed=1, allowed=3, most=8)
    assert [(part.name, part.x, part.width) for part in bar.parts] == [
        ("held", 0, 250),
        ("waiting", 250, 125),
        ("freed", 375, 125),
    ]
    assert bar.mark == 375
    assert bar_of(0, 0, 0, None, 0) == bar_of(0, 0, 0, None, 5)


def test_hours_saved_are_those_of_stops_that_ended_and_of_those_that_go_on():
    earlier = Earlier(gpu_seconds=7200, memory_byte_seconds=2**30 * 3600, stops=3, since=NOW - timedelta(days=2))
    freed = Freed(gpus=2, memory=2**30, since=NOW - timedelta(hours=5))
    running, stopped, both, none = (
        line(name, earlier=before, freed=now)
        for name, before, now in (("a", earlier, None), ("b", None, freed), ("c", earlier, freed), ("d", None, None))
    )
    assert saving_of(running, NOW) == Saving(2, 0, 1, stops=3, now=0, since=earlier.since)
    assert saving_of(stopped, NOW) == Saving(10, 10, 5, stops=1, now=1, since=freed.since)
    assert saving_of(both, NOW) == Saving(12, 10, 6, stops=4, now=1, since=earlier.since)
    assert together(saving_of(one, NOW) for one in (running, stopped, none)) == Saving(
        12, 10, 6, stops=4, now=1, since=earlier.since
    )
    assert [ref.name for ref, _ in by_model([none, running, stopped], NOW)] == ["b", "a"]


def said(**conditions):
    listed = [{"type": kind, "status": status} for kind, status in conditions.items()]
    return word_of(Model(Kind.INFERENCE_SERVICE, {"metadata": {}, "status": {"conditions": listed}}))


def test_kserves_word_differs_where_it_would_mislead():
    assert said(Ready="True", Stopped="False") == "Ready"
    assert said(Ready="False", Stopped="True") == "Stopped"
    assert said() == "Unknown"
    assert differs(State.STOPPING, "Stopped")
    assert differs(State.ERROR, "Ready")
    assert not differs(State.STARTING, "NotReady")
    assert not differs(State.RUNNING, "Ready")


def test_a_graphs_members_are_found_in_every_node():
    nodes = {
        "root": {"steps": [{"serviceName": "a"}, {"nodeName": "more"}]},
        "more": {"steps": [{"serviceName": "b"}]},
    }
    metadata = {"name": "g", "namespace": "blue"}
    graph = Model(Kind.INFERENCE_GRAPH, {"metadata": metadata, "spec": {"nodes": nodes}})
    assert [member.name for member in members_of(graph)] == ["a", "b"]
    assert members_of(Model(Kind.INFERENCE_GRAPH, {"metadata": metadata})) == ()


def test_amounts_are_said_as_people_say_them():
    assert [duration(one) for one in (0.84, 42, 185, 7800, 273_600, None)] == [
        "0.8 s",
        "42 s",
        "3 min 5 s",
        "2 h 10 min",
        "3 d 4 h",
        "unknown",
    ]
    assert (memory(0), memory(8 * 2**30), memory(100 * 2**20)) == ("0", "8 GiB", "100 MiB")
    assert (plural(1, "pod"), plural(2, "pod"), plural(1200, "model")) == ("1 pod", "2 pods", "1,200 models")
