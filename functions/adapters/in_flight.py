"""How many requests pods have in flight, by their own metrics: asked in parallel, within a second, and never guessed.

Which gauges mean it, by their servers' documentation:
- vLLM (also behind KServe's Hugging Face server): `vllm:num_requests_running` and `vllm:num_requests_waiting`.
- Text Generation Inference: `tgi_batch_current_size` and `tgi_queue_size`.
- OpenVINO Model Server: `ovms_current_requests`, where its metrics are on.
- Triton: `nv_inference_pending_request_count` counts those that wait for a backend; those being computed it does not tell.
- Knative's queue-proxy: the average over its last second, for its autoscaler: `queue_average_concurrent_requests` as text,
  field 2 of a protobuf message in later versions.
KServe's own Python servers, MLServer and TorchServe export durations and totals, and no gauge of requests in flight.
"""

import asyncio
import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from prometheus_client.parser import text_string_to_metric_families

from functions.adapters.conversation import Line
from functions.adapters.kserve.metered import Metered
from functions.adapters.probe import AT_ONCE, AT_ONCE_OF_ONE_NAMESPACE
from functions.adapters.turns import Turns

ASK_SECONDS = 1.0
_QUEUE_PROXYS = "queue_average_concurrent_requests"
_EXACT = (
    ("vllm:num_requests_running", "vllm:num_requests_waiting"),
    ("tgi_batch_current_size", "tgi_queue_size"),
    ("ovms_current_requests",),
    (_QUEUE_PROXYS,),
)
_PARTLY = (("nv_inference_pending_request_count",),)
_NAMES = frozenset(name for names in (*_EXACT, *_PARTLY) for name in names)
_AVERAGE_FIELD = 2
_MOST_LINES = 1000
_LONGEST_LINE = 4096
_LARGEST_MESSAGE = 64 * 1024
_BELIEVED = 1e9


@dataclass(frozen=True)
class InFlight:
    """`exact` False: there may be more that the server does not report."""

    requests: int
    exact: bool = True


async def ask_in_flight(
    line: Line | None, pods: Sequence[Metered], within: float = ASK_SECONDS, turns: Turns | None = None
) -> dict[str, InFlight]:
    """By the pod's uid. A pod that does not answer in time is left out. `turns`: shared with other callers."""
    if line is None or not pods:
        return {}
    turns = turns or Turns(AT_ONCE, AT_ONCE_OF_ONE_NAMESPACE)
    asking = {asyncio.ensure_future(_in_turn(turns, line, pod)): pod.server.pod_uid for pod in pods}
    try:
        done, _ = await asyncio.wait(asking, timeout=within)
    finally:
        for task in asking:
            task.cancel()
    return {asking[task]: found for task in done if (found := task.result())}


async def _in_turn(turns: Turns, line: Line, pod: Metered) -> InFlight | None:
    async with turns.turn(pod.server.namespace):
        try:
            return await _ask(line, pod)
        except Exception:  # noqa: BLE001 - whatever one pod answers, the others are counted
            return None


async def _ask(line: Line, pod: Metered) -> InFlight | None:
    """Raises as the line does."""
    reply = await line.ask(pod.server, pod.path)
    if reply.status != HTTPStatus.OK or reply.odd:
        return None
    return read_queue_proxy(reply.body) if pod.by_queue_proxy else read_metrics(reply.body)


def read_metrics(body: bytes) -> InFlight | None:
    """Prometheus' text format; None where no known gauge is in it. Only their lines are parsed: there may be thousands."""
    lines = [line for line in body.decode(errors="replace").splitlines() if _name(line) in _NAMES]
    if len(lines) > _MOST_LINES or any(len(line) > _LONGEST_LINE for line in lines):
        return None
    values: dict[str, float] = {}
    try:
        for family in text_string_to_metric_families("\n".join([*lines, ""])):
            for sample in family.samples:
                values[sample.name] = values.get(sample.name, 0.0) + sample.value
    except Exception:  # noqa: BLE001 - the parser raises what it likes on what is no metric
        return None
    for names, exact in ((_EXACT, True), (_PARTLY, False)):
        for group in names:
            if group[0] in values:
                return _in_flight([values.get(name, 0.0) for name in group], exact=exact)
    return None


def _in_flight(values: Sequence[float], *, exact: bool = True) -> InFlight | None:
    """A part of a request on average was one request for a part of the second: rounded up.

    None for what is no count.
    """
    if all(math.isfinite(value) and 0 <= value <= _BELIEVED for value in values):
        return InFlight(math.ceil(sum(values)), exact)
    return None


def _name(line: str) -> str:
    return line.partition("{")[0].partition(" ")[0]


def read_queue_proxy(body: bytes) -> InFlight | None:
    """As text, or as the message for Knative's autoscaler."""
    if found := read_metrics(body):
        return found
    if len(body) > _LARGEST_MESSAGE:
        return None
    try:
        fields = dict(_fields(body))
        average = struct.unpack("<d", fields[_AVERAGE_FIELD])[0] if _AVERAGE_FIELD in fields else 0.0
    except (ValueError, IndexError, struct.error):
        return None
    return _in_flight([average]) if 1 in fields else None


def _fields(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of each field of a protobuf message. ValueError or IndexError where it is none."""
    at = 0
    while at < len(body):
        key, at = _varint(body, at)
        match key & 7:
            case 0:
                start = at
                _, at = _varint(body, at)
            case 1:
                start, at = at, at + 8
            case 2:
                length, start = _varint(body, at)
                at = start + length
            case 5:
                start, at = at, at + 4
            case other:
                raise ValueError(f"no wire type {other}")
        if at > len(body):
            raise ValueError("cut off")
        yield key >> 3, body[start:at]


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("no number")
