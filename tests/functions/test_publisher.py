"""The publisher against a real HTTP server: what it sends, what it sends again, and when it gives up."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from sink_stand_in import receiving

from events.commands import StopRequested
from events.envelope import build, read
from events.errors import PublishFailed
from events.model import ModelRef
from events.publisher import Publisher, retry_after

REF = ModelRef(namespace="fraud", name="scorer")


@pytest.fixture
def sink():
    with receiving() as found:
        yield found


@pytest.fixture
def quick(sink, tmp_path):
    return Publisher(sink.url, deadline=3, token_file=tmp_path / "token", first_wait=0.01)


def stop_event():
    return build(StopRequested(reason="größer"), REF, source="/ci", correlation_id="run ü 1")


def test_an_event_arrives_as_it_was_built(sink, quick):
    event = stop_event()
    quick.send(event)
    ((headers, body),) = sink.arrived
    received = read(headers, body)
    assert (received.id, received.data, received.ref) == (event["id"], StopRequested(reason="größer"), REF)
    assert received.correlation_id == "run ü 1"
    assert "authorization" not in headers


@pytest.mark.parametrize("answer", [(500, {}), (503, {}), (404, {}), (408, {}), (409, {}), (429, {}), "drop"])
def test_what_may_work_later_is_sent_again_with_the_same_id(sink, quick, answer):
    sink.answers = [answer, answer]
    quick.send(stop_event())
    assert len(sink.arrived) == 3
    assert len({headers["ce-id"] for headers, _ in sink.arrived}) == 1
    assert len({body for _, body in sink.arrived}) == 1


@pytest.mark.parametrize(("answer", "may"), [("drop", True), ((500, {}), True), ((503, {}), True), ((429, {}), False)])
def test_an_event_whose_fate_is_open_is_said_to_take_effect_perhaps(sink, tmp_path, answer, may):
    sink.answers = [answer] * 1000
    with pytest.raises(PublishFailed) as caught:
        Publisher(sink.url, deadline=0.3, token_file=tmp_path / "token", first_wait=0.01).send(stop_event())
    assert caught.value.may_take_effect is may
    assert ("may take effect all the same" in str(caught.value)) is may
    assert "send the same id again" in str(caught.value)


def test_an_attempt_without_an_answer_keeps_it_open_although_the_next_one_was_refused(sink, quick):
    sink.answers = ["drop", (400, {})]
    with pytest.raises(PublishFailed) as caught:
        quick.send(stop_event())
    assert (caught.value.status, caught.value.may_take_effect) == (400, True)


@pytest.mark.parametrize("status", [400, 401, 403, 413, 422, 302])
def test_what_never_works_is_sent_once_and_said(sink, quick, status):
    sink.answers = [(status, {"location": "http://127.0.0.1:1"})] * 2
    with pytest.raises(PublishFailed) as caught:
        quick.send(stop_event())
    assert len(sink.arrived) == 1
    assert caught.value.status == status
    words = str(caught.value)
    assert StopRequested.type in words
    assert sink.url in words
    assert f"{status}" in words
    assert "because I say so" in words
    assert caught.value.next_action


def test_retry_after_is_honoured_over_the_own_backoff(sink, tmp_path):
    sink.answers = [(503, {"retry-after": "0"})] * 3
    Publisher(sink.url, deadline=3, token_file=tmp_path / "none", first_wait=60).send(stop_event())
    assert len(sink.arrived) == 4


def test_a_retry_after_beyond_the_deadline_ends_it_at_once(sink, quick):
    sink.answers = [(429, {"retry-after": "3600"})]
    with pytest.raises(PublishFailed) as caught:
        quick.send(stop_event())
    assert caught.value.status == 429
    assert len(sink.arrived) == 1


def test_the_deadline_ends_the_retries(sink, tmp_path):
    sink.answers = [(500, {})] * 1000
    with pytest.raises(PublishFailed, match=r"up to 0\.3s"):
        Publisher(sink.url, deadline=0.3, token_file=tmp_path / "none", first_wait=0.02).send(stop_event())
    assert 1 < len(sink.arrived) < 100


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "broker", "ftp://broker", "http://"])
def test_a_sink_that_is_not_there_is_said(tmp_path, url):
    with pytest.raises(PublishFailed) as caught:
        Publisher(url, deadline=0.2, token_file=tmp_path / "none", first_wait=0.02).send(stop_event())
    assert caught.value.status is None
    assert url in str(caught.value)


def test_the_mounted_token_is_read_at_every_attempt(sink, quick):
    quick.token_file.write_text("first\n")
    quick.send(stop_event())
    quick.token_file.write_text("renewed\n")
    quick.send(stop_event())
    assert [headers["authorization"] for headers, _ in sink.arrived] == ["Bearer first", "Bearer renewed"]


def test_sinkbindings_environment_is_understood(sink):
    overrides = '{"extensions": {"team": "fraud"}}'
    publisher = Publisher.from_environment({"K_SINK": sink.url, "K_CE_OVERRIDES": overrides})
    event = stop_event()
    publisher.send(event)
    ((headers, _),) = sink.arrived
    assert headers["ce-team"] == "fraud"
    assert "team" not in event


@pytest.mark.parametrize(
    "environment",
    [{}, {"K_SINK": ""}, {"K_SINK": "http://b", "K_CE_OVERRIDES": "{"}, {"K_SINK": "http://b", "K_CE_OVERRIDES": "[]"}],
)
def test_an_environment_that_says_nothing_is_refused(environment):
    with pytest.raises(PublishFailed) as caught:
        Publisher.from_environment(environment)
    assert caught.value.next_action


def test_certificates_that_are_none_are_said(sink):
    with pytest.raises(PublishFailed, match="K_CA_CERTS"):
        Publisher(sink.url, ca_certificates="rubbish").send(stop_event())


def test_retry_after_in_both_forms():
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(minutes=1), usegmt=True)
    assert retry_after({"retry-after": "7"}) == 7
    assert 50 < retry_after({"retry-after": in_a_minute}) <= 60
    assert [retry_after(headers) for headers in ({}, {"retry-after": "soon"}, {"retry-after": "-1"})] == [None] * 3
