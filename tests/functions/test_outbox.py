"""Events from the outbox to a real HTTP sink: each once, nothing behind what fails, and what never works set aside."""

import asyncio
import json
import shutil
import ssl
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
import redis.asyncio as redis
from sink_stand_in import receiving

from events.artifact import Artifact
from events.commands import ReloadRequested
from events.facts import ModelStarted
from events.model import ModelRef
from events.status import State
from functions.adapters.signature import Signer
from functions.adapters.sink import Sink
from functions.adapters.store import Store
from functions.lifecycle.effects import Published
from functions.lifecycle.errors import StoreUnavailable
from functions.lifecycle.record import Record
from functions.reconcile.ports import Commit

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ARTIFACT = Artifact(uri="gs://bank/models/m", digest=f"sha256:{'0' * 64}", size=1)

UNSIGNED = Signer(())


@pytest.fixture
def broker():
    with receiving() as found:
        yield found


@pytest.fixture
async def store(redis_url):
    connected = Store.connect(redis_url)
    for namespace in ("fraud", "tenant", "search"):
        ref = ModelRef(namespace=namespace, name="m")
        await connected.commit(Commit(ref, 0, Record(ref=ref, uid="u", state=State.RUNNING, observed_at=NOW)))
    yield connected
    await connected.close()


@pytest.fixture
async def raw(redis_url):
    client = redis.from_url(redis_url, decode_responses=True)
    yield client
    await client.aclose()


@pytest.fixture
async def sink(broker, store):
    made = Sink(broker.url, store, UNSIGNED)
    yield made
    await made.close()


def event(name: str, namespace: str = "fraud", **changes) -> Published:
    ref = ModelRef(namespace=namespace, name="m")
    return Published(name, ref, ModelStarted(actor="oncall", seconds=1), NOW, **changes)


def reload(name: str, namespace: str = "fraud") -> Published:
    ref = ModelRef(namespace=namespace, name="m")
    return Published(name, ref, ReloadRequested(artifact=ARTIFACT), NOW)


def arrived(broker) -> list[str]:
    return [headers["ce-id"] for headers, _ in broker.arrived]


async def test_events_leave_in_order_with_all_that_they_carry(sink, store, broker):
    await store.publish([event("f1", correlation_id="c1"), event("f2")])
    assert await sink.flush() == 2
    assert arrived(broker) == ["f1", "f2"]
    headers, body = broker.arrived[0]
    assert (headers["ce-type"], headers["ce-source"]) == (ModelStarted.type, "/modelswitch")
    assert (headers["ce-correlationid"], headers["ce-subject"]) == ("c1", "namespaces/fraud/inferenceservices/m")
    assert json.loads(body) == {"actor": "oncall", "reason": None, "seconds": 1, "claimed_actor": None}
    assert (await store.outbox.counts()).waiting == 0


@pytest.mark.parametrize("status", [400, 410, 413, 415, 422])
async def test_what_the_broker_will_never_take_is_set_aside_and_shown_and_the_rest_leaves(sink, store, broker, status):
    broker.answers = [(status, {})]
    await store.publish([event("bad"), event("good")])
    assert await sink.flush() == 2
    assert arrived(broker) == ["bad", "good"]
    [aside] = await store.outbox.dead(10)
    assert (aside.event.id, str(status) in aside.why, aside.namespace) == ("bad", True, "fraud")
    counts = await store.outbox.counts()
    assert (counts.waiting, counts.set_aside) == (0, 1)
    [shown] = await store.newest("", 10, kinds="r")
    assert (shown.audit.action, shown.audit.code, shown.audit.event_id) == ("not-published", "NotPublished", "bad")
    assert (await store.letters([shown.audit.letter]))[shown.audit.letter].data["actor"] == "oncall"


@pytest.mark.parametrize("status", [401, 403, 404, 408, 409, 429, 500, 503, 302])
async def test_what_may_work_later_waits_in_order_with_its_attempts_counted(sink, store, broker, status):
    broker.answers = [(status, {"location": "http://127.0.0.1:1"})]
    await store.publish([event("f1"), event("f2")])
    assert await sink.flush() == 0
    assert [(one.event.id, one.attempts) for one in await store.outbox.waiting("f.fraud", 10)] == [("f1", 1), ("f2", 0)]
    assert await sink.flush() == 2
    assert arrived(broker) == ["f1", "f1", "f2"]
    assert await store.outbox.dead(10) == []


async def test_what_one_lane_s_event_meets_holds_up_no_other_lane(sink, store, broker):
    broker.answers = [(503, {})]
    await store.publish([event("f1")])
    await sink.flush()
    await store.publish([event("other", "search"), reload("command")])
    broker.answers = [(503, {})]
    assert await sink.flush() == 2
    assert (await store.outbox.counts()).waiting == 1


async def test_commands_and_facts_of_the_same_model_do_not_wait_for_each_other(sink, store, broker):
    await store.publish([event(f"f{number}") for number in range(3)])
    broker.answers = [(503, {})]
    await sink.flush()
    await store.publish([reload("command")])
    assert set(await store.outbox.lanes()) == {"f.fraud", "c.fraud"}
    await sink.flush()
    [command] = [headers for headers, _ in broker.arrived if headers["ce-id"] == "command"]
    assert command["ce-expirytime"]


async def test_many_facts_of_one_tenant_do_not_delay_another_s(sink, store, broker):
    for begin in range(0, 2000, 500):
        await store.publish([event(f"t{begin + number}", "tenant") for number in range(500)])
    await store.publish([event("mine", "search"), reload("command", "search")])
    await sink.flush()
    assert max(arrived(broker).index("mine"), arrived(broker).index("command")) < 100


