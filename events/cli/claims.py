"""`modelswitch watch-claim`: the container of a ContainerSource, one per claim."""

import os
import signal
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

from pydantic import TypeAdapter, ValidationError

from events.artifact import Strategy, Uri
from events.artifacts.watching import Claim, ClaimWatch, News, places
from events.cli.artifacts import own_namespace, told
from events.cli.names import usage
from events.cli.publishing import publisher
from events.cli.terminal import stderr_console
from events.envelope import build, explain
from events.errors import PublishFailed
from events.publisher import Publisher

_SEND_SECONDS = 10.0
_SHORTEST_ROUND_SECONDS = 0.1


@dataclass(frozen=True)
class Order:
    """A `watch-claim` command line. Seconds."""

    claim: str
    namespace: str | None
    path: Path
    artifacts: tuple[str, ...]
    every: float
    stable: float
    check_formats: bool
    strategy: Strategy
    sink: str
    json: bool


def watch(order: Order) -> NoReturn:
    """Never ends by itself; SIGTERM ends it at once. CliError (2): it can't begin."""
    signal.signal(signal.SIGTERM, _ended)
    claim = _claim(order)
    outbox = _Outbox(claim, replace(publisher(order.sink), deadline=_SEND_SECONDS), order.json)
    watching = ClaimWatch(claim, _complain)
    while True:
        begun = time.monotonic()
        for news in watching.poll():
            outbox.put(news)
            outbox.flush()
        outbox.flush(again=True)
        time.sleep(max(_SHORTEST_ROUND_SECONDS, begun + order.every - time.monotonic()))


@dataclass
class _Outbox:
    """Events that the sink has not accepted yet: only the newest state of each artifact; older ones are not needed."""

    claim: Claim
    publisher: Publisher
    json: bool
    waiting: dict[str, News] = field(default_factory=dict)
    away: str | None = None

    def put(self, news: News) -> None:
        self.waiting.pop(news.artifact.uri, None)
        self.waiting[news.artifact.uri] = news

    def flush(self, *, again: bool = False) -> None:
        """Sends what waits, oldest first. A sink that is away is asked once a round (`again`), not for each event."""
        if self.away and not again:
            return
        for uri, news in list(self.waiting.items()):
            try:
                self._send(news)
            except PublishFailed as error:
                if _is_final(error.status):
                    _complain(f"{error.message}; no event is published for {uri}. {error.next_action}")
                else:
                    self._wait(error)
                    return
            del self.waiting[uri]
            self._back()

    def _send(self, news: News) -> None:
        """Built when it is sent: an event that waited must not have expired on its way."""
        event = build(news.artifact, news.artifact.ref, source=self.claim.source, id=news.id)
        self.publisher.send(event)
        told(event, news.artifact, self.publisher.sink_url, as_json=self.json)

    def _wait(self, error: PublishFailed) -> None:
        if self.away is None:
            _complain(f"{error.message}. {len(self.waiting)} events wait; trying again. {error.next_action}")
        self.away = error.message

    def _back(self) -> None:
        if self.away:
            _complain(f"{self.publisher.sink_url} takes events again")
        self.away = None


def _is_final(status: int | None) -> bool:
    """401 and 403 are not: permission may be given while it waits."""
    return status is not None and 300 <= status < 500 and status not in {401, 403, 404, 408, 409, 429}


def _claim(order: Order) -> Claim:
    try:
        TypeAdapter(Uri).validate_python(f"pvc://{order.claim}")
        chosen = places(order.artifacts)
    except ValidationError as error:
        raise usage(f"--claim: {explain(error)}", "Write the name of the PersistentVolumeClaim.") from error
    except ValueError as error:
        raise usage(f"--artifact: {error}", "Write paths as they are on the claim.") from error
    if not os.access(order.path, os.R_OK | os.X_OK):
        raise usage(
            f"{order.path} is not there, or may not be read", "Mount the claim and name its folder with --path."
        )
    namespace = own_namespace(f"pvc://{order.claim}", order.namespace) or ""
    return Claim(
        order.claim, namespace, order.path, chosen, order.stable, order.strategy, order.check_formats
    )  # fmt: skip


def _complain(line: str) -> None:
    stderr_console().print(line)


def _ended(_signal: int, _frame: object) -> NoReturn:
    raise SystemExit(0)
