"""GET /models/NAMESPACE/KIND/NAME: everything about one model that an engineer on call asks for."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from events.model import ModelRef
from events.status import ModelStatus, State
from functions.adapters.cluster import Missing
from functions.adapters.identity import User
from functions.adapters.kserve.note_policy import NotePolicy
from functions.adapters.kserve.notes import UNSIGNED_NOTE, NoteState
from functions.api.context import Api, TheApi
from functions.api.naming import make_ref, parse_kind, permitted
from functions.api.overview import line_of
from functions.api.pages.frame import page, shown
from functions.api.pages.graphs import graphs_using
from functions.api.pages.history import failures_of, read_histories, starts_of, timeline
from functions.api.pages.kserve_word import Words, differs
from functions.api.pages.pods import PodView, pods_of
from functions.api.pages.rows import held_by, row_of
from functions.api.pages.spelled import spelled
from functions.api.saving import Saving, saving_of
from functions.api.steps import look
from functions.api.visibility import may_patch_each
from functions.lifecycle.errors import StepError
from functions.lifecycle.reasons import advice
from functions.lifecycle.stop_note import STOP_NOTE_ANNOTATION

router = APIRouter(include_in_schema=False)
TIMELINE_STEPS = 100


@router.get("/models/{namespace}/{kind}/{name}")
async def model(api: TheApi, request: Request, namespace: str, kind: str, name: str) -> HTMLResponse:
    """Looks at the cluster now, as the status over REST does."""

    async def make(user: User) -> HTMLResponse:
        ref = await permitted(api, user, make_ref(namespace, name, parse_kind(kind)), "get")
        status = await look(api, ref)
        words: Words = request.app.state.words
        content = await _content(api, user, status, words)
        content["remarks"] = await _remarks(content.pop("note"), request.app.state.note_policy)
        others = await api.parts.installations.others()
        content["remarks"] += [f"{others.message} {others.next_action}"] if others.message else []
        return page(request, "model.html", 200, user, **content)

    return await shown(request, make)


async def _content(api: Api, user: User, status: ModelStatus, words: Words) -> dict[str, Any]:
    ref = ModelRef(namespace=status.namespace, name=status.name, kind=status.kind)
    [record] = await api.parts.store.records([ref])
    version = record.version if record else 0
    pods, histories, graphs, said, [(_, right)] = await asyncio.gather(
        _pods(api, ref),
        read_histories(api, [ref]),
        graphs_using(api, user, [ref]),
        words.of(ref, version),
        may_patch_each(api, user, [status]),
    )
    entries = histories.get(ref, [])
    settings = api.parts.settings
    return {
        "model": status,
        "sign": "!" if status.state is State.ERROR else "",
        "saving": saving_of(line_of(record), datetime.now(UTC)) if record and record.state else Saving(),
        "row": row_of(status, may_patch=right),
        "pods": pods,
        "steps": timeline(entries)[:TIMELINE_STEPS],
        "all_steps": len(entries),
        "starts": starts_of(entries),
        "failures": failures_of(entries),
        "holds": [held_by(hold) for hold in status.holds],
        "graphs": (graphs or {}).get((ref.namespace, ref.name), []),
        "kserve": said.word,
        "kserve_differs": said.word != "Unknown" and differs(status.state, said.word),
        "note": said.note,
        "next_action": advice(status.reason),
        "commands": {verb: spelled(verb, ref, settings) for verb in ("stop", "start")},
    }


async def _remarks(note: NoteState | None, policy: NotePolicy | None) -> list[str]:
    """What limits how far a stop annotation can be believed; nothing where there is none. `policy` None: the laptop."""
    if note is None:
        return []
    unsigned = [] if note is NoteState.SIGNED else [f"Annotation {STOP_NOTE_ANNOTATION}: {UNSIGNED_NOTE}."]
    status = await policy.status() if policy else None
    return [*unsigned, *([f"{status.message} {status.next_action}"] if status and status.message else [])]


async def _pods(api: Api, ref: ModelRef) -> list[PodView] | None:
    """None where the cluster does not say."""
    try:
        return await pods_of(api, ref)
    except (StepError, Missing):
        return None
