"""Many models, many commands each, milliseconds apart: the last one sent wins, and each is done once or superseded
once.

On real processes: the simulated cluster with KServe's behaviour, Redis, the function that takes commands, the timer,
the API and the local broker. `make faults-order` does it with 50 models and 20 commands.
"""

import asyncio
import contextlib
import itertools
import os
import time

import httpx
import pytest
import yaml
from api_rig import prepare
from broker_process import Broker
from function_process import ROOT, SECRET, START, STOP, function, until
from order_rig import drawn, outcomes, send_all

from events.commands import StopRequested
from events.model import ModelRef
from functions.adapters.store import Store
from functions.lifecycle.request import Request
from functions.local.broker.manifests import NOT_DEPLOYED

MODELS = int(os.environ.get("ORDER_MODELS", "4"))
COMMANDS = int(os.environ.get("ORDER_COMMANDS", "8"))
SECONDS = 30 + 4 * MODELS
SPACE = "order"
_NAMES = itertools.count()


@pytest.fixture(scope="module")
def functions(world, tmp_path_factory):
    """`command`, `tick` and `pod_status`; facts have nowhere to go."""
    folder = tmp_path_factory.mktemp("order")
    prepare(world.cluster, SPACE)
    patch = {"metadata": {"labels": {"modelswitch.dev/events": "allow"}}}
    merge = {"content-type": "application/merge-patch+json"}
    world.cluster.patch(f"/api/v1/namespaces/{SPACE}", json=patch, headers=merge).raise_for_status()
    env = {"KUBECONFIG": str(world.kubeconfig), "REDIS_URL": world.redis_url}
    with contextlib.ExitStack() as stack:
        names = ("command", "tick")
        yield {name: stack.enter_context(function(name, folder / f"{name}.log", env)) for name in names}


@pytest.fixture
def models(world, functions):
    """What is sent to each, drawn from a seed."""
    names = [world.make(SPACE, f"ordered-{next(_NAMES)}", ready=False) for _ in range(MODELS)]
    for name in names:
        until(lambda name=name: world.ready(SPACE, name), f"{name} is ready", SECONDS)
    return [drawn(name, SPACE, COMMANDS, seed=1) for name in names]


def judge(world, api, functions, models):
    """Once the cluster is at rest, the last command sent of each model is what it is; none was done
    twice or forgotten.
    """
    moving = {sent.model: sent for sent in models}

    def settled():
        functions["tick"].send("dev.knative.sources.ping", None, id=str(time.time()))
        for sent in list(moving.values()):
            status = api.get(f"/api/v1/namespaces/{SPACE}/models/{sent.model}/status").json()
            if status["queued"] or status["state"] not in {"running", "stopped"}:
                continue
            found = outcomes(api, sent)
            if all(found[sent.identity(number)] for number in range(COMMANDS)):
                del moving[sent.model]
        return not moving

    until(settled, "every model comes to rest, and each command is in its model's history", SECONDS)
    wrong = []
    for sent in models:
        stopped = world.annotations(SPACE, sent.model).get("serving.kserve.io/stop") == "true"
        if stopped != (sent.verbs[-1] == "stop"):
            wrong.append((sent.model, sent.verbs, dict(outcomes(api, sent))))
        for identity, found in outcomes(api, sent).items():
            assert found in ({"done"}, {"Superseded"}), (sent.model, identity, found)
    assert not wrong, wrong
    assert world.redis.client().zcard("{modelswitch}:lines") == 0


async def test_by_event_at_the_function_each_is_taken_at_once_and_the_last_wins(world, open_api, functions, models):
    def event(client, sent, number):
        return client.build_request("POST", functions["command"].address, headers=sent.headers(number), content=b"{}")

    answers = await send_all(models, event)
    assert {answer.status_code for answer in answers} == {202}
    await asyncio.to_thread(judge, world, open_api, functions, models)


