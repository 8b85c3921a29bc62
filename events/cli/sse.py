"""Server-sent events, as much as this API sends (WHATWG HTML, 9.2: event, id, data, retry; comments are heartbeats)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerSent:
    """One event. `id` is the last one seen in the stream, `retry` in seconds where the server has an opinion."""

    event: str
    data: str
    id: str | None = None
    retry: float | None = None


def parse(lines: Iterable[str]) -> Iterator[ServerSent]:
    """Events from a stream's lines (without line ends). One that is cut off by the end of the stream is not an event."""
    name, data, last_id, retry = "", list[str](), None, None
    for line in lines:
        if not line:
            if data:
                yield ServerSent(name or "message", "\n".join(data), last_id, retry)
            name, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif field == "id" and "\0" not in value:
            last_id = value
        elif field == "retry" and value.isdecimal():
            retry = int(value) / 1000
