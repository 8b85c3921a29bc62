"""One caller's commands for one model take their places in the model's line in the order in which their requests arrived.

Between its head and its claim a request is authenticated, authorized and read. A later request can be through with that
first, and then the command that was sent last would lose. So each waits, just before its claim, for those of the same
caller that arrived before it at this process. Nobody waits for another caller's request, nor for another model's.
"""

import asyncio
import hashlib
import re
from collections import OrderedDict
from itertools import takewhile

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from functions.adapters.identity import Unauthenticated
from functions.api.token import is_encrypted, shown_by
from functions.logs import logger
from functions.settings import Settings

WAIT_SECONDS = 5.0
"""The longest that a command waits for its caller's earlier ones; those do not count any longer then."""
_COMMANDS = re.compile(r"/api/v1/(?:(?:namespaces/[^/]+/)?models/(?P<name>[^/]+)/|models:)(?:stop|start)")


class Place:
    """One command's place in the queue of its caller and model."""

    def __init__(self, queues: "Queues", caller: str, model: str) -> None:
        self._queues, self._caller, self._model = queues, caller, model
        self.first = asyncio.Event()

    async def turn(self) -> None:
        """Waits until all before it have left; when it has waited too long they are made to.

        So a connection that died in the middle of its request delays one command, not each that comes later.
        """
        try:
            async with asyncio.timeout(self._queues.seconds):
                await self.first.wait()
        except TimeoutError:
            earlier = self._queues.before(self._caller, self._model, self)
            for place in earlier:
                place.leave()
            logger().warning(
                "a command no longer waits for earlier ones of its caller",
                action="order-given-up",
                model=self._model,
                earlier=len(earlier),
                seconds=self._queues.seconds,
            )

    def leave(self) -> None:
        """The command is in the model's line, or will not get there."""
        self._queues.leave(self._caller, self._model, self)


class Queues:
    """For each caller and model name one queue, for as long as somebody is in it.

    The name alone decides: in which namespace a request means it that names none is found out later.
    """

    def __init__(self, seconds: float = WAIT_SECONDS) -> None:
        self.seconds = seconds
        self._queues: dict[tuple[str, str], OrderedDict[Place, None]] = {}

    def __len__(self) -> int:
        return len(self._queues)

    def join(self, caller: str, model: str) -> Place:
        place = Place(self, caller, model)
        queue = self._queues.setdefault((caller, model), OrderedDict())
        queue[place] = None
        next(iter(queue)).first.set()
        return place

    def before(self, caller: str, model: str, place: Place) -> list[Place]:
        return list(takewhile(lambda one: one is not place, self._queues.get((caller, model), ())))

    def leave(self, caller: str, model: str, place: Place) -> None:
        queue = self._queues.get((caller, model))
        if queue is None or place not in queue:
            return
        del queue[place]
        place.first.set()
        if queue:
            next(iter(queue)).first.set()
        else:
            del self._queues[caller, model]


class Arrival:
    """One request: its `place`, or one for each of many models, joined once it is known which they are."""

    def __init__(self, queues: Queues, caller: str, model: str | None) -> None:
        self._queues, self._caller = queues, caller
        self._places: list[Place] = []
        self.place = self.join(model) if model else None

    def join(self, model: str) -> Place:
        place = self._queues.join(self._caller, model)
        self._places.append(place)
        return place

    def leave(self) -> None:
        for place in self._places:
            place.leave()


class InOrder:
    """ASGI middleware. A request about one model arrives with its head, one about many once it is known which they are."""

    def __init__(self, app: ASGIApp, settings: Settings, queues: Queues | None = None) -> None:
        self._app = app
        self._open = settings.auth == "none"
        self._forwarded = settings.auth_forwarded_token
        self._queues = Queues() if queues is None else queues

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        command = _COMMANDS.fullmatch(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        caller = self._caller(scope) if command else None
        if command is None or caller is None:
            await self._app(scope, receive, send)
            return
        arrival = Arrival(self._queues, caller, command["name"])
        scope.setdefault("state", {})["arrival"] = arrival
        try:
            await self._app(scope, receive, send)
        finally:
            arrival.leave()

    def _caller(self, scope: Scope) -> str | None:
        """What the request shows, before it is known whose that is: nobody can join the queue of a token that he has not.

        None: it shows nothing usable, and will be refused.
        """
        if self._open:
            return ""
        headers = Headers(scope=scope)
        try:
            encrypted = is_encrypted(scope["scheme"], headers)
            shown = shown_by(headers, encrypted=encrypted, forwarded=self._forwarded).authorization
        except Unauthenticated:
            return None
        return hashlib.sha256(shown.encode()).hexdigest() if shown else None
