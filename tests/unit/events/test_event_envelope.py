"""Building and reading commands and facts: what goes in comes out, and everything else is named for what it is."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from event_strategies import attribute_texts, commands, facts, json_values, moments, refs, sources
from hypothesis import given
from hypothesis import strategies as st

from events.catalogue import MODELS
from events.catalogue.examples import EXAMPLES, REF, about
from events.commands import Command, StartRequested, StopRequested
from events.envelope import build, read
from events.errors import ContractError, Impossible, Malformed
from events.location import Location
from events.wire import MAX_BODY_BYTES, to_binary, to_structured

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
STOP = StopRequested.type


def binary(body=b"{}", **attributes):
    wanted = {"specversion": "1.0", "id": "1", "source": "/test", "type": STOP, "subject": REF.subject, **attributes}
    headers = {f"ce-{name}": value for name, value in wanted.items() if value is not None}
    return {**headers, "content-type": "application/json"}, body


def structured(**members):
    event = {"specversion": "1.0", "id": "1", "source": "/test", "type": STOP, "subject": REF.subject, "data": {}}
    wanted = {name: value for name, value in {**event, **members}.items() if value is not ...}
    return {"Content-Type": "application/cloudevents+json; charset=utf-8"}, json.dumps(wanted).encode()


@given(
    data=commands | facts,
    ref=refs,
    source=sources,
    event_id=attribute_texts,
    correlation=st.none() | attribute_texts,
    trace=st.none() | st.just(TRACE),
    time=moments,
    encode=st.sampled_from([to_binary, to_structured]),
)
def test_whatever_is_built_is_read_back_the_same(data, ref, source, event_id, correlation, trace, time, encode):
    event = build(data, ref, source=source, id=event_id, correlation_id=correlation, traceparent=trace, time=time)
    headers, body = encode(event)
    assert all(value.isascii() and value.isprintable() for value in headers.values())
    received = read(headers, body)
    assert received.data == data
    assert received.ref == ref
    assert (received.id, received.source, received.type) == (event_id, source, data.type)
    assert received.correlation_id == (correlation or event_id)
    assert received.traceparent == trace
    assert received.expires_at == (time + timedelta(hours=1) if isinstance(data, Command) else None)


@pytest.mark.parametrize("event_type", MODELS)
def test_every_type_carries_the_attributes_of_the_contract(event_type):
    example = EXAMPLES[event_type]
    event = build(example, about(example), source="/test", time=datetime(2026, 1, 31, 22, tzinfo=UTC))
    assert event["type"] == event_type
    on_artifact = event_type.startswith("dev.modelswitch.artifact.")
    subject = "artifacts/pvc://models/fraud/scorer" if on_artifact else "inferenceservices/scorer"
    assert event["subject"] == f"namespaces/fraud/{subject}"
    assert event["partitionkey"] == (event["subject"] if on_artifact else "fraud/scorer")
    assert event["time"] == "2026-01-31T22:00:00Z"
    assert event["datacontenttype"] == "application/json"
    assert event["dataschema"].endswith(f"{event_type}.json")
    assert ("expirytime" in event) == (on_artifact or event_type.endswith("-requested.v1"))


def test_two_events_differ_in_id_and_one_sent_twice_does_not():
    one, other = (build(StartRequested(), REF, source="/test") for _ in range(2))
    assert one["id"] != other["id"]
    assert read(*to_binary(one)) == read(*to_structured(one))


def test_the_senders_time_is_not_handed_on():
    assert read(*binary(time="yesterday")) == read(*binary(time=None))


def test_a_broken_traceparent_is_ignored():
    assert read(*binary(traceparent="rubbish")).traceparent is None
    assert read(*binary(traceparent=TRACE.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32))).traceparent is None


def test_expirytime_is_read_in_any_zone():
    received = read(*binary(expirytime="2026-01-31T23:00:00+01:00"))
    assert received.expires_at == datetime(2026, 1, 31, 22, tzinfo=UTC)


def test_extensions_that_brokers_add_do_no_harm():
    assert read(*binary(knativearrivaltime="2026-01-31T22:00:00Z")) == read(*binary())
    assert read(*structured(sequence=3, sampled=True)).id == "1"


def test_structured_mode_wins_over_headers_that_a_proxy_kept():
    headers, body = structured(id="inner")
    received = read({**headers, **binary(id="outer")[0], "content-type": headers["Content-Type"]}, body)
    assert received.id == "inner"


def test_data_in_base64_is_json_too():
    encoded = base64.b64encode(b'{"graceful": false}').decode()
    assert read(*structured(data=..., data_base64=encoded)).data.graceful is False


def test_header_names_in_any_case_and_percent_encoded_values_are_understood():
    headers, body = binary(correlationid="gr%C3%BC%C3%9Fe%20100%25")
    received = read({name.upper(): value for name, value in headers.items()}, body)
    assert received.correlation_id == "grüße 100%"


MALFORMED = {
    "no body": (binary(body=b""), "no data"),
    "no data in structured mode": (structured(data=...), "no data"),
    "null as data": (binary(body=b"null"), "no data"),
    "no body in structured mode": ((structured()[0], b""), "no body"),
    "no ce- headers": (({"content-type": "application/json"}, b"{}"), "without ce- headers"),
    "nothing at all": (({}, b""), "without ce- headers"),
    "no id": (binary(id=None), "no id"),
    "empty id": (binary(id=""), "no id"),
    "no type in structured mode": (structured(type=...), "no type"),
    "several missing": (binary(id=None, source=None), "no id, source"),
    "specversion 0.3": (binary(specversion="0.3"), "specversion '0.3'"),
    "specversion 2.0": (structured(specversion="2.0"), "specversion '2.0'"),
    "specversion as a number": (structured(specversion=1.0), "specversion is a number"),
    "id as a number": (structured(id=1), "id is a number"),
    "subject as an object": (structured(subject={}), "subject is an object"),
    "broken JSON": (binary(body=b'{"graceful": tr'), "broken JSON"),
    "broken JSON in structured mode": ((structured()[0], b'{"id"'), "broken JSON"),
    "NaN": (binary(body=b'{"timeout": NaN}'), "broken JSON"),
    "no UTF-8": (binary(body=b'{"reason": "\xff"}'), "broken JSON"),
    "nested too deep": (binary(body=b"[" * 200_000), "nested too deep"),
    "nested too deep in structured mode": ((structured()[0], b'{"data":' + b"[" * 200_000), "nested too deep"),
    "a number of 5,000 digits": (binary(body=b'{"timeout": ' + b"9" * 5000 + b"}"), "broken JSON"),
    "a list": ((structured()[0], b"[]"), "JSON that is a list"),
    "a batch": (({"content-type": "application/cloudevents-batch+json"}, b"[]"), "a batch"),
    "XML": (({"content-type": "application/cloudevents+xml"}, b"<event/>"), "application/cloudevents+xml"),
    "data twice": (structured(data_base64="e30="), "both data and data_base64"),
    "base64 that is none": (structured(data=..., data_base64="!"), "no base64"),
    "base64 of broken JSON": (structured(data=..., data_base64=base64.b64encode(b"{").decode()), "broken JSON"),
    "base64 that is a number": (structured(data=..., data_base64=3), "no base64"),
    "a body over 1 MiB": (binary(body=b" " * (MAX_BODY_BYTES + 1)), "1048577 bytes"),
    "an attribute of 5,000 characters": (structured(id="x" * 5000), "5000 characters"),
    "a control character": (structured(id="a\nb"), "control characters"),
    "half a surrogate pair": (structured(id="\ud800"), "control characters"),
    "an attribute with a strange name": (structured(Strange_Name="x"), "Strange_Name"),
    "an attribute named data": (binary(data="x"), "named 'data'"),
    "an attribute named extensions": (structured(extensions={}), "named 'extensions'"),
    "a source with spaces": (structured(source="a b"), "source 'a b'"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_what_is_no_cloudevent_is_malformed(case):
    (headers, body), words = MALFORMED[case]
    with pytest.raises(Malformed) as caught:
        read(headers, body)
    assert words in str(caught.value)
    assert caught.value.status == 400
    assert caught.value.next_action


WRITTEN = "dev.modelswitch.artifact.written.v1"
SPELLED = {
    "as the data": ("artifacts/s3://b/my%20model", "s3://b/my%20model"),
    "decoded by a broker": ("artifacts/s3://b/my model", "s3://b/my%20model"),
    "with a slash at the end": ("artifacts/s3://b/a/", "s3://b/a"),
    "with the data's own slash": ("artifacts/s3://b/a", "s3://b/a/"),
    "in other escapes": ("artifacts/s3://b/%c3%bcben%2dx", "s3://b/üben-x"),
    "with an escaped slash": ("artifacts/s3://b/a%2fb", "s3://b/a%2Fb"),
    "an image by another way to mount it": ("artifacts/oci+native://r/a:1", "oci://r/a:1"),
}


@pytest.mark.parametrize("case", SPELLED)
def test_subject_and_data_may_spell_an_artifact_differently(case):
    subject, uri = SPELLED[case]
    for to_read in (structured, binary):
        data = {"uri": uri, "digest": "etag:abc", "size": 1}
        given = {"data": data} if to_read is structured else {"body": json.dumps(data).encode()}
        if to_read is structured or subject.isascii():
            assert read(*to_read(type=WRITTEN, subject=subject, **given)).data.location == Location.parse(uri)


@pytest.mark.parametrize(
    ("subject", "uri"),
    [
        ("artifacts/s3://b/a", "s3://b/ab"),
        ("artifacts/s3://b/a%2Fb", "s3://b/a/b"),
        ("artifacts/s3://b/a/b", "s3://b/a%2Fb"),
        ("artifacts/s3://b%2Fa/c", "s3://b/a/c"),
        ("namespaces/fraud/artifacts/s3://b/a", "s3://b/a"),
        ("artifacts/s3://b/a/%2e%2e/c", "s3://b/c"),
        ("artifacts/", "s3://b/a"),
        ("", "s3://b/a"),
    ],
)
def test_a_subject_of_another_artifact_than_the_data_is_impossible(subject, uri):
    with pytest.raises(Impossible, match="the same artifact in both"):
        read(*structured(type=WRITTEN, subject=subject, data={"uri": uri, "digest": "etag:abc", "size": 1}))


IMPOSSIBLE = {
    "an unknown type": (binary(type="com.example.hello"), "which is unknown"),
    "an unknown version": (binary(type=STOP.replace("v1", "v9")), "which is unknown"),
    "a notification": (binary(type="dev.knative.sources.ping"), "not for this function"),
    "no subject": (binary(subject=None), "no subject"),
    "a subject of another form": (binary(subject="scorer"), "names no model"),
    "a name with a slash": (binary(subject=f"{REF.subject}/x"), "names no model"),
    "a name with capitals": (binary(subject="namespaces/fraud/inferenceservices/Scorer"), "names no model"),
    "another kind": (binary(subject="namespaces/fraud/deployments/scorer"), "names no model"),
    "a name that ends in a newline": (structured(subject=REF.subject + "/\u2028"), "names no model"),
    "an unknown field": (binary(body=b'{"gracefull": true}'), "gracefull: Extra inputs"),
    "a wrong type": (binary(body=b'{"graceful": "perhaps"}'), "graceful:"),
    "a grace of nothing": (binary(body=b'{"timeout": "0s"}'), "timeout:"),
    "a grace of two hours": (binary(body=b'{"timeout": "2h"}'), "timeout:"),
    "a huge grace": (binary(body=b'{"timeout": 1' + b"0" * 400 + b"}"), "timeout:"),
    "a timeout that is none": (binary(body=b'{"timeout": "soon"}'), "30s, 1m30s or 2h"),
    "an endless reason": (binary(body=json.dumps({"reason": "x" * 2000}).encode()), "reason:"),
    "half a surrogate pair in the data": (binary(body=b'{"reason": "\\ud800"}'), "reason:"),
    "a list as data": (binary(body=b"[]"), "value:"),
    "a string as data": (structured(data="stop"), "data that is not JSON"),
    "curl's default content type": (
        ({**binary()[0], "content-type": "application/x-www-form-urlencoded"}, b"{}"),
        "content-type: application/json",
    ),
    "an expirytime without a zone": (binary(expirytime="2026-01-31T22:00:00"), "expirytime"),
    "an expirytime that is none": (binary(expirytime="tomorrow"), "expirytime"),
    "an expirytime before year 1": (binary(expirytime="0001-01-01T00:00:00+14:00"), "expirytime"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_what_can_never_work_is_impossible(case):
    (headers, body), words = IMPOSSIBLE[case]
    with pytest.raises(Impossible) as caught:
        read(headers, body)
    assert words in str(caught.value)
    assert caught.value.status == 422


def test_a_type_for_another_function_is_impossible_here():
    with pytest.raises(Impossible, match="Trigger's filter"):
        read(*binary(), accepts={StartRequested.type})


def test_messages_do_not_repeat_the_whole_input():
    with pytest.raises(ContractError) as caught:
        read(*binary(body=json.dumps({f"f{number}": "x" * 500 for number in range(500)}).encode()))
    assert len(str(caught.value)) < 800


@pytest.mark.parametrize("name", ["specversion", "source", "type", "subject", "expirytime"])
def test_a_long_attribute_is_shown_by_its_beginning(name):
    with pytest.raises(ContractError) as caught:
        read(*structured(**{name: "é " * 2000}))
    assert len(str(caught.value)) < 800


def test_a_long_name_of_a_field_is_shown_by_its_beginning():
    with pytest.raises(ContractError) as caught:
        read(*binary(body=json.dumps({"x" * 100_000: 1}).encode()))
    assert len(str(caught.value)) < 800


@given(
    headers=st.dictionaries(
        st.sampled_from(
            [
                "ce-id",
                "ce-type",
                "ce-source",
                "ce-specversion",
                "ce-subject",
                "content-type",
                "ce-data",
                "ce-extensions",
                "ce-expirytime",
            ]
        ),
        attribute_texts,
    ),
    body=st.binary(max_size=60),
)
def test_no_request_whatever_raises_anything_else(headers, body):
    try:
        read(headers, body)
    except ContractError as error:
        assert error.next_action


@given(
    members=st.dictionaries(
        st.sampled_from(
            [
                "id",
                "type",
                "source",
                "specversion",
                "subject",
                "data",
                "data_base64",
                "expirytime",
                "time",
                "extensions",
                "datacontenttype",
                "traceparent",
                "correlationid",
            ]
        ),
        json_values,
    ),
)
def test_no_structured_event_whatever_raises_anything_else(members):
    try:
        read(*structured(**members))
    except ContractError as error:
        assert error.next_action


@given(data=json_values)
def test_no_data_whatever_raises_anything_else(data):
    try:
        read(*binary(body=json.dumps(data).encode()))
    except ContractError as error:
        assert error.next_action
