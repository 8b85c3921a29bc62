"""Who asks, and what they may: the cluster's own answers (TokenReview, SubjectAccessReview), kept 10 s at most.

Nothing else counts: headers that name a user (X-Forwarded-User, X-Remote-User, Impersonate-User) are not read at all.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, Protocol, TypeVar

from events.model import Kind
from functions.adapters.buckets import Buckets
from functions.adapters.cluster import Changed, Cluster, Json, Missing
from functions.lifecycle.errors import ClusterRefused, Code, StepError, TooMany

Right = Literal["get", "list", "patch"]
KEPT_SECONDS = 10.0
KEPT_ANSWERS = 10_000
KEPT_REFUSALS = 2_000
KNOWN_SECONDS = 3600.0
"""How long a token that was valid is not counted as unknown."""
UNKNOWN_AT_ONCE = 20
UNKNOWN_PER_SECOND = 1.0
"""Of tokens that turn out to be none, from one address."""
REVIEWS_AT_ONCE = 8
AUDIENCE = "modelswitch"
LONGEST_TOKEN = 16_384
_TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"  # noqa: S105 - a path
_ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"

_Answer = TypeVar("_Answer")


class Unauthenticated(StepError):
    """No token, or one that the cluster does not know."""

    status = 401

    def __init__(self, message: str, audience: str | None = AUDIENCE) -> None:
        """`audience`: the one that tokens are to be made for; None: the API server's own."""
        command = "kubectl create token SERVICEACCOUNT" + (f" --audience {audience}" if audience else "")
        super().__init__(Code.UNAUTHENTICATED, message, f"Send `Authorization: Bearer TOKEN`; `{command}` makes one.")


class NotAllowed(StepError):
    """The cluster's RBAC says no. Nothing is said about whether the model exists."""

    status = 403

    def __init__(self, user: "User", right: Right, kind: Kind, namespace: str) -> None:
        place = f"in namespace {namespace}" if namespace else "in all namespaces"
        super().__init__(
            Code.FORBIDDEN,
            f"{user.name} may not {right} {kind.plural} {place}",
            f"Ask an administrator of the namespace for a role with the verb {right} on {kind.plural}.serving.kserve.io.",
        )


@dataclass(frozen=True)
class User:
    """Whom the cluster says a token belongs to; passed on whole to every access review."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    key: str = ""


class Access(Protocol):
    """Who asks, and what they may. Raises Temporary or ClusterRefused where the cluster can't say."""

    async def authenticate(self, authorization: str | None, address: str = "") -> User: ...

    async def may(self, user: User, right: Right, kind: Kind, namespace: str = "", name: str = "") -> bool: ...


async def require(access: Access, user: User, right: Right, kind: Kind, *, namespace: str = "", name: str = "") -> None:
    """Raises NotAllowed."""
    if not await access.may(user, right, kind, namespace, name):
        raise NotAllowed(user, right, kind, namespace)


class EveryoneHere:
    """AUTH=none: every caller that reaches the loopback address is `local` and may do what this process may."""

    async def authenticate(self, authorization: str | None, address: str = "") -> User:  # noqa: ARG002 - the protocol's
        return User("local", key="local")

    async def may(self, user: User, right: Right, kind: Kind, namespace: str = "", name: str = "") -> bool:  # noqa: ARG002
        return True


class Kept(Generic[_Answer]):
    """Answers for a few seconds, the oldest dropped first where there are too many."""

    def __init__(self, clock: Callable[[], float], seconds: float = KEPT_SECONDS, most: int = KEPT_ANSWERS) -> None:
        self._clock = clock
        self._seconds = seconds
        self._most = most
        self._answers: OrderedDict[tuple[str, ...], tuple[float, _Answer]] = OrderedDict()

    def get(self, key: tuple[str, ...]) -> _Answer | None:
        until, answer = self._answers.get(key, (0.0, None))
        return answer if until > self._clock() else None

    def put(self, key: tuple[str, ...], answer: _Answer) -> None:
        self._answers.pop(key, None)
        self._answers[key] = (self._clock() + self._seconds, answer)
        while len(self._answers) > self._most:
            self._answers.popitem(last=False)

    def drop(self, key: tuple[str, ...]) -> None:
        self._answers.pop(key, None)


