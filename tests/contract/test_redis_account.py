"""The account that a deployment's Redis gives us: all that we use, and nothing else."""

from datetime import UTC, datetime

import pytest
import redis
from redis_as_deployed import PASSWORD

from events.facts import ModelStarted
from events.model import ModelRef
from functions.adapters.store import Store
from functions.lifecycle.effects import AuditEntry, Published

REF = ModelRef(namespace="fraud", name="scorer")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def ours(deployed_redis):
    with redis.from_url(deployed_redis, decode_responses=True) as client:
        yield client


@pytest.mark.parametrize(
    "words",
    [
        ("FLUSHALL",),
        ("CONFIG", "SET", "maxmemory", "1"),
        ("KEYS", "*"),
        ("ACL", "LIST"),
        ("EVAL", "return 1", "0"),
        ("SCRIPT", "FLUSH"),
        ("SHUTDOWN",),
        ("REPLICAOF", "127.0.0.1", "1"),
        ("SUBSCRIBE", "a"),
        ("SET", "another", "1"),
        ("GET", "another"),
        ("XADD", "{other}:audit", "*", "d", "x"),
    ],
    ids=" ".join,
)
def test_what_we_do_not_use_is_refused(ours, words):
    with pytest.raises(redis.exceptions.NoPermissionError):
        ours.execute_command(*words)


def test_a_secret_of_before_that_names_no_user_goes_on_with_the_same_rights(deployed_redis):
    with redis.from_url(deployed_redis.replace("modelswitch:", ":")) as client:
        assert client.ping()
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.flushall()


@pytest.mark.parametrize("login", ["", ":wrong@", "modelswitch:wrong@", f"other:{PASSWORD}@"])
def test_nobody_gets_in_without_the_password(deployed_redis, login):
    url = f"redis://{login}{deployed_redis.partition('@')[2]}"
    with redis.from_url(url) as client, pytest.raises(redis.exceptions.RedisError):
        client.ping()


async def test_what_the_other_tests_of_the_store_leave_out_works_too(store, raw):
    """Those run with this account as well."""
    await store.ping()
    await raw.xadd("{modelswitch}:audit", {"d": "x"})
    assert await store.index_older() == 1
    await store.publish([Published("f1", REF, ModelStarted(actor="oncall"), NOW)])
    assert await store.outbox.take_lease("one")
    [lane] = await store.outbox.lanes()
    [waiting] = await store.outbox.waiting(lane, 10)
    await store.outbox.failed(lane, waiting.entry)
    await store.outbox.set_aside(lane, waiting.entry, "never", waiting.event)
    assert not await store.outbox.end_lease("one")
    assert [one.why for one in await store.outbox.dead(10)] == ["never"]
    await store.write_refusal(AuditEntry(NOW, REF, "stop", "oncall", code="EventsNotAllowed"))
    figures = await store.figures()
    assert (figures.set_aside, figures.lengths["refusals"], figures.waiting) == (1, 2, 0)
    assert (await store.memory()).used > 0


async def test_scripts_work_with_it_on_a_redis_that_never_saw_them(deployed_redis):
    store = Store.connect(deployed_redis)
    await store.write_audit(AuditEntry(NOW, REF, "stop", "oncall"))
    assert len(await store.newest("", 10)) == 1
    await store.close()
