"""Lists of models: from the records, and only those that the caller may list."""

import asyncio
import base64
import binascii
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from events.model import Kind, ModelRef
from events.status import ModelStatus, State
from functions.adapters.identity import NotAllowed, User
from functions.api.context import Api
from functions.api.problems import invalid
from functions.lifecycle.errors import StoreRebuilding
from functions.object_errors import Stage, one_object

PAGE = 500
_LABEL = re.compile(r"[A-Za-z0-9./_-]{1,317}=[A-Za-z0-9._-]{0,63}")
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Wanted:
    """Which models; None lets everything through. `namespaces` None: all."""

    namespaces: frozenset[str] | None = None
    kind: Kind | None = None
    state: State | None = None
    labels: Labels = ()

    @property
    def by_name_only(self) -> bool:
        return self.state is None and not self.labels

    def fits(self, status: ModelStatus) -> bool:
        labels = status.labels
        right_state = self.state is None or status.state is self.state
        return right_state and all(labels.get(name) == value for name, value in self.labels)


@dataclass(frozen=True)
class Found:
    items: list[ModelStatus]
    total: int
    next: str | None


def parse_labels(texts: list[str]) -> Labels:
    """`a=b`, or `a=b,c=d`: all of them must hold."""
    pairs = [pair.strip() for text in texts for pair in text.split(",") if pair.strip()]
    for pair in pairs:
        if not _LABEL.fullmatch(pair):
            raise invalid(f"label: {pair[:100]!r} is no label=value", "Write it like team=search or a=b,c=d.")
    return tuple((name, value) for name, _, value in (pair.partition("=") for pair in pairs))


async def list_models(api: Api, user: User, wanted: Wanted, limit: int, token: str | None) -> Found:
    """One page in order of namespace, kind and name. NotAllowed, StoreUnavailable, StoreRebuilding, or InvalidRequest for the token."""
    data = await require_synced(api)
    found = await _list(api, user, wanted, limit, _position(token))
    await require_synced(api, data)
    return found


async def _list(api: Api, user: User, wanted: Wanted, limit: int, after: str) -> Found:
    if wanted == Wanted() and await _may_list_all(api, user):
        return await _page_of_all(api, limit, after)
    refs = await _listable(api, user, wanted)
    if wanted.by_name_only:
        rest = [ref for ref in refs if ref.subject > after]
        items = [status async for status in _statuses(api, rest[:limit])]
        last = rest[limit - 1] if len(rest) > limit else None
        return Found(items, len(refs), _token(last) if last else None)
    fitting = [status async for status in _statuses(api, refs) if wanted.fits(status)]
    rest_of_them = [status for status in fitting if _ref(status).subject > after]
    more = len(rest_of_them) > limit
    items = rest_of_them[:limit]
    return Found(items, len(fitting), _token(_ref(items[-1])) if more else None)


async def list_fitting(api: Api, user: User, wanted: Wanted) -> list[ModelStatus]:
    """All of them. Raises as `list_models`."""
    data = await require_synced(api)
    refs = await _listable(api, user, wanted)
    fitting = [status async for status in _statuses(api, refs) if wanted.fits(status)]
    await require_synced(api, data)
    return fitting


async def _may_list_all(api: Api, user: User) -> bool:
    return all([await api.access.may(user, "list", kind) for kind in Kind])


async def _page_of_all(api: Api, limit: int, after: str) -> Found:
    """For a caller that may see all models and asks for all of them, one page is read, however many there are."""
    subjects = await api.parts.store.subjects(after, limit + 1)
    refs = [ModelRef.from_subject(subject) for subject in subjects[:limit]]
    items = [status async for status in _statuses(api, refs)]
    return Found(items, await api.parts.store.count(), _token(refs[-1]) if len(subjects) > limit else None)


async def _listable(api: Api, user: User, wanted: Wanted) -> list[ModelRef]:
    """Known models of the wanted namespaces and kind that the user may list, in order."""
    refs = [ref async for ref in _known(api) if wanted.kind in {None, ref.kind}]
    if wanted.namespaces is not None:
        refs = [ref for ref in refs if ref.namespace in wanted.namespaces]
    kinds = [wanted.kind] if wanted.kind else list(Kind)
    everywhere = {kind for kind in kinds if await api.access.may(user, "list", kind)}
    places = {(ref.namespace, ref.kind) for ref in refs if ref.kind not in everywhere}
    if wanted.namespaces is not None and not everywhere:
        places |= {(namespace, kind) for namespace in wanted.namespaces for kind in kinds}
    allowed = await _allowed(api, user, places)
    if wanted.namespaces is not None:
        _require_each(user, wanted.namespaces, kinds, everywhere, allowed)
    return [ref for ref in refs if ref.kind in everywhere or (ref.namespace, ref.kind) in allowed]


async def require_synced(api: Api, data: str | None = None) -> str:
    """After Redis was lost a list would be incomplete, so it is refused. Returns the data's name.

    `data`: its name when the reading began. Another one now means that Redis was lost in between.
    """
    named = await api.parts.store.synced()
    if not named or data not in {None, named}:
        raise StoreRebuilding
    return named


async def _statuses(api: Api, refs: list[ModelRef]) -> AsyncIterator[ModelStatus]:
    """Their present statuses; models that were forgotten since the list was read are left out."""
    for start in range(0, len(refs), PAGE):
        for record in await api.parts.store.records(refs[start : start + PAGE]):
            status = None
            if record and record.state:
                with one_object(Stage.RECORD, record.ref.subject):
                    status = record.status()
            if status:
                yield status
        await asyncio.sleep(0)


async def _known(api: Api) -> AsyncIterator[ModelRef]:
    after = ""
    while subjects := await api.parts.store.subjects(after, PAGE):
        for subject in subjects:
            yield ModelRef.from_subject(subject)
        after = subjects[-1]


async def _allowed(api: Api, user: User, places: set[tuple[str, Kind]]) -> set[tuple[str, Kind]]:
    ordered = sorted(places)
    gate = asyncio.Semaphore(16)

    async def ask(namespace: str, kind: Kind) -> bool:
        async with gate:
            return await api.access.may(user, "list", kind, namespace)

    answers = await asyncio.gather(*(ask(*place) for place in ordered))
    return {place for place, allowed in zip(ordered, answers, strict=True) if allowed}


def _require_each(
    user: User, namespaces: frozenset[str], kinds: list[Kind], everywhere: set[Kind], allowed: set[tuple[str, Kind]]
) -> None:
    """A namespace that was asked for by name, and of which the user may list nothing, is an error, not an empty list."""
    if everywhere:
        return
    for namespace in sorted(namespaces):
        if not any((namespace, kind) in allowed for kind in kinds):
            raise NotAllowed(user, "list", kinds[0], namespace)


def _ref(status: ModelStatus) -> ModelRef:
    return ModelRef(namespace=status.namespace, name=status.name, kind=status.kind)


def _token(ref: ModelRef) -> str:
    return base64.urlsafe_b64encode(ref.subject.encode()).decode()


def _position(token: str | None) -> str:
    if not token:
        return ""
    try:
        return ModelRef.from_subject(base64.urlsafe_b64decode(token).decode()).subject
    except (ValueError, binascii.Error) as error:
        raise invalid("continue: this is not a token of an earlier page", "Begin again without it.") from error
