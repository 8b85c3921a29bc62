"""Who asks, and what they may: the cluster's own answers (TokenReview, SubjectAccessReview), kept 10 s at most.

Nothing else counts: headers that name a user (X-Forwarded-User, X-Remote-User, Impersonate-User) are not read at all.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, Protocol, TypeVar

from events.model import Kind
from functions.adapters.cluster import Changed, Cluster, Json, Missing
from functions.lifecycle.errors import ClusterRefused, Code, StepError

Right = Literal["get", "list", "patch"]
KEPT_SECONDS = 10.0
KEPT_ANSWERS = 10_000
LONGEST_TOKEN = 16_384
_TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"  # noqa: S105 - a path
_ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"

_Answer = TypeVar("_Answer")


class Unauthenticated(StepError):
    """No token, or one that the cluster does not know."""

    status = 401

    def __init__(self, message: str) -> None:
        next_action = "Send `Authorization: Bearer TOKEN`; `kubectl create token SERVICEACCOUNT` makes one."
        super().__init__(Code.UNAUTHENTICATED, message, next_action)


class NotAllowed(StepError):
    """The cluster's RBAC says no. Nothing is said about whether the model exists."""

    status = 403

    def __init__(self, user: "User", right: Right, kind: Kind, namespace: str) -> None:
        place = f"in namespace {namespace}" if namespace else "in all namespaces"
        super().__init__(
            Code.FORBIDDEN,
            f"{user.name} may not {right} {kind.plural} {place}",
            f"Ask whoever administers the namespace for a role with the verb {right} on {kind.plural}.serving.kserve.io.",
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

    async def authenticate(self, authorization: str | None) -> User: ...

    async def may(self, user: User, right: Right, kind: Kind, namespace: str = "", name: str = "") -> bool: ...


async def require(access: Access, user: User, right: Right, kind: Kind, *, namespace: str = "", name: str = "") -> None:
    """Raises NotAllowed."""
    if not await access.may(user, right, kind, namespace, name):
        raise NotAllowed(user, right, kind, namespace)


class EveryoneHere:
    """AUTH=none: whoever reaches the loopback address is `local` and may do what this process may."""

    async def authenticate(self, authorization: str | None) -> User:  # noqa: ARG002 - the protocol's
        return User("local", key="local")

    async def may(self, user: User, right: Right, kind: Kind, namespace: str = "", name: str = "") -> bool:  # noqa: ARG002
        return True


class Kept(Generic[_Answer]):
    """Answers for a few seconds, the oldest dropped first where there are too many."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._answers: OrderedDict[tuple[str, ...], tuple[float, _Answer]] = OrderedDict()

    def get(self, key: tuple[str, ...]) -> _Answer | None:
        until, answer = self._answers.get(key, (0.0, None))
        return answer if until > self._clock() else None

    def put(self, key: tuple[str, ...], answer: _Answer) -> None:
        self._answers.pop(key, None)
        self._answers[key] = (self._clock() + KEPT_SECONDS, answer)
        while len(self._answers) > KEPT_ANSWERS:
            self._answers.popitem(last=False)


class ClusterAccess:
    """AUTH=token. `audience` None: the API server's own."""

    def __init__(
        self, cluster: Cluster, audience: str | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cluster = cluster
        self._audience = audience
        self._users: Kept[User | Unauthenticated] = Kept(clock)
        self._allowed: Kept[bool] = Kept(clock)

    async def authenticate(self, authorization: str | None) -> User:
        """Raises Unauthenticated. Tokens themselves are not kept, only their hashes."""
        token = _bearer(authorization)
        key = hashlib.sha256(token.encode()).hexdigest()
        known = self._users.get((key,))
        if known is None:
            known = await self._review_token(token, key)
            self._users.put((key,), known)
        if isinstance(known, Unauthenticated):
            raise Unauthenticated(known.message)
        return known

    async def may(self, user: User, right: Right, kind: Kind, namespace: str = "", name: str = "") -> bool:
        """`namespace` "" asks for all namespaces, `name` "" for every object of this kind there."""
        key = (user.key, right, kind.value, namespace, name)
        known = self._allowed.get(key)
        if known is None:
            known = await self._review_access(user, right, kind, namespace, name)
            self._allowed.put(key, known)
        return known

    async def _review_token(self, token: str, key: str) -> User | Unauthenticated:
        spec: Json = {"token": token, **({"audiences": [self._audience]} if self._audience else {})}
        status = await self._ask(_TOKEN_REVIEWS, "authentication.k8s.io/v1", "TokenReview", spec)
        if not status.get("authenticated"):
            return Unauthenticated("the cluster does not know this token; it may have expired")
        if self._audience and self._audience not in (status.get("audiences") or ()):
            return Unauthenticated(f"the token is not meant for the audience {self._audience}")
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


def _bearer(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").strip().partition(" ")
    token = token.strip()
    if not token or scheme.lower() != "bearer":
        raise Unauthenticated("the request carries no bearer token")
    if len(token) > LONGEST_TOKEN or not (token.isascii() and token.isprintable()) or " " in token:
        raise Unauthenticated("what follows `Bearer` is no token")
    return token
