"""Sending a model's smoke test to its own pods: found where its owner keeps it, few at a time, and given up in time.

It costs the model the work of one prediction a pod. Whose turn it is, is not decided here.
"""

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Protocol

from functions.adapters import smoke_test
from functions.adapters.answers import NoCredentials, Silent, shown, wants_credentials
from functions.adapters.cluster import Forbidden, Json, Missing
from functions.adapters.conversation import Bounds, Line, could_not
from functions.adapters.kserve.served import Server
from functions.adapters.segments import quoted
from functions.adapters.smoke_test import SmokeTest, Unusable
from functions.adapters.turns import Turns
from functions.lifecycle.observation import SMOKE_TEST_ANNOTATION, PodAnswer
from functions.lifecycle.prediction import Outcome, Prediction

PREDICTION_SECONDS = 4.0
"""Behind the look that a step has begun with, well within the 10 s that it has."""
_TURN_SECONDS = 1.0
_AT_ONCE = 16
_AT_ONCE_OF_ONE_NAMESPACE = 8


class ReadsObjects(Protocol):
    """As much of the cluster as a smoke test needs."""

    async def get(self, path: str, **query: str) -> Json: ...


class SmokeTests:
    """Sends smoke tests. With `line` None no pod is asked."""

    def __init__(self, cluster: ReadsObjects, line: Line | None, seconds: float = PREDICTION_SECONDS) -> None:
        self._cluster = cluster
        self._line = line
        self._seconds = seconds
        self._turns = Turns(_AT_ONCE, _AT_ONCE_OF_ONE_NAMESPACE)

    async def ask(self, metadata: Json, pods: Iterable[tuple[Server, PodAnswer | None]]) -> dict[str, Prediction]:
        """By the pod's uid. Who did not get a turn in time is left out. `metadata` is the model's."""
        pods = list(pods)
        if not pods:
            return {}
        try:
            found = await self.read(metadata)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one model's smoke test is about that model
            why = unreadable(error, metadata)
            return {server.pod_uid: why for server, _ in pods}
        answers = await asyncio.gather(*(self._in_turn(found, server, answer) for server, answer in pods))
        return {server.pod_uid: said for (server, _), said in zip(pods, answers, strict=True) if said}

    async def read(self, metadata: Json, otherwise: str = "") -> SmokeTest:
        """Raises Unusable, and as the cluster does. `otherwise`: what counts where the annotation is not there."""
        text = _text(metadata) or otherwise
        if text.lower() != smoke_test.IN_CONFIG_MAP:
            return smoke_test.parse(text)
        namespace, name = quoted(metadata["namespace"]), quoted(_config_map(metadata))
        if not namespace or not name:
            raise Unusable(f"{shown(_config_map(metadata))} is not a valid name of a ConfigMap")
        return smoke_test.read(await self._cluster.get(f"/api/v1/namespaces/{namespace}/configmaps/{name}"))

    async def _in_turn(self, found: SmokeTest, server: Server, answer: PodAnswer | None) -> Prediction | None:
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(_TURN_SECONDS):
                    await stack.enter_async_context(self._turns.turn(server.namespace))
            except TimeoutError:
                return None
            return await self.send(found, server, answer)

    async def send(self, found: SmokeTest, server: Server, answer: PodAnswer | None) -> Prediction:
        """`answer` is what the pod said when it was asked for its model: it tells the protocol."""
        if self._line is None:
            return Prediction(Outcome.UNREACHED, "cannot be asked", server.pod, next="asking is turned off")
        path = found.path or (answer.predict_path if answer else "")
        if not path:
            return Prediction(
                Outcome.UNUSABLE, "its smoke test has no path", server.pod, next="Set `path` in its smoke test."
            )
        try:
            if answer:
                server = replace(server, port=answer.port or server.port, tls=answer.tls or server.tls)
            reply = await self._line.post(server, path, found.payload, Bounds(self._seconds))
            if server.secret and wants_credentials(reply):
                server = replace(server, authorization=await self._line.authorization(server))
                reply = await self._line.post(server, path, found.payload, Bounds(self._seconds))
            return smoke_test.judge(found, reply, server.pod, path)
        except NoCredentials as error:
            return Prediction(
                Outcome.UNREACHED, "cannot be asked", server.pod, path, f"its server wants credentials: {error}"
            )
        except Silent:
            said = f"no answer in {self._seconds:g}s"
            return Prediction(Outcome.BAD, said, server.pod, path, "Read the predictor's log: it may hang.")
        except Exception as error:  # noqa: BLE001 - whatever one pod answers is about that pod
            why = could_not(error)
            return Prediction(Outcome.UNREACHED, "cannot be asked", server.pod, path, why.detail, why.forbidden)


def unreadable(error: Exception, metadata: Json) -> Prediction:
    """What an error of `read` comes to."""
    place = f"ConfigMap {_config_map(metadata)}"
    match error:
        case Missing():
            said = f"the {place} of its smoke test was not found"
            return Prediction(
                Outcome.UNUSABLE, said, next=f"Create it, or remove the annotation {SMOKE_TEST_ANNOTATION}."
            )
        case Forbidden():
            said = f"the {place} of its smoke test may not be read"
            return Prediction(Outcome.UNREACHED, said, next=f"{said} (knative/examples/smoke-test.yaml has the Role)")
        case Unusable():
            in_annotation = _text(metadata).lower() not in {"", smoke_test.IN_CONFIG_MAP}
            place_of_it = f"the annotation {SMOKE_TEST_ANNOTATION}" if in_annotation else place
            return Prediction(Outcome.UNUSABLE, f"its smoke test: {error}", next=f"Fix {place_of_it}.")
        case _:
            return Prediction(Outcome.UNREACHED, "its smoke test could not be read", next=could_not(error).detail)


def _text(metadata: Json) -> str:
    return str((metadata.get("annotations") or {}).get(SMOKE_TEST_ANNOTATION) or "").strip()


def _config_map(metadata: Json) -> str:
    return f"{smoke_test.PREFIX}{metadata['name']}"
