"""Objects in memory, one counter of versions over all of them, and what happened since: etcd and watch cache in one.

Everything is synchronous, so a caller that does not await in between has a transaction. Stored objects are never
changed in place: to change one, take a `copy` and write it.
"""

import json
import marshal
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from functions.local.kubernetes.resources import Resource

Obj = dict[str, Any]
HISTORY = 20_000
"""Changes kept per resource; a watch from before the oldest one gets 410."""


class Stored(dict[str, Any]):
    """An object as stored; remembers its own JSON, which lists and all watchers share."""

    __slots__ = ("encoded",)

    def __init__(self, obj: Obj) -> None:
        super().__init__(obj)
        self.encoded: bytes | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One write. `obj` is the object after it, or the last state (with the version of its removal) when deleted."""

    kind: Literal["ADDED", "MODIFIED", "DELETED"]
    version: int
    resource: Resource
    obj: Obj
    before: Obj | None


@dataclass(frozen=True, slots=True)
class Key:
    """Names one object."""

    resource: Resource
    namespace: str
    name: str


class TooOld(Exception):
    """The version asked for lies before what is remembered; `oldest` is the first one that can still be asked for."""

    def __init__(self, oldest: int) -> None:
        super().__init__(f"too old; the oldest is {oldest}")
        self.oldest = oldest


class Store:
    """All objects. `version` is the last one given out; it only grows."""

    def __init__(self) -> None:
        self.version = 1
        self._objects: dict[str, dict[tuple[str, str], Stored]] = defaultdict(dict)
        self._history: dict[str, deque[Change]] = defaultdict(deque)
        self._compacted: dict[str, int] = defaultdict(int)
        self._floor = 0
        self._owned: dict[str, set[Key]] = defaultdict(set)
        self._listeners: list[Callable[[Change], None]] = []

    def listen(self, callback: Callable[[Change], None]) -> Callable[[], None]:
        """Call back after every write, in order; answers how to stop that."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def get(self, resource: Resource, namespace: str, name: str) -> Obj | None:
        return self._objects[resource.key].get((namespace, name))

    def all(self, resource: Resource, namespace: str = "") -> Iterator[Obj]:
        """Objects of one type, of one namespace or of all (""), oldest first."""
        for (where, _), obj in self._objects[resource.key].items():
            if not namespace or where == namespace:
                yield obj

    def dependents(self, uid: str) -> list[Key]:
        """Objects with an owner reference to this uid."""
        return list(self._owned.get(uid, ()))

    def write(self, resource: Resource, obj: Obj) -> Obj:
        """Store `obj` (now the store's own) under a new version."""
        self.version += 1
        meta = obj["metadata"]
        meta["resourceVersion"] = str(self.version)
        place = (meta.get("namespace", ""), meta["name"])
        before = self._objects[resource.key].get(place)
        stored = Stored(obj)
        self._objects[resource.key][place] = stored
        self._own(resource, before, stored)
        self._record(Change("MODIFIED" if before else "ADDED", self.version, resource, stored, before))
        return stored

    def remove(self, resource: Resource, obj: Obj) -> Obj:
        """Take an object out; its last state carries the version of the removal."""
        self.version += 1
        meta = obj["metadata"]
        before = self._objects[resource.key].pop((meta.get("namespace", ""), meta["name"]))
        last = Stored({**obj, "metadata": {**meta, "resourceVersion": str(self.version)}})
        self._own(resource, before, None)
        self._record(Change("DELETED", self.version, resource, last, before))
        return last

    def since(self, resource: Resource, version: int) -> list[Change]:
        """What happened to one type after `version`; raises TooOld where that is not known any more."""
        oldest = max(self._compacted[resource.key], self._floor)
        if version < oldest:
            raise TooOld(oldest)
        recent: list[Change] = []
        for change in reversed(self._history[resource.key]):
            if change.version <= version:
                break
            recent.append(change)
        return recent[::-1]

    def at(self, resource: Resource, version: int) -> dict[tuple[str, str], Obj]:
        """All objects of one type as they were at `version`, so that the pages of one list fit together."""
        found: dict[tuple[str, str], Obj] = dict(self._objects[resource.key])
        for change in reversed(self.since(resource, version)):
            meta = change.obj["metadata"]
            place = (meta.get("namespace", ""), meta["name"])
            if change.before is None:
                del found[place]
            else:
                found[place] = change.before
        return found

    def compact(self) -> None:
        """Forget all history: every version but the present one is now too old."""
        self._history.clear()
        self._floor = self.version

    def _record(self, change: Change) -> None:
        history = self._history[change.resource.key]
        history.append(change)
        if len(history) > HISTORY:
            self._compacted[change.resource.key] = history.popleft().version
        for callback in list(self._listeners):
            callback(change)

    def _own(self, resource: Resource, before: Obj | None, after: Obj | None) -> None:
        old = owner_uids(before) if before else set()
        new = owner_uids(after) if after else set()
        meta = (after or before or {})["metadata"]
        key = Key(resource, meta.get("namespace", ""), meta["name"])
        for uid in old - new:
            self._owned[uid].discard(key)
            if not self._owned[uid]:
                del self._owned[uid]
        for uid in new - old:
            self._owned[uid].add(key)


def owner_uids(obj: Obj) -> set[str]:
    return {reference["uid"] for reference in obj["metadata"].get("ownerReferences", ())}


def copy(obj: Obj) -> Obj:
    """A deep copy of JSON, several times faster than copy.deepcopy."""
    duplicate: Obj = marshal.loads(marshal.dumps(dict(obj)))
    return duplicate


def encode(obj: Obj) -> bytes:
    """The object's JSON, made once per version."""
    if not isinstance(obj, Stored):
        return dump(obj)
    if obj.encoded is None:
        obj.encoded = dump(obj)
    return obj.encoded


def dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
