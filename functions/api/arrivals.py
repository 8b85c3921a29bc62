"""One caller's commands for one model are claimed in the order in which their requests arrived (functions/command_order.py)."""

import hashlib
import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from functions.adapters.identity import Unauthenticated
from functions.api.token import is_encrypted, shown_by
from functions.command_order import Place, Queues
from functions.settings import Settings

_COMMANDS = re.compile(r"/api/v1/(?:(?:namespaces/[^/]+/)?models/(?P<name>[^/]+)/|models:)(?:stop|start)")


class Arrival:
    """One request: its `place`, or one for each of many models, joined once it is known which they are.

    The model's name alone decides: in which namespace a request means it that names none is found out later.
    """

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
        """A digest of the token that the request shows, before it is known whose that is: only its owner can join its queue.

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
