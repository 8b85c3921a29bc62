"""What one pod is asked until it is known whether it has its model: few requests, little time, little to read.

Whatever a server answers, the worst that comes of it is that this pod could not be asked, and why.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace

from events.errors import ModelswitchError
from functions.adapters.answers import NotPermitted, Reply, Silent, Unreached, judge, paths, predict_path, shown
from functions.adapters.kserve.served import MOST_NAMES, Protocol, Server
from functions.lifecycle.errors import StepError
from functions.lifecycle.observation import Answered, PodAnswer

ANSWER_SECONDS = 2.0
MOST_REQUESTS = 12
MOST_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Bounds:
    """Of one request."""

    seconds: float = ANSWER_SECONDS
    octets: int = MOST_BYTES


class _Spent(ModelswitchError):
    """The pod has used up what it is given, and said nothing that tells."""


Get = Callable[[Server, str, Bounds], Awaitable[Reply]]


@dataclass
class Conversation:
    """With one pod. Time begins with the first request."""

    get: Get
    server: Server
    _replies: int = 0
    _octets: int = MOST_BYTES
    _ends: float = 0.0
    _odd: PodAnswer | None = None
    _known: dict[str, Reply] = field(default_factory=dict)

    async def ask(self) -> PodAnswer:
        """Raises as `get` does where the first request got no answer."""
        self._ends = asyncio.get_running_loop().time() + ANSWER_SECONDS
        try:
            return await self._each_protocol()
        except _Spent as error:
            return self._odd or PodAnswer(Answered.UNASKABLE, str(error))

    async def _each_protocol(self) -> PodAnswer:
        """Each protocol and name until one is understood; a model that is missing under one name may have another."""
        server = self.server
        if server.unusable:
            return PodAnswer(Answered.UNASKABLE, f"{server.pod}: {server.unusable}")
        for protocol in server.protocols:
            understood = await self._by_protocol(protocol)
            if understood and understood.what is Answered.MISSING and not server.told:
                return await self._under_any_name() or understood
            if understood:
                return understood
        own_protocol = Protocol.GRPC not in server.protocols
        if self._odd:
            return replace(self._odd, own_protocol=own_protocol)
        return PodAnswer(Answered.UNASKABLE, self._spoken(), own_protocol=own_protocol)

    async def _by_protocol(self, protocol: Protocol) -> PodAnswer | None:
        understood: PodAnswer | None = None
        for path in self._paths(protocol):
            reply = await self._get(path)
            what = judge(protocol, reply, self.server.names)
            if what is Answered.LOADED:
                return _answer(what, protocol, path, reply, f"{reply.status}")
            if what is Answered.UNASKABLE:
                said = f"an answer that can't be understood: {reply.said}"
                self._odd = self._odd or _answer(what, protocol, path, reply, said)
            elif what and understood is None:
                understood = _answer(what, protocol, path, reply, reply.said)
        return understood

    def _paths(self, protocol: Protocol) -> Iterator[str]:
        names = self.server.names[:MOST_NAMES]
        yield from dict.fromkeys(path for name in names for path in paths(protocol, name))

    async def _under_any_name(self) -> PodAnswer | None:
        """A server that was given no name serves its model under one of its own."""
        reply = await self._get("/v1/models")
        if judge(Protocol.OPENAI, reply, ()) is Answered.LOADED:
            return _answer(Answered.LOADED, Protocol.OPENAI, "/v1/models", reply, reply.said)
        return None

    async def _get(self, path: str) -> Reply:
        """What was asked once is not asked again."""
        if path in self._known:
            return self._known[path]
        left = self._ends - asyncio.get_running_loop().time()
        if self._replies >= MOST_REQUESTS or left <= 0 or self._octets <= 0:
            raise _Spent(self._too_much())
        try:
            reply = await self.get(self.server, path, Bounds(left, self._octets))
        except Silent as error:
            if not self._replies:
                raise
            raise _Spent(self._too_much()) from error
        self._replies += 1
        self._octets -= len(reply.body)
        self._known[path] = reply
        return reply

    def _too_much(self) -> str:
        return (
            f"{self.server.pod} gave no usable answer in {self._replies} requests; the limits for a pod are "
            f"{ANSWER_SECONDS:.0f}s, {MOST_REQUESTS} requests and {MOST_BYTES // 1024} KiB"
        )

    def _spoken(self) -> str:
        if Protocol.GRPC in self.server.protocols:
            return "it speaks gRPC only"
        return "its server implements no known readiness protocol"


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
