"""Knative's broker data-plane conformance (knative/eventing test/rekt/features/broker/data_plane.go), against a real process."""

import json
import uuid

import pytest
import pytest_asyncio
from broker_process import broker, brokering, headers, post, subscribing, trigger, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory):
    """One broker for the module: a process takes longer to start than most of these tests."""
    async with subscribing() as subscriber:
        folder = tmp_path_factory.mktemp("broker")
        objects = [broker(), trigger("all", to="receiver")]
        async with brokering(folder, objects, {"receiver": subscriber.url}) as process:
            yield subscriber, process


@pytest.fixture
def receiver(shared):
    shared[0].arrived.clear()
    return shared[0]


@pytest.fixture
def running(shared):
    return shared[1]


@pytest.mark.parametrize("version", ["1.0", "0.3"])
async def test_a_known_version_is_accepted_and_not_upgraded(running, receiver, version):
    status, _ = await post(running.url, headers() | {"ce-specversion": version})
    assert status == 202
    (arrived,) = await until(lambda: receiver.arrived, "the event arrives")
    assert arrived.headers["ce-specversion"] == version


async def test_an_unknown_version_is_refused(running):
    assert (await post(running.url, headers() | {"ce-specversion": "19.0"}))[0] == 400


@pytest.mark.parametrize("media", ["application/vnd.apache.thrift.binary", "application/xml", "application/json"])
async def test_binary_mode_takes_any_content_type_and_leaves_the_data_alone(running, receiver, media):
    body = b"\x00{broken \xff"
    assert (await post(running.url, headers() | {"content-type": media}, body))[0] == 202
    (arrived,) = await until(lambda: receiver.arrived, "the event arrives")
    assert (arrived.headers["content-type"], arrived.body) == (media, body)


async def test_structured_mode_is_accepted(running, receiver):
    event = {
        "specversion": "1.0",
        "type": "sometype",
        "source": "json.request.sender.test.knative.dev",
        "id": "2222-4444-6666",
        "time": "2020-07-06T09:23:12Z",
        "datacontenttype": "application/json",
        "count": 3,
        "data": {"message": "helloworld"},
    }
    body = json.dumps(event).encode()
    assert (await post(running.url, {"content-type": "application/cloudevents+json"}, body))[0] == 202
    (arrived,) = await until(lambda: receiver.arrived, "the event arrives")
    for name in ("specversion", "type", "source", "id", "time"):
        assert arrived.headers[f"ce-{name}"] == event[name]
    assert arrived.headers["ce-count"] == "3"
    assert json.loads(arrived.body) == event["data"]


async def test_structured_data_in_base64_arrives_as_the_bytes_it_stands_for(running, receiver):
    event = {"specversion": "1.0", "type": "t", "source": "/s", "id": "1", "data_base64": "AAH/"}
    event["datacontenttype"] = "application/octet-stream"
    assert (await post(running.url, {"content-type": "application/cloudevents+json"}, json.dumps(event).encode()))[
        0
    ] == 202
    (arrived,) = await until(lambda: receiver.arrived, "the event arrives")
    assert (arrived.headers["content-type"], arrived.body) == ("application/octet-stream", b"\x00\x01\xff")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
async def test_every_method_but_post_is_405(running, method):
    assert (await post(running.url, headers(), method=method))[0] == 405
    assert (await post(running.url.rsplit("/", 2)[0] + "/", headers(), method=method))[0] == 405


@pytest.mark.parametrize("missing", ["ce-specversion", "ce-type", "ce-source", "ce-id"])
async def test_an_event_without_a_required_attribute_is_400_and_says_which(running, missing):
    status, reason = await post(running.url, {k: v for k, v in headers().items() if k != missing})
    assert status == 400
    assert missing.removeprefix("ce-") in reason


@pytest.mark.parametrize(
    ("given", "body"),
    [
        ({"content-type": "application/json"}, b"{}"),
        ({"content-type": "application/cloudevents+json"}, b"{broken"),
        ({"content-type": "application/cloudevents+json"}, b"[]"),
        ({"content-type": "application/cloudevents+json"}, b""),
        ({"content-type": "application/cloudevents+json"}, b'{"specversion":"1.0","id":"1","source":"/s","type":{}}'),
        ({"content-type": "application/cloudevents-batch+json"}, b"[]"),
        (headers() | {"ce-time": "yesterday"}, b"{}"),
        (headers() | {"ce-with_underscore": "x"}, b"{}"),
        (headers() | {"ce-source": "with space"}, b"{}"),
    ],
)
async def test_what_is_no_cloudevent_is_400(running, receiver, given, body):
    assert (await post(running.url, given, body))[0] == 400
    assert not receiver.arrived


