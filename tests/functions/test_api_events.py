"""Server-sent events: what is sent, to whom, and where a lost connection goes on."""

import asyncio
import json
import time

import pytest
from api_rig import BOSS, STRANGER, listening, wait_for

from events.model import ModelRef
from functions.adapters.store import Store
from functions.reconcile.ports import Commit


def stop(api, name, namespace="blue", **headers):
    return api.post(f"/api/v1/namespaces/{namespace}/models/{name}/stop", headers=headers)


def heard(stream, name):
    """The next event about this model."""
    while True:
        event = stream.next()
        if event[2].get("name") == name:
            return event


def test_a_change_is_sent_with_the_models_status(world, open_api):
    name = world.make()
    with listening(open_api) as stream:
        stop(open_api, name)
        event, entry, data = heard(stream, name)
    assert (event, data["namespace"], data["kind"]) == ("model", "blue", "InferenceService")
    assert data["change"]["actor"]
    assert entry.count("-") == 1


def test_a_lost_connection_goes_on_where_it_was(world, open_api):
    one, two = world.make(), world.make()
    with listening(open_api) as stream:
        stop(open_api, one)
        _, entry, _ = heard(stream, one)
    stop(open_api, two)
    with listening(open_api, headers={"last-event-id": entry}) as stream:
        seen = []
        while two not in seen:
            seen.append(stream.next()[2]["name"])


def test_what_was_trimmed_away_means_starting_over(open_api):
    with listening(open_api, headers={"last-event-id": "5-0"}) as stream:
        assert stream.next()[0] == "reset"


@pytest.mark.parametrize("entry", ["yesterday", "1", "1-1-1", "99999999999999999999999-0"])
def test_an_id_of_another_stream_is_refused(open_api, entry):
    answer = open_api.get("/api/v1/events", headers={"last-event-id": entry})
    assert (answer.status_code, answer.json()["code"]) == (400, "Malformed")


def test_only_models_that_the_caller_may_read_are_sent(world, token_api):
    hidden, shown = world.make("green"), world.make("blue")
    with listening(token_api, headers=STRANGER) as stream:
        stop(token_api, hidden, "green", **BOSS)
        stop(token_api, shown, "blue", **BOSS)
        assert stream.next()[2]["name"] == shown


def test_a_deleted_model_is_said_to_be_gone(world, open_api):
    name = world.make()
    open_api.get(f"/api/v1/namespaces/blue/models/{name}/status").raise_for_status()
    with listening(open_api) as stream:
        world.cluster.delete(f"/apis/serving.kserve.io/v1beta1/namespaces/blue/inferenceservices/{name}")
        wait_for(
            lambda: open_api.get(f"/api/v1/namespaces/blue/models/{name}/status").status_code == 404, "it is deleted"
        )
        while (event := heard(stream, name))[0] != "deleted":
            pass
    assert event[2]["change"]["action"] == "deleted"


def test_a_change_that_is_no_history_is_there_within_a_second_with_the_sums(world, open_api):
    """One GPU more, as a pod that was added brings it: lists, counts and open pages, not only the model's own record."""
    name = world.make()
    address = f"/api/v1/namespaces/blue/models/{name}/status"
    open_api.get(address).raise_for_status()
    world.synced()
    before = open_api.get("/api/v1/capacity").json()["total"]["gpus_held"]
    entries = len(open_api.get("/api/v1/audit", params={"name": name}).json()["items"])
    with open_api.stream("GET", "/live") as page, listening(open_api) as stream:
        lines = page.iter_lines()
        assert next(lines).startswith(":")
        committed = asyncio.run(one_gpu_more(world.redis_url, ModelRef(namespace="blue", name=name)))
        event, _, data = heard(stream, name)
        assert (event, data["resource_allocation"]["gpus"]) == ("model", 1)
        assert (data["change"]["action"], data["change"]["changed"]) == ("observed", False)
        assert time.monotonic() - committed < 1
        row, totals = shown(lines)
        assert (row["key"], totals["gpus"]) == (f"blue/InferenceService/{name}", before + 1)
        assert time.monotonic() - committed < 1
    assert open_api.get("/api/v1/capacity").json()["total"]["gpus_held"] == before + 1
    assert len(open_api.get("/api/v1/audit", params={"name": name}).json()["items"]) == entries


async def one_gpu_more(redis_url, ref):
    store = Store.connect(redis_url)
    loaded = await store.load(ref)
    committed = await store.commit(Commit(ref, loaded.revision, loaded.record.model_copy(update={"gpus": 1})))
    await store.close()
    assert not (committed.conflict or committed.stale)
    return time.monotonic()


def shown(lines):
    """The row that came, and the sums after it."""
    row = None
    for line in lines:
        if line.startswith("data: "):
            data = json.loads(line.removeprefix("data: "))
            if "models" in data and row:
                return row, data
            row = data if "html" in data else row
    raise AssertionError("the stream ended")


def test_open_streams_do_not_hold_up_the_end(world):
    with world.api(AUTH="none") as api, listening(api) as stream:
        assert stream.lines
    # World.api fails where the process does not end within 10 s of SIGTERM.
