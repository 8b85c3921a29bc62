"""What one pod is asked until it is known whether it has its model: few requests, little time, little to read.

Whatever a server answers, the worst that comes of it is that this pod could not be asked, and why.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import IntEnum, auto
from http import HTTPStatus
from typing import Any
from typing import Protocol as Interface

from events.errors import ModelswitchError
from functions.adapters.answers import (
    SLEEPING_PATH,
    NoCredentials,
    NotHttp,
    NotPermitted,
    Reply,
    Silent,
    Unreached,
    is_asleep,
    is_metadata,
    judge,
    may_want_tls,
    paths,
    predict_path,
    proves_itself,
    shown,
    wants_credentials,
)
from functions.adapters.kserve.served import MOST_NAMES, Protocol, Server
from functions.adapters.listings import LISTINGS, V2_INDEX, Has, Listing, has, listed
from functions.lifecycle.errors import StepError
from functions.lifecycle.observation import Answered, PodAnswer

ANSWER_SECONDS = 2.0
TLS_SECONDS = 1.0
"""Of a try whether a port speaks TLS: a server that does not may wait for more."""
MOST_REQUESTS = 12
MOST_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Bounds:
    """Of one request."""

    seconds: float = ANSWER_SECONDS
    octets: int = MOST_BYTES


class _Spent(ModelswitchError):
    """The pod has used up what it is given, and said nothing that tells."""


WHOLE = Bounds()


class Line(Interface):
    """One way to reach a pod."""

    async def ask(self, server: Server, path: str, bounds: Bounds = WHOLE) -> Reply:
        """GET; `path` is quoted already. Raises Unreached, NotPermitted or Silent."""

    async def post(self, server: Server, path: str, body: Any, bounds: Bounds = WHOLE) -> Reply:
        """`body` goes as JSON. Raises Unreached, NotPermitted or Silent."""

    async def authorization(self, server: Server) -> str:
        """What the server's Secret has for it. Raises NoCredentials."""

    async def close(self) -> None: ...


class _Why(IntEnum):
    """Of the reasons why a pod could not be asked, the first is told."""

    CREDENTIALS = auto()
    ODD = auto()
    SPENT = auto()
    NO_PROTOCOL = auto()
    UNREACHED = auto()


