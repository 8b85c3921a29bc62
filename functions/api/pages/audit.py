"""GET /audit: what was asked for and by whom, and what was refused or poisoned; what is known well enough can be sent again."""

import re
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from events.model import ModelRef
from functions.adapters.identity import User
from functions.adapters.store import Change
from functions.api.context import Api, TheApi
from functions.api.pages.frame import page, shown
from functions.api.pages.history import title_of
from functions.api.pages.rows import Verb
from functions.api.sight import Sight, look_around
from functions.lifecycle.effects import AuditEntry
from functions.lifecycle.reasons import advice

router = APIRouter(include_in_schema=False)
PAGE_ENTRIES = 50
_READ_AT_ONCE = 500
_DEPTH = 10_000
_ENTRY = re.compile(r"[0-9]{1,19}-[0-9]{1,19}")
_COMMAND = re.compile(r"^dev\.modelswitch\.model\.(stop|start)-requested\.v1 ")
_KINDS = {"refused": "Refused and dead letters", "commands": "Asked for", "all": "Everything"}


@dataclass(frozen=True)
class Again:
    """A command that can be sent again. `correlation` is what the audit knows of the first one: its own id."""

    verb: Verb
    correlation: str
    reason: str


@dataclass(frozen=True)
class Entry:
    """`again` None: can't be sent again, and `why_not` says why ("" where there is nothing to send)."""

    id: str
    audit: AuditEntry
    title: str
    link: str
    next_action: str | None
    again: Again | None
    why_not: str


@router.get("/audit")
async def audit(api: TheApi, request: Request) -> HTMLResponse:
    given = request.query_params
    show = given.get("show", "refused") if given.get("show") in _KINDS else "refused"
    query, before = given.get("q", "").strip()[:200], given.get("before", "")

    async def make(user: User) -> HTMLResponse:
        sight = (await look_around(api, user)).sight
        position = before if _ENTRY.fullmatch(before) else ""
        entries, older = await _entries(api, sight, show, query.lower(), position)
        content: dict[str, Any] = {"entries": entries, "older": older, "show": show, "q": query, "kinds": _KINDS}
        return page(request, "audit.html", 200, user, **content)

    return await shown(request, make)


async def _entries(api: Api, sight: Sight, show: str, query: str, before: str) -> tuple[list[Entry], str]:
    """A page, and where the next one begins ("" where none does, as far as 10,000 entries reach)."""
    found: list[Entry] = []
    for _ in range(_DEPTH // _READ_AT_ONCE):
        changes = await api.parts.store.newest(before, _READ_AT_ONCE)
        for change in changes:
            if sight.sees(change.audit.ref) and _wanted(change.audit, show) and _matches(change.audit, query):
                if len(found) == PAGE_ENTRIES:
                    return found, found[-1].id
                found.append(_entry(change))
        if len(changes) < _READ_AT_ONCE:
            return found, ""
        before = changes[-1].entry
    return found, ""


def _wanted(entry: AuditEntry, show: str) -> bool:
    match show:
        case "refused":
            return bool(entry.code)
        case "commands":
            return entry.action not in {"state", "adopted"}
        case _:
            return True


def _matches(entry: AuditEntry, query: str) -> bool:
    known = (
        entry.ref,
        entry.actor,
        entry.action,
        entry.code,
        entry.reason,
        entry.message,
        entry.event_id,
        entry.source,
    )
    return query in " ".join(str(word) for word in known if word).lower()


def _entry(change: Change) -> Entry:
    entry = change.audit
    again = again_of(entry)
    return Entry(
        id=change.entry,
        audit=entry,
        title=title_of(entry),
        link=_link(entry.ref),
        next_action=advice(entry.code),
        again=again,
        why_not="" if again or not entry.code else _why_not(entry),
    )


def again_of(entry: AuditEntry) -> Again | None:
    """A refused stop or start, or one that died on its way: model and command are known, and its id."""
    if not (entry.ref and entry.code and entry.event_id):
        return None
    dead = _COMMAND.match(entry.message or "") if entry.action == "dead-letter" else None
    verb = dead[1] if dead else entry.action
    if verb not in {"stop", "start"}:
        return None
    return Again("stop" if verb == "stop" else "start", entry.event_id, entry.reason or "")


def _why_not(entry: AuditEntry) -> str:
    if entry.action == "dead-letter" and "dev.knative." in (entry.message or ""):
        return "It was only a hint to look; every model is looked at again anyway."
    if entry.ref is None:
        return "It named no model. Its sender has to mend it and send it again."
    return "What it carried is not kept. Its sender has to send it again."


def _link(ref: ModelRef | None) -> str:
    return f"/models/{ref.namespace}/{ref.kind.value}/{ref.name}" if ref else ""
