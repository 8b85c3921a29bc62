"""What pages are made from, without a page: views in URLs, timelines, expected starts, bars, words."""

from datetime import UTC, datetime, timedelta

import pytest

from events.model import Kind, ModelRef
from events.status import State
from functions.adapters.kserve.model import Model
from functions.api.overview import Line
from functions.api.pages.audit import again_of
from functions.api.pages.chart import bar_of
from functions.api.pages.graphs import members
from functions.api.pages.history import failures_of, starts_of, timeline
from functions.api.pages.kserve_word import differs, word_of
from functions.api.pages.view import View
from functions.api.pages.wording import duration, memory, plural
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


@pytest.mark.parametrize(
    ("given", "verb"),
    [
        ({"action": "stop", "code": "NotFound", "event_id": "e", "ref": REF}, "stop"),
        ({"action": "stop", "code": "NotFound", "event_id": None, "ref": REF}, None),
        ({"action": "stop", "code": None, "event_id": "e", "ref": REF}, None),
        ({"action": "stop", "code": "Malformed", "event_id": "e", "ref": None}, None),
        (
            {
                "action": "dead-letter",
                "code": "500",
                "event_id": "e",
                "ref": REF,
                "message": "dev.modelswitch.model.start-requested.v1 could not be delivered to start",
            },
            "start",
        ),
        (
            {
                "action": "dead-letter",
                "code": "500",
                "event_id": "e",
                "ref": REF,
                "message": "dev.knative.apiserver.resource.update could not be delivered to pod-status",
            },
            None,
        ),
    ],
)
def test_only_what_is_known_well_enough_can_be_sent_again(given, verb):
    again = again_of(AuditEntry(time=NOW, actor="pipeline", **given))
    assert (again.verb if again else None) == verb


def test_bars_share_one_scale():
    bar = bar_of(held=2, waiting=1, freed=1, allowed=3, most=8)
    assert [(part.name, part.x, part.width) for part in bar.parts] == [
        ("held", 0, 250),
        ("waiting", 250, 125),
        ("freed", 375, 125),
    ]
    assert bar.mark == 375
    assert bar_of(0, 0, 0, None, 0) == bar_of(0, 0, 0, None, 5)


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
    assert members({"spec": {"nodes": nodes}}) == {"a", "b"}
    assert members({}) == set()


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
