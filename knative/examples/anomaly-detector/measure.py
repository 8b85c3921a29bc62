"""How fast a model answers: `measure.py http://HOST:PORT --connections 32 --seconds 20`; one line of JSON.

Without `--rate` each connection asks again as soon as it has its answer: how many requests per second there can be. With
`--rate N` requests are due N times a second, and each is timed from when it was due, so that waiting for a free
connection counts: what a client would see at that load. The standard library is enough, so it runs in any pod.
"""

import argparse
import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

ROW = [35.0, 55.0, 20.0, 0.2, 120.0]
TIMEOUT_SECONDS = 30.0


@dataclass
class Seen:
    """Milliseconds of the answers with status 200; everything else in words, with how often."""

    milliseconds: list[float] = field(default_factory=list)
    failed: dict[str, int] = field(default_factory=dict)

    def failure(self, what: str) -> None:
        self.failed[what] = self.failed.get(what, 0) + 1

    def quantile(self, share: float) -> float | None:
        ordered = sorted(self.milliseconds)
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else None


class Pace:
    """When the next request is due: at once, or evenly `rate` times a second, over all connections together."""

    def __init__(self, rate: float, seconds: float) -> None:
        self._rate, self._seconds = rate, seconds
        self._asked = 0
        self.begun = time.monotonic()

    async def due(self) -> float | None:
        """Its time, once it has come; None when all is over."""
        after = self._asked / self._rate if self._rate else time.monotonic() - self.begun
        self._asked += 1
        if after >= self._seconds:
            return None
        when = self.begun + after
        await asyncio.sleep(max(0.0, when - time.monotonic()))
        return when


class Connection:
    """HTTP/1.1 with keep-alive, as much of it as one kind of request needs: a client library would take a core for itself."""

    def __init__(self, host: str, port: int, request: bytes) -> None:
        self._host, self._port, self._request = host, port, request
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self) -> int:
        """The status of the answer, read to its end. OSError, EOFError or ValueError: there was none."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        writer.write(self._request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = next((line[15:] for line in head.split(b"\r\n") if line.startswith(b"content-length:")), b"0")
        await reader.readexactly(int(length))
        return int(head.split(b" ", 2)[1])

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
        self._streams = None


async def keep_asking(connection: Connection, pace: Pace, seen: Seen) -> None:
    while (due := await pace.due()) is not None:
        try:
            status = await asyncio.wait_for(connection.ask(), TIMEOUT_SECONDS)
        except (OSError, EOFError, ValueError, IndexError) as error:
            seen.failure(type(error).__name__)
            connection.close()
            continue
        if status == 200:
            seen.milliseconds.append((time.monotonic() - due) * 1000)
        else:
            seen.failure(f"status {status}")
    connection.close()


async def measure(args: argparse.Namespace) -> tuple[Seen, float]:
    """What was seen, and the seconds that it took."""
    parts = urlsplit(args.url)
    if parts.scheme != "http" or not parts.hostname:
        sys.exit(f"{args.url} is no address to measure; expected http://HOST:PORT, such as that of the model's Service")
    body = json.dumps({"instances": [ROW] * args.rows}).encode()
    head = f"POST /v1/models/{args.model}:predict HTTP/1.1\r\nHost: {args.host or parts.netloc}\r\n"
    request = f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    seen, pace = Seen(), Pace(args.rate, args.seconds)
    connections = [Connection(parts.hostname, parts.port or 80, request) for _ in range(args.connections)]
    await asyncio.gather(*(keep_asking(one, pace, seen) for one in connections))
    return seen, time.monotonic() - pace.begun


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="Of the model's Service, of one pod, or of the gateway (with --host).")
    parser.add_argument("--model", default="anomaly-detector")
    parser.add_argument("--host", help="Host header, where the address is a gateway's.")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rate", type=float, default=0, help="Requests per second; default: as many as there can be.")
    parser.add_argument("--rows", type=int, default=1, help="Rows per request.")
    args = parser.parse_args()
    seen, seconds = asyncio.run(measure(args))
    answered = len(seen.milliseconds)
    figures = {
        "requests_per_second": round(answered / seconds, 1),
        "p50_ms": seen.quantile(0.5),
        "p99_ms": seen.quantile(0.99),
        "answered": answered,
        "failed": seen.failed,
    }
    print(json.dumps(figures))  # noqa: T201 (what it is for)
    return 0 if answered and not seen.failed else 1


if __name__ == "__main__":
    sys.exit(main())