async def test_more_than_a_mebibyte_is_413_and_a_mebibyte_is_not(running, receiver):
    assert (await post(running.url, headers(), b"x" * (1024 * 1024)))[0] == 202
    await until(lambda: receiver.arrived, "the event arrives")
    assert (await post(running.url, headers(), b"x" * (1024 * 1024 + 1)))[0] == 413


async def test_more_than_a_mebibyte_in_chunks_of_unsaid_length_is_413(running, receiver):
    async def chunks():
        for _ in range(17):
            yield b"x" * (64 * 1024)

    assert (await post(running.url, headers(), chunks()))[0] == 413
    assert not receiver.arrived


async def test_the_root_is_the_default_broker_and_another_path_is_404(running, receiver):
    root = running.url.rsplit("/", 2)[0]
    assert running.url == f"{root}/test/default"
    assert (await post(f"{root}/", headers()))[0] == 202
    await until(lambda: receiver.arrived, "the event arrives")
    assert (await post(f"{root}/test/other", headers()))[0] == 404
    assert (await post(f"{root}/healthz", {}, method="GET"))[0] == 200


async def test_attributes_and_data_arrive_as_they_were_sent(running, receiver):
    sent = headers(
        str(uuid.uuid4()), subject="a/b", time="2026-01-31T12:00:00Z", partitionkey="ns/name", note="1%25 %C3%BC"
    )
    await post(running.url, sent, b'{"a": 1}')
    (arrived,) = await until(lambda: receiver.arrived, "the event arrives")
    assert {name: arrived.headers[name] for name in sent} == sent
    assert arrived.body == b'{"a": 1}'
    assert "ce-knativearrivaltime" in arrived.headers


async def test_header_values_pass_as_they_are_as_in_knative_s_brokers(running, receiver):
    event = {"specversion": "1.0", "type": "sometype", "source": "/jobs/retrain%20daily", "id": "t2-ü", "note": 'a "b"'}
    await post(running.url, {"content-type": "application/cloudevents+json"}, json.dumps(event).encode())
    (arrived,) = await until(lambda: receiver.arrived, "the event arrives")
    assert {name: arrived.headers[f"ce-{name}"] for name in event} == event


async def test_a_trace_context_is_kept(running, receiver):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await post(running.url, headers(traceparent=trace))
    (arrived,) = await until(lambda: receiver.arrived, "the event arrives")
    assert arrived.headers["ce-traceparent"] == trace


async def test_an_event_that_nobody_wants_is_accepted(tmp_path, receiver):
    never = trigger("never", to="receiver", filters=[{"exact": {"type": "other"}}])
    async with brokering(tmp_path, [broker(), never], {"receiver": receiver.url}) as running:
        assert (await post(running.url, headers()))[0] == 202
        assert not receiver.arrived


async def test_a_reply_is_an_event_like_any_other(tmp_path, receiver):
    first = trigger("first", to="replying", filters=[{"exact": {"type": "sometype"}}])
    second = trigger("second", to="receiver", filters=[{"exact": {"type": "reply"}}])
    async with subscribing() as replying:
        replying.answers = [(200, headers("r", type="reply"), b'{"re": 1}')]
        subscribers = {"replying": replying.url, "receiver": receiver.url}
        async with brokering(tmp_path, [broker(), first, second], subscribers) as running:
            await post(running.url, headers())
            (arrived,) = await until(lambda: receiver.arrived, "the reply arrives")
            assert (arrived.headers["ce-id"], arrived.body) == ("r", b'{"re": 1}')
            assert replying.arrived[0].headers["prefer"] == "reply"


async def test_metrics_count_what_was_accepted_refused_and_delivered(running, receiver):
    await post(running.url, headers())
    await post(running.url, {})
    await until(lambda: receiver.arrived, "the event arrives")
    root = running.url.rsplit("/", 2)[0]
    text = (await post(f"{root}/metrics", {}, method="GET"))[1]
    assert 'modelswitch_broker_requests_total{status="202"}' in text
    assert 'modelswitch_broker_requests_total{status="400"}' in text
    assert 'modelswitch_broker_deliveries_total{result="delivered",stage="subscriber",trigger="all"}' in text


@pytest.mark.parametrize(
    "foreign",
    [
        {"host": "evil.example:8081"},
        {"host": "evil.example:8081", "origin": "http://evil.example:8081"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
async def test_an_event_that_another_sites_page_sends_is_refused_and_delivered_to_nobody(running, receiver, foreign):
    assert (await post(running.url, headers("evil") | foreign))[0] == 403
    assert (await post(running.url, headers("own")))[0] == 202
    await until(lambda: receiver.arrived, "the own event arrives")
    assert receiver.ids() == {"own"}
