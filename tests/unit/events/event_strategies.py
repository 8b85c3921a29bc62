"""Hypothesis strategies for everything in the contract."""

import re
from datetime import UTC, datetime

from hypothesis import strategies as st

from events.commands import StartRequested, StopRequested
from events.facts import ModelFailed, ModelStarted, ModelStarting, ModelStopped, ModelStopping
from events.model import Kind, ModelRef
from events.status import PodGrace, Receipt

# Any text that JSON can carry: everything but half surrogate pairs.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
# CloudEvents 1.0, String: no control characters either.
attribute_texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)
# A URI or IRI reference, which a source must be.
sources = attribute_texts.filter(lambda text: not re.search(r"[\s\"<>\\^`{|}]|%(?![0-9A-Fa-f]{2})", text))
# Hypothesis wants bounds without a zone and adds it.
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
refs = st.builds(ModelRef, namespace=names, name=names, kind=st.sampled_from(Kind))
counts = st.integers(0, 1000)
seconds = st.floats(0, 1e6, allow_nan=False)
memory = st.sampled_from(["0Gi", "8Gi", "512Mi"])
receipts = st.builds(
    Receipt,
    pods=counts,
    gpus=counts,
    memory=memory,
    seconds=st.none() | seconds,
    grace=st.lists(
        st.builds(PodGrace, name=names, gpus=counts, memory=memory, grace_seconds=st.none() | counts), max_size=3
    ).map(tuple),
    stopped_at=moments,
    actor=texts,
    complete=st.booleans(),
)
commands = st.one_of(
    st.builds(
        StopRequested,
        actor=st.none() | texts,
        reason=st.none() | texts,
        graceful=st.booleans(),
        timeout=st.none() | st.floats(1, 3600),
        promote_canary=st.booleans(),
    ),
    st.builds(StartRequested, actor=st.none() | texts, reason=st.none() | texts, restore_autoscaling=st.booleans()),
)
facts = st.one_of(
    st.builds(ModelStopping, actor=texts, reason=st.none() | texts, pods=counts, grace=st.none() | st.just("30s")),
    st.builds(ModelStopped, actor=texts, reason=st.none() | texts, receipt=receipts),
    st.builds(ModelStarting, actor=texts, reason=st.none() | texts),
    st.builds(ModelStarted, actor=texts, reason=st.none() | texts, seconds=st.none() | seconds),
    st.builds(
        ModelFailed,
        actor=texts,
        reason=st.none() | texts,
        code=texts,
        message=texts,
        next_action=texts,
        during=st.sampled_from(["stop", "start", "run"]),
    ),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(texts, children, max_size=3),
    max_leaves=8,
)