async def test_over_rest_the_last_wins(world, open_api, functions, models):
    """Each is sent when the one before is answered: between connections HTTP keeps no order."""

    def post(client, sent, number):
        verb = sent.verbs[number]
        url = f"{open_api.base_url}/api/v1/namespaces/{SPACE}/models/{sent.model}/{verb}"
        body = {"queue": True} if verb == "start" else {}
        return client.build_request("POST", url, json=body, headers={"idempotency-key": sent.identity(number)})

    answers = await send_all(models, post, one_by_one=True)
    assert {answer.json()["detail"] for answer in answers if answer.status_code not in {200, 202}} == set()
    await asyncio.to_thread(judge, world, open_api, functions, models)


async def test_through_the_local_broker_the_last_wins_and_nothing_is_sent_twice(
    world, open_api, functions, models, tmp_path
):
    triggers = [*yaml.safe_load_all((ROOT / "knative/base/triggers.yaml").read_text().replace(NOT_DEPLOYED, SECRET))]
    broker = {
        "apiVersion": "eventing.knative.dev/v1",
        "kind": "Broker",
        "metadata": {"name": "modelswitch"},
        "spec": {},
    }
    commands = [one for one in triggers if one["metadata"]["name"] == "command"]
    subscribers = {"command": functions["command"].url, "dead-letter": "http://127.0.0.1:1"}
    running = await Broker(tmp_path, [broker, *commands], subscribers).start()
    try:

        def publish(client, sent, number):
            return client.build_request("POST", running.url, headers=sent.headers(number), content=b"{}")

        answers = await send_all(models, publish)
        assert {answer.status_code for answer in answers} == {202}
        await asyncio.to_thread(judge, world, open_api, functions, models)
    finally:
        await running.stop()
    assert not [line for line in running.lines if "retr" in line or "again" in line], running.lines


async def test_many_commands_of_a_busy_model_are_no_error_and_hold_no_other_model_up(world, functions, models):
    busy, other = models[0], models[1]
    url = functions["command"].address

    async def send(client, sent, kind, identity):
        named = sent.headers(0) | {"ce-type": kind, "ce-id": identity}
        return await client.post(url, headers=named, content=b"{}")

    async with httpx.AsyncClient(timeout=60) as client:
        many = [asyncio.create_task(send(client, busy, START, f"busy-{busy.model}-{number}")) for number in range(60)]
        answer = await send(client, other, STOP, f"other-{other.model}")
        assert world.annotations(SPACE, other.model).get("serving.kserve.io/stop") == "true"
        answers = [answer, *await asyncio.gather(*many)]
    assert {answer.status_code for answer in answers} == {202}


def test_the_timer_takes_on_what_is_in_line_where_its_process_died(world, open_api, functions, models):
    """As after kill -9: the turn's lease has ended, and no delivery and no caller comes again."""
    subject = models[0].subject
    ref = ModelRef.from_subject(subject)

    async def hold():
        store = Store.connect(world.redis_url)
        request = Request(ref, StopRequested(), "/dead", "1", "dead", by_event=True)
        assert (await store.claim(request)).token
        await store.close()

    asyncio.run(hold())
    assert functions["command"].send(START, subject, id="behind-it", source="/dead").status_code == 202
    assert functions["command"].send(STOP, subject, id="and-behind-that", source="/dead").status_code == 202
    assert world.annotations(SPACE, ref.name).get("serving.kserve.io/stop") is None
    world.redis.client().hset("{modelswitch}:model:" + subject, "busy_until", 0)
    functions["tick"].send("dev.knative.sources.ping", None, id="ping").raise_for_status()
    assert world.annotations(SPACE, ref.name)["serving.kserve.io/stop"] == "true"
    assert world.redis.client().zscore("{modelswitch}:lines", subject) is None
    found = outcomes(open_api, models[0])
    assert found == {"1": {"Superseded"}, "behind-it": {"Superseded"}, "and-behind-that": {"done"}}
