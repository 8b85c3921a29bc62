"""Documents of neighbouring versions: what was written before is read, what comes later harms nothing."""

import json

import pytest
from documents import lines, with_unknown_fields

from events.artifact import Strategy
from events.commands import ReloadRequested
from events.status import HoldKind, State
from functions.adapters import serialization
from functions.adapters.stored import SCHEMA, UNREADABLE, Unreadable
from functions.lifecycle.prediction import Outcome

RENAMED = {"canaries": "smoke_tests"}
"""Fields of a record that the version before wrote under another name."""
DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize("text", lines("records"))
def test_a_record_of_the_version_before_is_read_whole_and_written_with_a_number(text):
    record = serialization.load_record(text)
    again = serialization.dump_record(record)
    assert json.loads(again)["schema"] == SCHEMA
    assert serialization.load_record(again) == record
    assert {RENAMED.get(name, name) for name in json.loads(text)} <= set(json.loads(again))


@pytest.mark.parametrize("text", lines("intents"))
def test_an_intent_of_the_version_before_is_read(text):
    again, before = json.loads(serialization.dump_intent(serialization.load_intent(text))), json.loads(text)
    assert again["run"].pop("claimed_actor") is None
    assert again == before


@pytest.mark.parametrize("text", lines("answers"))
def test_an_answer_of_the_version_before_is_given_again(text):
    assert json.loads(serialization.dump_answer(serialization.load_answer(text))) == json.loads(text)


@pytest.mark.parametrize("text", lines("audit"))
def test_an_entry_of_the_version_before_is_read(text):
    values = json.loads(text)
    entry = serialization.load_audit(text)
    assert (entry.actor, entry.action, entry.code) == (values["actor"], values["action"], values.get("code"))
    assert (entry.ref.subject if entry.ref else None) == values.get("ref")
    assert json.loads(serialization.dump_audit(entry)) == values | {"time": values["time"].replace("+00:00", "Z")}


@pytest.mark.parametrize("text", lines("outbox"))
def test_an_event_of_the_version_before_leaves_as_it_was_written(text):
    values, event = json.loads(text), serialization.load_event(text)
    assert (event.id, event.type, event.data, event.ref.subject) == tuple(
        values[name] for name in ("id", "type", "data", "subject")
    )
    assert event.is_command == (values["type"] == ReloadRequested.type)


@pytest.mark.parametrize("text", lines("letters"))
def test_a_dead_letter_of_the_version_before_is_read(text):
    assert serialization.load_letter(text).type == json.loads(text)["type"]


@pytest.mark.parametrize(
    ("kind", "load"), [("records", serialization.load_record), ("intents", serialization.load_intent)]
)
def test_fields_that_do_not_exist_yet_are_passed_over_at_every_depth(kind, load):
    for text in lines(kind):
        later = with_unknown_fields(json.loads(text)) | {"schema": SCHEMA + 1}
        assert "added_later" in json.dumps(later)
        assert load(json.dumps(later)) == load(text)


@pytest.mark.parametrize(
    ("kind", "load"),
    [
        ("audit", serialization.load_audit),
        ("outbox", serialization.load_event),
        ("letters", serialization.load_letter),
        ("answers", serialization.load_answer),
    ],
)
def test_likewise_in_history_outbox_letters_and_answers(kind, load):
    for text in lines(kind):
        later = {**json.loads(text), "schema": SCHEMA + 1, "added_later": {"verified_by": ["oidc"]}}
        assert load(json.dumps(later)) == load(text)


def full(**changes) -> str:
    return json.dumps(json.loads(lines("records")[-1]) | changes)