async def test_processes_that_flush_at_the_same_time_send_each_event_once(broker, store, redis_url):
    others = [Store.connect(redis_url) for _ in range(4)]
    sinks = [Sink(broker.url, other, UNSIGNED) for other in others]
    for number in range(0, 60, 3):
        await store.publish([event(f"f{number + one}", ("fraud", "search")[one % 2]) for one in range(3)])
        await asyncio.gather(*(one.flush() for one in sinks))
    assert sorted(arrived(broker)) == sorted(f"f{number}" for number in range(60))
    for one, other in zip(sinks, others, strict=True):
        await one.close()
        await other.close()


async def test_a_fact_written_while_another_process_ends_its_flush_leaves_without_waiting_for_the_tick(
    sink, store, broker
):
    assert await store.outbox.take_lease("another")
    await store.publish([event("f1")])
    assert await sink.flush() == 0
    assert await store.outbox.end_lease("another"), "it is asked to look once more"
    assert not await store.outbox.end_lease("another")
    assert await sink.flush() == 1


async def test_a_process_that_died_while_sending_leaves_the_rest_to_others(sink, store, raw, broker):
    await store.publish([event("f1")])
    assert await store.outbox.take_lease("dead")
    assert await sink.flush() == 0
    await raw.hset("{modelswitch}:flush", "until", 1)
    assert await sink.flush() == 1


async def test_an_event_whose_answer_was_lost_is_sent_again_with_the_same_id(sink, store, broker):
    broker.answers = ["drop"]
    await store.publish([event("f1")])
    assert await sink.flush() == 0
    assert await sink.flush() == 1
    assert arrived(broker) == ["f1", "f1"]


async def test_a_silent_broker_ends_a_flush_early_and_loses_nothing(store):
    silent = Sink("http://127.0.0.1:1", store, UNSIGNED)
    await store.publish([event(f"f{number}", namespace) for number in range(9) for namespace in ("fraud", "search")])
    assert await silent.flush(datetime.now(UTC) + timedelta(seconds=2)) == 0
    assert (await store.outbox.counts()).waiting == 18
    assert (await store.outbox.counts()).oldest
    await silent.close()


@pytest.mark.parametrize("text", ["", "x", "{}", '{"type": "dev.modelswitch.model.parked.v2"}', "[" * 50_000])
async def test_an_entry_that_can_t_be_read_is_set_aside_as_it_is_and_the_rest_leaves(sink, store, raw, broker, text):
    await store.publish([event("f1")])
    await raw.xadd("{modelswitch}:outbox:f.fraud", {"d": text})
    await store.publish([event("f2")])
    await sink.flush()
    assert arrived(broker) == ["f1", "f2"]
    [[_, fields]] = await raw.xrange("{modelswitch}:outbox-dead")
    assert fields["d"] == text
    assert [one.audit.action for one in await store.newest("", 10, kinds="r")] == ["not-published"]
    assert (await store.outbox.counts()).set_aside == 1


async def test_an_event_of_a_type_that_does_not_exist_yet_leaves_as_it_is(sink, store, raw, broker):
    values = {
        "schema": 2,
        "id": "later",
        "subject": "namespaces/fraud/inferenceservices/m",
        "type": "dev.modelswitch.model.parked.v2",
        "data": {"until": "Monday"},
        "time": NOW.isoformat(),
        "lane": "night",
    }
    await raw.xadd("{modelswitch}:outbox", {"d": json.dumps(values)})
    await sink.flush()
    [(headers, body)] = broker.arrived
    assert (headers["ce-type"], json.loads(body)) == ("dev.modelswitch.model.parked.v2", {"until": "Monday"})


async def test_facts_are_bounded_for_each_namespace_and_what_was_dropped_is_counted(store, raw):
    for _ in range(22):
        await store.publish([event(f"f{number}") for number in range(500)])
    counts = await store.outbox.counts()
    assert counts.waiting <= 6_800
    assert counts.dropped > 0
    await store.publish([event("mine", "search")])
    assert [one.event.id for one in await store.outbox.waiting("f.search", 10)] == ["mine"]


async def test_without_a_broker_events_are_dropped(store):
    nowhere = Sink(None, store, UNSIGNED)
    await store.publish([event("f1")])
    await nowhere.flush()
    assert (await store.outbox.counts()).waiting == 0


async def test_redis_away_is_said(broker):
    away = Sink(broker.url, Store.connect("redis://127.0.0.1:1/0"), UNSIGNED)
    with pytest.raises(StoreUnavailable):
        await away.flush()
    await away.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """Self-signed, for 127.0.0.1: the certificate and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(["openssl", *words.split(), *names], check=True, capture_output=True)
    return cert, key


async def test_the_broker_s_certificate_is_checked_against_k_ca_certs(store, certificate):
    cert, key = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    stand_in = receiving()
    with stand_in as broker:
        stand_in.server.socket = context.wrap_socket(stand_in.server.socket, server_side=True)
        url = broker.url.replace("http:", "https:")
        await store.publish([event("f1")])
        for trusted, sent in ((None, 0), (cert.read_text(), 1)):
            made = Sink(url, store, UNSIGNED, trusted)
            assert await made.flush() == sent
            await made.close()
    assert arrived(broker) == ["f1"]


async def test_certificates_that_are_none_lose_no_event(store, broker):
    made = Sink(broker.url, store, UNSIGNED, "rubbish")
    await store.publish([event("f1")])
    assert await made.flush() == 0
    assert (await store.outbox.counts()).waiting == 1
    await made.close()