@dataclass
class Conversation:
    """With one pod, at one port after the other. Time begins with the first request."""

    line: Line
    server: Server
    _requests: int = 0
    _replies: int = 0
    _octets: int = MOST_BYTES
    _ends: float = 0.0
    _whys: list[tuple[_Why, PodAnswer]] = field(default_factory=list)
    _known: dict[tuple[str, str], Reply] = field(default_factory=dict)
    _no_key: str = "modelswitch has none"

    def __post_init__(self) -> None:
        self._at = self.server

    async def ask(self) -> PodAnswer:
        """Raises Silent where the first request got no answer."""
        server = self.server
        if server.unusable:
            return PodAnswer(Answered.UNASKABLE, f"{server.pod}: {server.unusable}")
        self._ends = asyncio.get_running_loop().time() + ANSWER_SECONDS
        try:
            for port in (server.port, *server.other_ports):
                self._at, self._known = replace(server, port=port), {}
                if found := await self._at_this_port():
                    found = replace(found, tls=self._at.tls)
                    return found if port == server.port else _of_port(found, port)
        except _Spent as error:
            self._whys.append((_Why.SPENT, PodAnswer(Answered.UNASKABLE, str(error))))
        return min(self._whys, key=lambda one: one[0])[1]

    async def _at_this_port(self) -> PodAnswer | None:
        """In plain HTTP, or by TLS. One that answers all of it 400 without a word may be a Triton, so TLS comes last there."""
        found = await self._by_protocols()
        if found is None and not self._at.tls and self._known:
            method, path = next(iter(self._known))
            refused = self._known[method, path].status == HTTPStatus.BAD_REQUEST
            if refused and (reply := await self._by_tls(method, path)):
                self._known = {(method, path): reply}
                found = await self._by_protocols()
        return found

    async def _by_protocols(self) -> PodAnswer | None:
        """By each protocol until one is understood."""
        own_protocol = Protocol.GRPC not in self.server.protocols
        before = len(self._whys)
        try:
            for protocol in self.server.protocols:
                if found := await self._by_protocol(protocol):
                    return found
        except Unreached as error:
            self._whys.append((_Why.UNREACHED, could_not(error)))
            return None
        if len(self._whys) == before:
            said = PodAnswer(Answered.UNASKABLE, self._spoken(), own_protocol=own_protocol)
            self._whys.append((_Why.NO_PROTOCOL, said))
        return None

    async def _by_protocol(self, protocol: Protocol) -> PodAnswer | None:
        """Each name until the model is found; a model that is missing under its names may have another."""
        doubtful: tuple[PodAnswer, Reply] | None = None
        for name, path in self._paths(protocol):
            reply = await self._get(path)
            if wants_credentials(reply):
                self._note(_Why.CREDENTIALS, _answer(Answered.UNASKABLE, protocol, path, reply, self._locked(reply)))
                continue
            what = judge(protocol, reply, self.server.names)
            if what is Answered.LOADED and (
                proves_itself(protocol, reply) or is_metadata(await self._get(path.removesuffix("/ready")), name)
            ):
                found = _answer(what, protocol, path, reply, f"{reply.status}")
                return await self._unless_asleep(found) if protocol is Protocol.OPENAI else found
            if what in {Answered.LOADED, Answered.UNASKABLE}:
                said = f"an answer that can't be understood: {reply.said}"
                self._note(_Why.ODD, _answer(Answered.UNASKABLE, protocol, path, reply, said))
            elif what and doubtful is None:
                doubtful = _answer(what, protocol, path, reply, reply.said), reply
        if doubtful is None:
            return None
        understood, reply = doubtful
        if understood.what is Answered.MISSING or reply.status == HTTPStatus.BAD_REQUEST:
            return await self._by_lists(protocol, understood, spoke=proves_itself(protocol, reply))
        return understood

    async def _unless_asleep(self, found: PodAnswer) -> PodAnswer:
        """A vLLM that sleeps lists its model all the same; one that can't be put to sleep does not know the path."""
        with suppress(Unreached, Silent, _Spent):
            if is_asleep(reply := await self._get(SLEEPING_PATH)):
                return replace(found, what=Answered.ASLEEP, detail=f"GET {SLEEPING_PATH}: {reply.said}")
        return found

    def _note(self, why: _Why, answer: PodAnswer) -> None:
        self._whys.append((why, replace(answer, own_protocol=True)))

    def _paths(self, protocol: Protocol) -> Iterator[tuple[str, str]]:
        """(name, path), each path once."""
        found: dict[str, str] = {}
        for name in self.server.names[:MOST_NAMES]:
            for path in paths(protocol, name):
                found.setdefault(path, name)
        return ((name, path) for path, name in found.items())

    async def _by_lists(self, protocol: Protocol, understood: PodAnswer, *, spoke: bool) -> PodAnswer | None:
        """The server has no model of these names, or none that is ready: which ones it has decides, where it says so.

        Not `spoke`: it answered 400 without a word, as older Tritons do for a name that they don't have and for a model
        that is still loading, and other servers to anything. Then only a list shows that it was an answer.
        """
        refused = ""
        for listing in LISTINGS.get(protocol, ()) if spoke else (V2_INDEX,):
            try:
                reply = await self._request(listing.method, listing.path)
            except Unreached as error:
                refused = f"{listing.method} {listing.path}: {error}"
                continue
            if wants_credentials(reply):
                refused = f"{listing.method} {listing.path}: {self._locked(reply)}"
            if (models := listed(listing, reply)) is not None:
                found = has(models, self.server.names)
                holds = found.name in self.server.names and not found.certain
                return understood if holds else await self._listed(listing, found, understood)
        if refused or (understood.what is Answered.MISSING and not self.server.told):
            why = refused or "it does not list the models that it has"
            said = f"{understood.detail}; by which name it has its model is unknown: {why}"
            return PodAnswer(Answered.UNASKABLE, said, own_protocol=True)
        if not spoke:
            self._note(_Why.ODD, replace(understood, what=Answered.UNASKABLE))
            return None
        return understood

    async def _listed(self, listing: Listing, found: Has, understood: PodAnswer) -> PodAnswer:
        said = f"{understood.detail}; {listing.method} {listing.path}: {found.said}"
        if found.what is not Answered.LOADED:
            unknown = found.what is Answered.UNASKABLE
            return replace(understood, what=found.what, detail=said, own_protocol=unknown)
        path = next(iter(paths(listing.protocol, found.name)), "")
        what: Answered = found.what
        if path and not listing.tells_loaded:
            what = judge(listing.protocol, await self._get(path), [found.name]) or what
        predicts = predict_path(listing.protocol, path, Reply(HTTPStatus.OK, b"")) if path else ""
        return PodAnswer(what, said, model_path=path, predict_path=predicts)

    async def _get(self, path: str) -> Reply:
        return await self._request("GET", path)

    async def _request(self, method: str, path: str) -> Reply:
        """What was asked once is not asked again."""
        if known := self._known.get((method, path)):
            return known
        reply = await (self._exchange(method, path) if self._known else self._first(method, path))
        if wants_credentials(reply) and await self._unlocked():
            reply = await self._exchange(method, path)
        self._known[method, path] = reply
        return reply

    async def _unlocked(self) -> bool:
        """Whether this port is asked with the credentials of the model's owner from now on: only one that wants them."""
        if not self.server.secret or self._at.authorization:
            return False
        try:
            async with asyncio.timeout_at(self._ends):
                self._at = replace(self._at, authorization=await self.line.authorization(self.server))
        except NoCredentials as error:
            self._no_key = str(error)
        except TimeoutError:
            self._no_key = f"Secret {shown(self.server.secret, 80)} was not read in time"
        return bool(self._at.authorization)

    def _locked(self, reply: Reply) -> str:
        if self._at.authorization:
            return f"{reply.said}: its server refuses the credentials of Secret {shown(self.server.secret, 80)}"
        return f"{reply.said}: its server wants credentials, and {self._no_key}"

    async def _first(self, method: str, path: str) -> Reply:
        """At this port: by TLS where plain HTTP gets no answer that could be a model server's. Nothing secret is sent."""
        try:
            reply = await self._exchange(method, path)
        except NotHttp:
            if by_tls := await self._by_tls(method, path):
                return by_tls
            raise
        return (await self._by_tls(method, path) if may_want_tls(reply) else None) or reply

    async def _by_tls(self, method: str, path: str) -> Reply | None:
        """None where the port does not speak it, or is asked by it already."""
        plain = self._at
        if plain.tls:
            return None
        self._at = replace(plain, tls=True)
        with suppress(Unreached, Silent, _Spent):
            return await self._exchange(method, path, TLS_SECONDS)
        self._at = plain
        return None

    async def _exchange(self, method: str, path: str, seconds: float = ANSWER_SECONDS) -> Reply:
        left = self._ends - asyncio.get_running_loop().time()
        if self._requests >= MOST_REQUESTS or left <= 0 or self._octets <= 0:
            raise _Spent(self._too_much())
        bounds = Bounds(min(left, seconds), self._octets)
        self._requests += 1
        try:
            if method == "GET":
                reply = await self.line.ask(self._at, path, bounds)
            else:
                reply = await self.line.post(self._at, path, {}, bounds)
        except Silent as error:
            if not self._replies:
                raise
            raise _Spent(self._too_much()) from error
        self._replies += 1
        self._octets -= len(reply.body)
        return reply

    def _too_much(self) -> str:
        return (
            f"{self.server.pod} gave no usable answer in {self._requests} requests; the limits for a pod are "
            f"{ANSWER_SECONDS:.0f}s, {MOST_REQUESTS} requests and {MOST_BYTES // 1024} KiB"
        )

    def _spoken(self) -> str:
        if Protocol.GRPC in self.server.protocols:
            return "it speaks gRPC only"
        return "its server implements no known readiness protocol"


def _of_port(answer: PodAnswer, port: int) -> PodAnswer:
    """At another port than the first."""
    return replace(answer, port=port, detail=f"port {port}: {answer.detail}")


def _answer(what: Answered, protocol: Protocol, path: str, reply: Reply, said: str) -> PodAnswer:
    """What a server answered to GET `path`; only a V1 or V2 path names one model."""
    names_a_model = protocol in {Protocol.V1, Protocol.V2}
    predicts = names_a_model or what is Answered.LOADED
    return PodAnswer(
        what,
        f"GET {path}: {said}",
        model_path=path if names_a_model else "",
        predict_path=predict_path(protocol, path, reply) if predicts else "",
    )


def could_not(error: Exception) -> PodAnswer:
    """What an error comes to that was raised for one pod."""
    expected = isinstance(error, (Unreached, StepError))
    said = str(error) if expected else f"{type(error).__name__} {error}"
    return PodAnswer(Answered.UNASKABLE, shown(said, 300), forbidden=isinstance(error, NotPermitted))
