"""REST beside a model whose lease another process has: the command is in line, which is said, and is done in its turn."""

import asyncio

import pytest

from events.commands import StartRequested
from events.model import ModelRef
from functions.adapters.store import Store
from functions.lifecycle.request import Request


@pytest.fixture
def busy(world):
    """A model whose lease a process has that does nothing with it; and what gives the lease back."""
    ref = ModelRef(namespace="blue", name=world.make())
    held = Request(ref, StartRequested(), "/held", "1", "another process", by_event=True)

    async def hold():
        store = Store.connect(world.redis_url)
        token = (await store.claim(held)).token
        await store.close()
        return token

    async def give_back(token):
        store = Store.connect(world.redis_url)
        await store.release(token, held, stays=True)
        await store.close()

    token = asyncio.run(hold())
    return ref.name, lambda: asyncio.run(give_back(token))


def path(name, what):
    return f"/api/v1/namespaces/blue/models/{name}/{what}"


def test_a_command_in_line_is_answered_with_its_place_and_done_when_the_lease_is_free(world, open_api, busy):
    name, give_back = busy
    open_api.get(path(name, "status")).raise_for_status()
    key = {"idempotency-key": f"in-line-{name}"}
    answer = open_api.post(path(name, "stop"), headers=key)
    body = answer.json()
    assert (answer.status_code, body["queued"], body["ahead"], body["changed"]) == (202, True, 1, False)
    assert body["status"]["name"] == name
    assert open_api.get(answer.headers["location"]).json()["name"] == name
    assert "serving.kserve.io/stop" not in world.annotations("blue", name)
    give_back()
    done = open_api.post(path(name, "stop"), headers=key)
    assert (done.status_code, done.json()["changed"], done.json().get("queued")) == (202, True, None)
    assert world.annotations("blue", name)["serving.kserve.io/stop"] == "true"


def test_in_bulk_it_is_said_of_the_model(open_api, busy):
    name, _ = busy
    asked = {"models": [{"namespace": "blue", "name": name}]}
    [item] = open_api.post("/api/v1/models:stop", json=asked).json()["items"]
    assert (item["status"], item["queued"], item["ahead"]) == (202, True, 1)


def test_a_model_that_was_never_looked_at_is_no_reason_to_deny_the_place(open_api, busy):
    name, _ = busy
    answer = open_api.post(path(name, "stop"))
    assert (answer.status_code, answer.json()["queued"]) == (202, True)
