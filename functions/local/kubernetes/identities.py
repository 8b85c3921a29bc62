"""Who may: bearer tokens handed in at the start, TokenReview, SubjectAccessReview. RBAC reduced to namespaces."""

from collections.abc import Mapping
from dataclasses import dataclass

from functions.local.kubernetes.errors import ApiError, bad_request, forbidden, no_such_path, unauthorized
from functions.local.kubernetes.query import Target
from functions.local.kubernetes.store import Obj

AUDIENCE = "https://kubernetes.default.svc"
EVERYWHERE = "*"
_READING = frozenset({"get", "list", "watch"})


@dataclass(frozen=True)
class Identity:
    """A user, the namespaces (or `*`) where that user may do everything, those where only read, and those where only
    get.
    """

    user: str
    groups: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    audiences: tuple[str, ...] = (AUDIENCE,)
    reads: tuple[str, ...] = ()
    gets: tuple[str, ...] = ()

    def may(self, namespace: str, verb: str = "") -> bool:
        """Whether this user may act in a namespace, or ("") in all of them and on what has none."""
        if verb in _READING and (EVERYWHERE in self.reads or (namespace and namespace in self.reads)):
            return True
        if verb == "get" and namespace and namespace in self.gets:
            return True
        if EVERYWHERE in self.namespaces or "system:masters" in self.groups:
            return True
        return bool(namespace) and namespace in self.namespaces


LAPTOP = Identity("system:admin", ("system:masters", "system:authenticated"), (EVERYWHERE,))
"""The identity of a request without a token: the API listens on a loopback address only."""


@dataclass(frozen=True)
class Identities:
    """The tokens that are known. `anonymous` False refuses requests without one."""

    tokens: Mapping[str, Identity]
    anonymous: bool = True

    def who(self, authorization: str) -> Identity:
        """Raises 401 for an unknown token, and without one where that is not allowed."""
        if not authorization and self.anonymous:
            return LAPTOP
        scheme, _, token = authorization.partition(" ")
        identity = self.tokens.get(token.strip())
        if scheme.lower() != "bearer" or identity is None:
            raise unauthorized()
        return identity

    def review(self, plural: str, body: Obj, asking: Identity) -> Obj:
        """The answer to a review that was POSTed: the object with its status."""
        spec = body.get("spec") or {}
        if plural == "tokenreviews":
            status = self._authenticate(spec)
        elif plural == "subjectaccessreviews":
            status = self._authorize(spec)
        elif plural == "selfsubjectaccessreviews":
            _check_attributes(spec)
            status = {"allowed": asking.may(_namespace(spec), _verb(spec))}
        else:
            raise no_such_path()
        return {**body, "metadata": body.get("metadata") or {}, "status": status}

    def _authenticate(self, spec: Obj) -> Obj:
        identity = self.tokens.get(spec.get("token") or "")
        if identity is None:
            return {"user": {}, "error": "invalid bearer token"}
        asked = spec.get("audiences") or [AUDIENCE]
        audiences = [audience for audience in asked if audience in identity.audiences]
        if not audiences:
            have, want = (" ".join(f'"{item}"' for item in items) for items in (identity.audiences, asked))
            why = f"[invalid bearer token, token audiences [{have}] is invalid for the target audiences [{want}]]"
            return {"user": {}, "error": why}
        user = {"username": identity.user, "uid": identity.user, "groups": [*identity.groups, "system:authenticated"]}
        return {"authenticated": True, "user": user, "audiences": audiences}

    def _authorize(self, spec: Obj) -> Obj:
        _check_attributes(spec)
        if "system:masters" in (spec.get("groups") or ()):
            return {"allowed": True}
        known = [identity for identity in self.tokens.values() if identity.user == spec.get("user")]
        return {"allowed": any(identity.may(_namespace(spec), _verb(spec)) for identity in known)}


def check(identity: Identity, verb: str, target: Target) -> None:
    """Raise 403 where the identity may not do this, whether or not the object exists."""
    namespace = target.name if target.resource.plural == "namespaces" and target.name else target.namespace
    if identity.may(namespace, verb):
        return
    where = f'in the namespace "{namespace}"' if target.namespace else "at the cluster scope"
    resource = f"{target.resource.plural}/{target.subresource}" if target.subresource else target.resource.plural
    why = f'User "{identity.user}" cannot {verb} resource "{resource}" in API group "{target.resource.group}" {where}'
    raise forbidden(target.resource, target.name, why)


def _namespace(spec: Obj) -> str:
    return str((spec.get("resourceAttributes") or {}).get("namespace") or "")


def _verb(spec: Obj) -> str:
    return str((spec.get("resourceAttributes") or {}).get("verb") or "")


def _check_attributes(spec: Obj) -> None:
    if bool(spec.get("resourceAttributes")) is not bool(spec.get("nonResourceAttributes")):
        return
    why = "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified"
    cause = {"reason": "FieldValueInvalid", "message": why, "field": "spec.resourceAttributes"}
    details = {"group": "authorization.k8s.io", "causes": [cause]}
    raise ApiError(422, "Invalid", f'.authorization.k8s.io "" is invalid: spec.resourceAttributes: {why}', details)


def read(document: object) -> dict[str, Identity]:
    """Tokens from JSON: {token: {"user": …, "groups": […], "namespaces": […], "reads": […], "gets": […], "audiences":
    […]}}.
    """
    if not isinstance(document, dict):
        raise bad_request(f"got {type(document).__name__}, expected a map of tokens to identities")
    return {
        token: Identity(
            user=entry["user"],
            groups=tuple(entry.get("groups", ())),
            namespaces=tuple(entry.get("namespaces", ())),
            audiences=tuple(entry.get("audiences", (AUDIENCE,))),
            reads=tuple(entry.get("reads", ())),
            gets=tuple(entry.get("gets", ())),
        )
        for token, entry in document.items()
    }
