"""Reading Broker and Triggers: the repository's own, every filter dialect, and clear words for what can't be used."""

from pathlib import Path

import pytest
import yaml
from broker_process import broker, trigger

from functions.local.broker.filters import Unsupported, compile_filters
from functions.local.broker.manifests import ManifestError, load
from functions.local.broker.policy import Policy, read_period, read_policy

FUNCTIONS = {
    name: f"http://{name}.test" for name in ("command", "artifact-written", "pod-status", "tick", "dead-letter")
}
EVENT = {"type": "a.b.c", "source": "/s", "subject": "x", "id": "1"}


def test_the_repositorys_own_manifests_are_read():
    (found,) = load([Path(__file__).parents[2] / "knative/base"], FUNCTIONS, "secret-of-this-run")
    assert found.path == "/modelswitch/modelswitch"
    triggers = {trigger.name: trigger for trigger in found.triggers}
    assert triggers.keys() == FUNCTIONS.keys() - {"dead-letter"} | {"unknown-type"}
    for verb in ("stop", "start", "reload"):
        assert triggers["command"].matches({"type": f"dev.modelswitch.model.{verb}-requested.v1"})
    assert not triggers["command"].matches({"type": "dev.modelswitch.model.stopped.v1"})
    assert [name for name, trigger in triggers.items() if trigger.ordered] == ["command"]
    known = {name: f"{url}/?delivery=secret-of-this-run" for name, url in FUNCTIONS.items()}
    known["unknown-type"] = known["dead-letter"]
    assert {name: trigger.subscriber for name, trigger in triggers.items()} == {name: known[name] for name in triggers}
    lettered = {name for name, trigger in triggers.items() if trigger.dead_letter}
    assert lettered == {"command", "artifact-written"}
    assert {triggers[name].dead_letter for name in lettered} == {known["dead-letter"]}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], True),
        ([{"exact": {"type": "a.b.c", "source": "/s"}}], True),
        ([{"exact": {"type": "a.b.c", "source": "/other"}}], False),
        ([{"exact": {"absent": "x"}}], False),
        ([{"prefix": {"type": "a."}}], True),
        ([{"prefix": {"type": "b."}}], False),
        ([{"suffix": {"type": ".c"}}], True),
        ([{"suffix": {"type": ".a"}}], False),
        ([{"all": [{"prefix": {"type": "a"}}, {"suffix": {"type": "c"}}]}], True),
        ([{"all": [{"prefix": {"type": "a"}}, {"suffix": {"type": "x"}}]}], False),
        ([{"any": [{"exact": {"type": "x"}}, {"suffix": {"type": "c"}}]}], True),
        ([{"any": [{"exact": {"type": "x"}}, {"suffix": {"type": "x"}}]}], False),
        ([{"not": {"exact": {"type": "x"}}}], True),
        ([{"not": {"exact": {"type": "a.b.c"}}}], False),
        ([{"exact": {"type": "a.b.c"}}, {"exact": {"id": "2"}}], False),
    ],
)
def test_filters_decide_as_knatives(filters, expected):
    assert compile_filters({"filters": filters})(EVENT) is expected


def test_the_older_filter_matches_exactly_and_empty_means_present():
    matches = compile_filters({"filter": {"attributes": {"type": "a.b.c", "subject": ""}}})
    assert matches(EVENT)
    assert not matches({"type": "a.b.c"})


@pytest.mark.parametrize("item", [{"cesql": "type = 'x'"}, {"exact": {}}, {"exact": {"a": "b"}, "prefix": {}}, "x"])
def test_a_filter_that_can_not_be_evaluated_is_refused(item):
    with pytest.raises(Unsupported):
        compile_filters({"filters": [item]})


@pytest.mark.parametrize(
    ("text", "seconds"), [("PT0.2S", 0.2), ("PT12S", 12), ("PT1M30S", 90), ("P1DT1H", 90000), ("PT0S", 0)]
)
def test_periods_are_iso_8601(text, seconds):
    assert read_period(text) == seconds


@pytest.mark.parametrize("text", ["", "P", "PT", "5s", "PTS"])
def test_what_is_no_period_is_refused(text):
    with pytest.raises(ValueError, match="ISO 8601"):
        read_period(text)


def test_waits_grow_as_knatives_do_and_retry_after_only_lengthens_them():
    exponential = Policy(delay=0.2)
    assert [exponential.wait(failed) for failed in (1, 2, 3)] == [0.2, 0.4, 0.8]
    assert [Policy(backoff="linear", delay=1).wait(failed) for failed in (1, 2, 3)] == [0, 1, 2]
    assert exponential.wait(1, retry_after=3) == 3
    assert exponential.wait(1, retry_after=0.1) == 0.2
    assert Policy(retry_after_max=1).wait(1, retry_after=30) == 1
    assert read_policy({"timeout": "PT12S"}) == Policy(retries=0, timeout=12)


@pytest.mark.parametrize(
    ("objects", "says"),
    [
        ([], "no Broker"),
        ([broker(), trigger("t", to="unknown")], "--subscriber unknown="),
        ([broker(), trigger("t", filters=[{"cesql": "x"}])], "Trigger t: filter dialect 'cesql'"),
        ([broker(), trigger("t", delivery={"timeout": "5s"})], "Trigger t: '5s' is no ISO 8601"),
        ([broker(), trigger("t", delivery={"backoffPolicy": "random"})], "exponential or linear"),
    ],
)
def test_a_manifest_that_can_not_be_used_is_named_with_the_way_out(tmp_path, objects, says):
    (tmp_path / "m.yaml").write_text(yaml.safe_dump_all(objects))
    with pytest.raises(ManifestError, match=says):
        load([tmp_path], {"t": "http://127.0.0.1:1"})
