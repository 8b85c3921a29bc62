"""Model servers' answers, metrics and smoke tests: whatever comes, nothing is raised and other pods are judged by their
own answers.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from functions.adapters import smoke_test
from functions.adapters.answers import Reply, judge, paths
from functions.adapters.in_flight import ask_in_flight, read_metrics, read_queue_proxy
from functions.adapters.kserve.metered import Metered
from functions.adapters.kserve.served import Protocol, Server
from functions.adapters.kserve.smoke_tests import SmokeTests
from functions.adapters.probe import DirectLine, Probe
from functions.lifecycle.observation import Answered, PodAnswer
from functions.lifecycle.prediction import Outcome, Prediction
from fuzz.judge import Findings
from fuzz.server_answers import STATUSES, bodies, raw_answers, smoke_tests
from fuzz.strategies import any_text, long_text

READY = b'HTTP/1.1 200 OK\r\nContent-Length: 28\r\nConnection: close\r\n\r\n{"name":"m","ready": true  }'
COUNTED = b"HTTP/1.1 200 OK\r\nContent-Length: 28\r\nConnection: close\r\n\r\nvllm:num_requests_running 3\n"
_LONGEST = 3000
_ON_THE_WIRE = 10  # of so many calls one is sent over a socket: it costs a hundred times as much
_NAMES = any_text | long_text | st.sampled_from(["..", "../../x", "%2e%2e/x", "a/b", "a?b", "a\r\nX: y", "m"])


def fuzz_servers(calls: int, start: int, found: Findings) -> None:
    on_the_wire = calls // _ON_THE_WIRE
    _fuzz(
        lambda one: _in_process(one, found),
        calls - on_the_wire,
        start,
        st.tuples(bodies(), st.sampled_from(STATUSES), smoke_tests(), _NAMES),
        found,
    )
    with asyncio.Runner() as runner:
        pods = Pods()
        runner.run(pods.open())
        _fuzz(
            lambda one: runner.run(_asked(pods, one, found)),
            on_the_wire,
            start,
            st.tuples(raw_answers(), smoke_tests(), _NAMES),
            found,
        )
        runner.run(pods.close())


def _fuzz(
    judged: Callable[[Any], None], calls: int, start: int, cases: st.SearchStrategy[Any], found: Findings
) -> None:
    @seed(start)
    @settings(max_examples=calls, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(one=cases)
    def run(one: Any) -> None:
        found.calls += 1
        judged(one)

    run()


def _in_process(one: tuple[bytes, int, str, str], found: Findings) -> None:
    body, status, text, name = one
    for protocol in Protocol:
        with _nothing_raised(f"{protocol} of an answer", found, one):
            for path in paths(protocol, name):
                if {".", ".."} & set(path.split("/")) or "?" in path:
                    found.add(f"a name leads elsewhere: {path[:80]}", name)
            reply = Reply(status, body)
            judge(protocol, reply, ["m"])
            _fits(reply.said, "an answer", found, one)
    for read in (read_metrics, read_queue_proxy):
        with _nothing_raised(read.__name__, found, body):
            counted = read(body)
            if counted and not 0 <= counted.requests <= 10**10:
                found.add(f"{read.__name__} believes {counted.requests}", body)
    with _nothing_raised("a smoke test", found, one):
        _predicted(_parsed(text), Reply(status, body), found, one)


def _parsed(text: str) -> smoke_test.SmokeTest | str:
    try:
        return smoke_test.parse(text)
    except smoke_test.Unusable as error:
        return str(error)


def _predicted(meant: smoke_test.SmokeTest | str, reply: Reply, found: Findings, one: Any) -> None:
    if isinstance(meant, str):
        _fits(meant, "an unusable smoke test", found, one)
    else:
        _fits(smoke_test.judge(meant, reply, "pod", "/p").sentence, "a prediction", found, one)


class Pods:
    """One that answers `odd`, and one that is as it should be."""

    odd: bytes = b""

    async def open(self) -> None:
        self.line = DirectLine()
        self.probe = Probe(self.line)
        self._servers = [
            await asyncio.start_server(self._answer, "127.0.0.1", 0),
            await asyncio.start_server(lambda reader, writer: self._answer(reader, writer, READY), "127.0.0.1", 0),
            await asyncio.start_server(lambda reader, writer: self._answer(reader, writer, COUNTED), "127.0.0.1", 0),
        ]
        self.ports = [server.sockets[0].getsockname()[1] for server in self._servers]

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        await self.line.close()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: bytes | None = None
    ) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(self.odd if said is None else said)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def server(self, uid: str, number: int, name: str = "m") -> Server:
        protocols = (Protocol.V1, Protocol.V2, Protocol.OPENAI)
        return Server(uid, f"pod-{uid}", uid, "127.0.0.1", self.ports[number], False, (name,), False, protocols)


class _NoObjects:
    async def get(self, path: str, **_: str) -> dict[str, Any]:
        raise AssertionError(f"{path} was read")


async def _asked(pods: Pods, one: tuple[bytes, str, str], found: Findings) -> None:
    pods.odd, text, name = one
    odd, good, counted = (
        pods.server(uid, number, name if number == 0 else "m") for number, uid in enumerate(("odd", "good", "counted"))
    )
    with _nothing_raised("asking pods", found, one):
        answers = await pods.probe.ask([odd, good], within=10)
        if answers["good"].what is not Answered.LOADED:
            found.add(f"another pod's answer became {answers['good'].what}", one)
        _fits(answers["odd"].detail, "a pod's answer", found, one)
    with _nothing_raised("asking for metrics", found, one):
        metered = [
            Metered(odd, "/metrics"),
            Metered(replace(odd, pod_uid="proxy"), "/metrics", by_queue_proxy=True),
            Metered(counted, "/metrics"),
        ]
        told = await ask_in_flight(pods.line, metered, within=10)
        if "counted" not in told or told["counted"].requests != 3:
            found.add("another pod's requests are not counted", one)
    if text.strip().lower() in {"", smoke_test.IN_CONFIG_MAP}:
        return
    with _nothing_raised("sending a smoke test", found, one):
        metadata = {"name": "m", "namespace": "n", "annotations": {"modelswitch.dev/smoke-test": text}}
        known = PodAnswer(Answered.LOADED, "GET /v1/models/m: 200", predict_path="/v1/models/m:predict")
        predictions = await SmokeTests(_NoObjects(), pods.line).ask(metadata, [(odd, known), (good, known)])
        _judge(predictions, found, one)


def _judge(predictions: dict[str, Prediction], found: Findings, one: Any) -> None:
    if predictions["good"].outcome is Outcome.UNREACHED:
        found.add(f"another pod could not be asked: {predictions['good'].next}", one)
    for said in predictions.values():
        _fits(f"{said.sentence}{said.next}", "a prediction", found, one)


@contextmanager
def _nothing_raised(what: str, found: Findings, one: Any) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        found.add(f"{what} raised {type(error).__name__}: {str(error)[:120]}", one)


def _fits(words: str, what: str, found: Findings, one: Any) -> None:
    """Into a record, a page and a terminal."""
    if not words.isprintable():
        found.add(f"{what} is shown with control characters", one)
    if len(words) > _LONGEST:
        found.add(f"{what} repeats its input", one)
