"""GET /audit: what was asked for and by whom, and what was refused or poisoned; what is known well enough can be sent again."""

import json
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from events.model import ModelRef
from functions.adapters.history import PLACE, Change
from functions.adapters.identity import User
from functions.api.context import Api, TheApi
from functions.api.pages.again import Again, again_of
from functions.api.pages.frame import page, shown, troubles
from functions.api.pages.history import title_of
from functions.api.pages.rows import not_yours
from functions.api.visibility import Sight, look_around
from functions.lifecycle.dead_letter import DeadLetter
from functions.lifecycle.effects import Action, AuditEntry
from functions.lifecycle.reasons import advice

router = APIRouter(include_in_schema=False)
PAGE_ENTRIES = 50
_DEPTH = 10_000
_KINDS = {"refused": "Refused and dead letters", "commands": "Asked for", "all": "Everything"}


@dataclass(frozen=True)
class Entry:
    """`again` None: can't be sent again, and `why_not` says why ("" where there is nothing to send).

    `data`: what the event carried, as JSON, or why that is not here. `off`: why this user may not send it.
    """

    id: str
    audit: AuditEntry
    title: str
    link: str
    next_action: str | None
    again: Again | None
    why_not: str
    letter: DeadLetter | None = None
    data: str = ""
    off: str | None = None


@router.get("/audit")
async def audit(api: TheApi, request: Request) -> HTMLResponse:
    given = request.query_params
    show = given.get("show", "refused") if given.get("show") in _KINDS else "refused"
    query, before = given.get("q", "").strip()[:200], given.get("before", "")

    async def make(user: User) -> HTMLResponse:
        scene = await look_around(api, user)
        position = before if PLACE.fullmatch(before) else ""
        entries, older = await _entries(api, scene.sight, show, query.lower(), position)
        entries = [replace(one, off=await _off(api, user, one)) for one in entries]
        content: dict[str, Any] = {"entries": entries, "older": older, "show": show, "q": query, "kinds": _KINDS}
        return page(request, "audit.html", 200, user, sign=troubles(scene.tally), **content)

    return await shown(request, make)


async def _entries(api: Api, sight: Sight, show: str, query: str, before: str) -> tuple[list[Entry], str]:
    """A page, and where the next one begins ("" where none does, as far as 10,000 entries reach)."""
    found: list[Change] = []
    namespaces, streams = sight.namespaces, "r" if show == "refused" else "hr"
    read = 0
    async with aclosing(api.parts.store.backwards(before, namespaces=namespaces, kinds=streams)) as changes:
        async for change in changes:
            read += 1
            if sight.sees(change.audit.ref) and _wanted(change.audit, show) and _matches(change.audit, query):
                if len(found) == PAGE_ENTRIES:
                    return await _with_letters(api, found), found[-1].entry
                found.append(change)
            if read == _DEPTH:
                break
    return await _with_letters(api, found), ""


async def _with_letters(api: Api, changes: list[Change]) -> list[Entry]:
    places = [change.audit.letter for change in changes if change.audit.letter]
    letters = await api.parts.store.letters(places)
    return [_entry(change, letters.get(change.audit.letter or "")) for change in changes]


async def _off(api: Api, user: User, one: Entry) -> str | None:
    """An event that names no model may concern every one; whether its sender may is asked when it is sent."""
    ref = one.audit.ref
    if one.again is None or ref is None or await api.access.may(user, "patch", ref.kind, ref.namespace, ref.name):
        return None
    return not_yours(ref.namespace, ref.kind)


def _wanted(entry: AuditEntry, show: str) -> bool:
    match show:
        case "refused":
            return bool(entry.code) or entry.action == Action.UNREADABLE
        case "commands":
            return entry.action not in {Action.STATE, Action.ADOPTED}
        case _:
            return True


def _matches(entry: AuditEntry, query: str) -> bool:
    known = (
        entry.ref,
        entry.actor,
        entry.claimed_actor,
        entry.action,
        entry.code,
        entry.reason,
        entry.message,
        entry.event_id,
        entry.correlation_id,
        entry.source,
    )
    return query in " ".join(str(word) for word in known if word).lower()


def _entry(change: Change, letter: DeadLetter | None) -> Entry:
    entry = change.audit
    again = again_of(entry, letter)
    return Entry(
        id=change.entry,
        audit=entry,
        title=title_of(entry),
        link=_link(entry.ref),
        next_action=advice(entry.code),
        again=again if isinstance(again, Again) else None,
        why_not=again if isinstance(again, str) else "",
        letter=letter,
        data=_data_of(letter) if letter else "",
    )


def _data_of(letter: DeadLetter) -> str:
    return letter.beginning if letter.data is None else json.dumps(letter.data, indent=2)


def _link(ref: ModelRef | None) -> str:
    return f"/models/{ref.namespace}/{ref.kind.value}/{ref.name}" if ref else ""
