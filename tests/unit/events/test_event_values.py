"""Durations, server-sent events, and a model's state in words."""

import re
from datetime import UTC, datetime

import pytest
from event_strategies import names, receipts
from hypothesis import assume, given
from hypothesis import strategies as st

from events.cli.sse import ServerSent, parse
from events.cli.words import receipt_phrase, sentence
from events.duration import DURATION_SCHEMA, format_duration, parse_duration
from events.model import Kind, ModelRef
from events.status import Endpoints, ModelStatus, Receipt, Resources, State


@given(st.floats(0, 1e9))
def test_a_duration_survives_being_written(seconds):
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *[("30s", 30), ("1m30s", 90), ("2h", 7200), ("500ms", 0.5), ("45", 45), (7, 7), ("1.5m", 90), (" 30s ", 30)],
        *[("1d", 86400), ("1w", 604800), ("90 s", 90), ("1h 30m", 5400), ("1 h 30 min", 5400), (".5h", 1800)],
        *[("5 min", 300), ("1 minute", 60), ("2 hours", 7200), ("3 days", 259200), ("1w2d", 777600), ("10sec", 10)],
        *[("PT30S", 30), ("PT1M30S", 90), ("P1D", 86400), ("P1W", 604800), ("P1DT12H", 129600), ("PT0.5S", 0.5)],
        *[("PT0,5S", 0.5), ("PT36H", 129600)],
    ],
)
def test_durations_are_read_as_people_kubernetes_go_and_iso_8601_write_them(text, seconds):
    assert parse_duration(text) == seconds


NO_DURATIONS = ["", "soon", "-5s", "5x", "1h extra", True, None, [], 10**400, "٣s", "9" * 400, "9" * 400 + "w", "1 0s"]
NO_DURATIONS += [
    "P",
    "PT",
    "P1Y",
    "P1M",
    "P1DT",
    "PT30",
    "P30S",
    "PT1S1M",
    "5  s",
    "1M",
    "1m\n30s",
    "s",
    "1,5h",
    "nan",
    float("nan"),
]


@pytest.mark.parametrize("text", NO_DURATIONS)
def test_what_is_no_duration_is_said(text):
    with pytest.raises(ValueError, match="write it like 30s"):
        parse_duration(text)


@given(st.from_regex(re.compile(DURATION_SCHEMA["anyOf"][0]["pattern"], re.ASCII), fullmatch=True))
def test_what_the_schema_allows_is_read(text):
    assume(len(text) < 10)
    assert parse_duration(text) >= 0


def test_a_duration_is_written_short():
    assert [format_duration(value) for value in (30.0, 0.5, 3600, 1234.5678)] == ["30s", "0.5s", "3600s", "1234.5678s"]


@given(names, names, st.sampled_from(Kind))
def test_a_subject_is_read_back(namespace, name, kind):
    ref = ModelRef(namespace=namespace, name=name, kind=kind)
    assert ModelRef.from_subject(ref.subject) == ref


def test_server_sent_events_are_read_with_heartbeats_and_a_cut():
    lines = [
        ": hello",
        "retry: 1500",
        "",
        "event: model",
        "id: 7",
        "data: {",
        "data: }",
        "",
        "data:x",
        "",
        "event: cut",
    ]
    assert list(parse(lines)) == [ServerSent("model", "{\n}", "7", 1.5), ServerSent("message", "x", "7", 1.5)]


def status(state, **fields):
    return ModelStatus(
        **{
            "name": "scorer",
            "namespace": "fraud",
            "kind": Kind.INFERENCE_SERVICE,
            "state": state,
            "desired": "running",
            "resource_allocation": Resources(gpus=1, memory="8Gi"),
            "endpoints": Endpoints(),
            "observed_at": datetime(2026, 1, 31, tzinfo=UTC),
            **fields,
        }
    )


def test_states_in_words():
    assert sentence(status(State.RUNNING)) == "fraud/scorer: running (1 GPU, 8Gi)"
    assert sentence(status(State.RUNNING, reason="ScaledToZero")) == "fraud/scorer: running (1 GPU, 8Gi), ScaledToZero"
    assert sentence(status(State.STOPPING, queued=True)) == (
        "fraud/scorer: stopping (1 GPU, 8Gi); a start waits for the last pod…"
    )
    assert sentence(status(State.STARTING, message="waits for a GPU")) == (
        "fraud/scorer: starting (1 GPU, 8Gi): waits for a GPU…"
    )
    assert sentence(status(State.ERROR, reason="QuotaExceeded", message="no GPU left")) == (
        "fraud/scorer: error: QuotaExceeded - no GPU left"
    )
    assert sentence(status(State.STOPPED)) == "fraud/scorer: stopped"


@given(receipts)
def test_a_receipt_in_words_never_hides_what_is_unknown(receipt: Receipt):
    words = receipt_phrase(receipt)
    assert words.startswith("at least") is not receipt.complete
    assert ("freed in" in words) is (receipt.seconds is not None)
    assert ("GPU" in words) is (receipt.gpus > 0)