def test_a_state_a_hold_and_an_outcome_that_do_not_exist_yet_are_kept_as_unknown():
    holds = [{"kind": "schedule", "actor": "policy:weekend", "since": "2026-11-27T20:00:00Z", "window": "weekend"}]
    tries = {"u1": {"of": "x", "outcome": "perhaps", "failures": 2}}
    record = serialization.load_record(full(state="parked", holds=holds, canaries=tries))
    assert record.state is State.UNKNOWN
    assert [(hold.kind, hold.actor) for hold in record.holds] == [(HoldKind.UNKNOWN, "policy:weekend")]
    assert record.smoke_tests["u1"].outcome is Outcome.NOT_ASKED
    assert record.receipt == serialization.load_record(full()).receipt
    assert serialization.load_record(serialization.dump_record(record)) == record


def test_the_smoke_tests_of_the_version_before_are_read_by_their_old_names():
    tries = {"u1": {"of": "x", "outcome": "bad", "failures": 2}}
    record = serialization.load_record(full(state="error", reason="CanaryFailed", canaries=tries))
    assert (record.reason, record.smoke_tests["u1"].failures) == ("SmokeTestFailed", 2)
    entry = json.loads(lines("audit")[0]) | {"code": "CanaryFailed"}
    assert serialization.load_audit(json.dumps(entry)).code == "SmokeTestFailed"


def test_a_strategy_that_does_not_exist_yet_costs_no_more_than_itself():
    reload = json.loads(full())["reload"]
    reload["wanted"]["strategy"] = "blue-green"
    assert serialization.load_record(full(reload=reload)).reload.wanted.strategy is Strategy.ROLLING
    reload["wanted"]["complete"] = "signed"
    record = serialization.load_record(full(reload=reload))
    assert record.reload is None
    assert record.receipt


def test_a_type_of_event_that_does_not_exist_yet_leaves_all_the_same():
    values = json.loads(lines("outbox")[0]) | {"type": "dev.modelswitch.model.parked.v2", "data": {"until": "Monday"}}
    event = serialization.load_event(json.dumps(values))
    assert (event.type, event.data, event.is_command) == ("dev.modelswitch.model.parked.v2", {"until": "Monday"}, False)


def hostile() -> list[str]:
    return [
        "",
        "x",
        "null",
        "[]",
        "7",
        '"text"',
        DEEP,
        '{"a":' * 100_000,
        '{"ref": ' + DEEP + "}",
        full(ref=None),
        full(ref={"namespace": "fraud", "name": "full", "kind": "Unheard"}),
        full(pods=[]),
        full(memory=10**400),
        full(memory="many"),
        full(saved={"since": "2026-11-27T20:00:00Z", "gpu_seconds": float("nan")}),
        full(saved={"since": "2026-11-27T20:00:00Z", "gpu_seconds": float("inf")}),
        full(observed_at="2026-11-27T20:00:00"),
        full(observed_at="9999-12-31T23:59:59Z"),
        full(since=-(10**30)),
        full(message="x" * 2_000_000),
        full()[:-1],
    ]


@pytest.mark.parametrize("text", hostile(), ids=range(len(hostile())))
def test_what_can_t_be_read_counts_as_absent_and_is_counted(text):
    before = UNREADABLE.labels("record")._value.get()
    assert serialization.load_record(text) is None
    assert serialization.load_intent(text) is None
    assert UNREADABLE.labels("record")._value.get() == before + bool(text)
    assert serialization.load_answer(text or "x").status == 202
    for load in (serialization.load_audit, serialization.load_event):
        with pytest.raises(Unreadable):
            load(text)


def test_an_entry_is_1_kib_at_most_whatever_was_given_as_its_reason():
    entry = serialization.load_audit(lines("audit")[0])
    for text in ("r" * 5000, "ü" * 5000, "\ud800" * 1024, "\U0001f600" * 1024, '"' * 5000, "\x01" * 5000):
        longest = serialization.load_audit(
            serialization.dump_audit(
                entry.__class__(
                    **vars(entry) | dict.fromkeys(("reason", "message", "source", "event_id", "actor"), text)
                )
            )
        )
        stored = serialization.dump_audit(longest)
        assert len(stored.encode()) <= 1300
        assert longest.ref == entry.ref