class ClusterAccess:
    """AUTH=token. A token must be for one of the `audiences`; without any, for the API server itself.

    Tokens that the cluster does not know cost little: they are remembered apart from the valid ones, reviewed a few at
    a time, and an address that sends many has to wait. A token that was valid a while ago never waits for that, since
    many people may share the address of a router or a proxy.
    """

    def __init__(
        self, cluster: Cluster, audiences: Sequence[str] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cluster = cluster
        self._audiences = tuple(audiences)
        self._users: Kept[User] = Kept(clock)
        self._refused: Kept[str] = Kept(clock, most=KEPT_REFUSALS)
        self._known: Kept[bool] = Kept(clock, seconds=KNOWN_SECONDS)
        self._allowed: Kept[bool] = Kept(clock)
        self._unknown = Buckets(UNKNOWN_AT_ONCE, UNKNOWN_PER_SECOND, clock)
        self._reviews: dict[str, asyncio.Task[User | str]] = {}
        self._gate = asyncio.Semaphore(REVIEWS_AT_ONCE)

    async def authenticate(self, authorization: str | None, address: str = "") -> User:
        """Raises Unauthenticated, or TooMany for the address. Tokens themselves are not kept, only their hashes."""
        token = _bearer(authorization, self._audience)
        key = hashlib.sha256(token.encode()).hexdigest()
        found = self._users.get((key,)) or self._refused.get((key,))
        if found is None:
            found = await self._reviewed(token, key, address)
        if isinstance(found, str):
            raise Unauthenticated(found, self._audience)
        return found

    @property
    def _audience(self) -> str | None:
        return self._audiences[0] if self._audiences else None

    async def _reviewed(self, token: str, key: str, address: str) -> User | str:
        """One review at a time of the same token; all who wait for it get its answer."""
        if key not in self._reviews:
            known = self._known.get((key,))
            if not known and (wait := self._unknown.take(address)):
                raise TooMany(
                    "too many tokens that the cluster does not know came from this address",
                    "Wait, then send a valid token; behind a proxy, let FORWARDED_ALLOW_IPS name it.",
                    retry_after=wait,
                )
            review = asyncio.create_task(self._review(token, key, "" if known else address))
            self._reviews[key] = review
            review.add_done_callback(lambda done: self._end(key, done))
        return await asyncio.shield(self._reviews[key])

    def _end(self, key: str, review: "asyncio.Task[User | str]") -> None:
        del self._reviews[key]
        if not review.cancelled():
            review.exception()  # those who waited for it have got it; all of them may have left

    async def _review(self, token: str, key: str, address: str) -> User | str:
        """Whom the token belongs to, or why it is refused. What could not be asked is not held against the address."""
        valid = True
        try:
            async with self._gate:
                found = await self._review_token(token, key)
            valid = isinstance(found, User)
        finally:
            if address and valid:
                self._unknown.give_back(address)
        if isinstance(found, User):
            self._users.put((key,), found)
            self._known.put((key,), True)
        else:
            self._refused.put((key,), found)
            self._known.drop((key,))
        return found

    async def may(self, user: User, right: Right, kind: Kind, namespace: str = "", name: str = "") -> bool:
        """`namespace` "" asks for all namespaces, `name` "" for every object of this kind there."""
        key = (user.key, right, kind.value, namespace, name)
        known = self._allowed.get(key)
        if known is None:
            known = await self._review_access(user, right, kind, namespace, name)
            self._allowed.put(key, known)
        return known

    async def _review_token(self, token: str, key: str) -> User | str:
        spec: Json = {"token": token, **({"audiences": list(self._audiences)} if self._audiences else {})}
        status = await self._ask(_TOKEN_REVIEWS, "authentication.k8s.io/v1", "TokenReview", spec)
        wanted = f" for the audience {' or '.join(self._audiences)}" if self._audiences else ""
        if not status.get("authenticated"):
            return f"the cluster does not know this token{wanted}; it may have expired"
        if self._audiences and not set(self._audiences) & set(status.get("audiences") or ()):
            return f"the token is not{wanted}"
        user = status.get("user") or {}
        return User(
            name=str(user.get("username") or ""),
            uid=str(user.get("uid") or ""),
            groups=tuple(user.get("groups") or ()),
            extra={name: tuple(values) for name, values in (user.get("extra") or {}).items()},
            key=key,
        )

    async def _review_access(self, user: User, right: Right, kind: Kind, namespace: str, name: str) -> bool:
        attributes = {"group": "serving.kserve.io", "resource": kind.plural, "verb": right}
        spec: Json = {
            "user": user.name,
            "uid": user.uid,
            "groups": list(user.groups),
            "extra": {name: list(values) for name, values in user.extra.items()},
            "resourceAttributes": {**attributes, "namespace": namespace, "name": name},
        }
        status = await self._ask(_ACCESS_REVIEWS, "authorization.k8s.io/v1", "SubjectAccessReview", spec)
        return bool(status.get("allowed"))

    async def _ask(self, path: str, version: str, kind: str, spec: Json) -> Json:
        review = {"apiVersion": version, "kind": kind, "metadata": {}, "spec": spec}
        try:
            answered = await self._cluster.create(path, review)
        except (Missing, Changed) as error:
            raise ClusterRefused(str(error)) from error
        return answered.get("status") or {}


def _bearer(authorization: str | None, audience: str | None) -> str:
    scheme, _, token = (authorization or "").strip().partition(" ")
    token = token.strip()
    if not token or scheme.lower() != "bearer":
        raise Unauthenticated("the request carries no bearer token", audience)
    if len(token) > LONGEST_TOKEN or not (token.isascii() and token.isprintable()) or " " in token:
        raise Unauthenticated("what follows `Bearer` is not a token", audience)
    return token
