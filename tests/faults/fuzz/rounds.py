"""The timer's rounds, lists and pages over a cluster in which one tenant's objects are odd: all others' are right."""

import asyncio
import contextlib
import copy
import itertools
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from events.model import ModelRef
from functions.api.app import create_app
from functions.composition import Parts
from functions.settings import Settings
from functions.tick.round import go_round
from fuzz.any_cluster import AnyCluster
from fuzz.judge import TRACES, Findings
from fuzz.objects import NOTE, TENANT, Placed, hostile, model, pod

PAGES = ("/api/v1/models", "/api/v1/capacity", "/capacity", f"/models/{TENANT}/InferenceService/odd")
OTHER_PAGES = ("/api/v1/audit", "/", "/audit", "/models/zulu/InferenceService/runs")  # each takes a while
RIGHT = {
    ("alpha", "runs"): "running",
    ("alpha", "stopped"): "stopped",
    ("zulu", "runs"): "running",
    ("zulu", "starts"): "starting",
}
_OWN_NOTE = json.dumps({name: value for name, value in NOTE.items() if name != "queued"})
_OBJECTS_A_ROUND = 12
_ROUNDS = 5
"""On a busy machine one may not get to the end."""


def neighbours(turn: int) -> Iterator[Placed]:
    """They carry the number of the round, so that a round that did not look at them shows."""
    for namespace, name in RIGHT:
        stopped = {"serving.kserve.io/stop": "true", "modelswitch.dev/stop": _OWN_NOTE} if name == "stopped" else {}
        made = copy.deepcopy(
            model(name, {"serving.kserve.io/deploymentMode": "Standard", **stopped}, "True" if stopped else "False")
        )
        made["metadata"] |= {"namespace": namespace, "uid": f"{namespace}-{name}", "labels": {"round": str(turn)}}
        made["metadata"]["resourceVersion"] = str(100 + turn)
        made["status"] |= {"deploymentMode": "Standard", "modelStatus": {}}
        state = "True" if stopped else "Unknown" if name == "starts" else "False"
        made["status"]["conditions"] = [
            {
                "type": "Ready",
                "status": {"runs": "True", "starts": "Unknown"}.get(name, "False"),
                "reason": "Stopped" if stopped else "",
            },
            {"type": "Stopped", "status": state},
        ]
        yield Placed("inferenceservices", name, made, {}, namespace)
        if name == "runs":
            own = pod(f"{name}-pod", name, uid=f"{namespace}-pod")
            own["metadata"]["namespace"] = namespace
            own["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
            yield Placed("pods", own["metadata"]["name"], own, {"serving.kserve.io/inferenceservice": name}, namespace)


class Rounds:
    """One cluster, one store, the timer's work and the application, all in this process."""

    def __init__(self, redis_url: str, folder: Path) -> None:
        self._settings = Settings(redis_url=redis_url, k_sink=None, probe="off", auth="none")
        self._folder = folder
        self.cluster = AnyCluster()
        self._stack = contextlib.AsyncExitStack()
        self._turns = itertools.count(1)

    async def begin(self) -> None:
        os.environ["KUBECONFIG"] = str(await self.cluster.start(self._folder))
        self._stack.push_async_callback(self.cluster.stop)
        self._parts = await Parts.connect(self._settings)
        self._stack.push_async_callback(self._parts.close)
        app = create_app(self._settings)
        await self._stack.enter_async_context(app.router.lifespan_context(app))
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 1), raise_app_exceptions=False)
        self._client = await self._stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=30)
        )

    async def end(self) -> None:
        await self._stack.aclose()

    async def play(self, objects: list[Placed]) -> list[str]:
        """What is wrong after a round, in words."""
        turn = next(self._turns)
        self.cluster.version = 100 + turn
        self.cluster.objects = [*neighbours(turn), *objects]
        redis = self._parts.store._redis
        if turn % 10 == 0:
            await redis.flushall()
        for _ in range(_ROUNDS):
            await redis.delete("{modelswitch}:resync")  # a pass of its own, however long the one before took
            try:
                await go_round(self._parts)
            except Exception as error:  # noqa: BLE001 - that is what is looked for
                return [f"the round raised {type(error).__name__}: {ascii(str(error))[:200]}"]
            wrong = await self._wrong_states(turn)
            if not wrong and await self._parts.store.synced():
                break
        return [*wrong, *await self._wrong_pages(PAGES if turn % 4 else PAGES + OTHER_PAGES)]

    async def _wrong_states(self, turn: int) -> list[str]:
        refs = [ModelRef(namespace=namespace, name=name) for namespace, name in RIGHT]
        wrong = []
        for ref, record in zip(refs, await self._parts.store.records(refs), strict=True):
            wanted = RIGHT[ref.namespace, ref.name]
            if record is None or record.labels != {"round": str(turn)}:
                wrong.append(f"{ref} was not looked at")
            elif record.state != wanted:
                wrong.append(f"{ref} is {record.state} {record.reason}, not {wanted}")
        return wrong

    async def _wrong_pages(self, paths: Sequence[str]) -> list[str]:
        wrong = []
        for path in paths:
            answer = await self._client.get(path)
            if answer.status_code != 200 and not (answer.status_code == 404 and TENANT in path):
                wrong.append(f"{path} answers {answer.status_code} {answer.text[:200]}")
            wrong += [f"{path} shows a traceback" for trace in TRACES if trace in answer.content]
        return wrong


def fuzz_rounds(calls: int, start: int, found: Findings, redis_url: str, folder: Path) -> None:
    """Several odd objects at a time; each counts as a call."""
    before, kubeconfig = found.calls, os.environ.get("KUBECONFIG")
    loop = asyncio.new_event_loop()
    rounds = Rounds(redis_url, folder)
    loop.run_until_complete(rounds.begin())

    @seed(start)
    @settings(max_examples=calls, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        objects=st.lists(hostile(), min_size=1, max_size=_OBJECTS_A_ROUND, unique_by=lambda one: (one.plural, one.name))
    )
    def run(objects: list[Placed]) -> None:
        if found.calls - before < calls:
            found.calls += len(objects)
            for wrong in loop.run_until_complete(rounds.play(objects)):
                found.add(wrong, objects)

    try:
        run()
    finally:
        loop.run_until_complete(rounds.end())
        loop.close()
        os.environ.pop("KUBECONFIG")
        if kubeconfig:
            os.environ["KUBECONFIG"] = kubeconfig
