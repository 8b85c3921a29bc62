"""KServe's own word for a model, where it is another one than ours: the difference is what people on call stumble over."""

import asyncio
import time
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from events.model import ModelRef
from events.status import State
from functions.adapters.cluster import Missing
from functions.adapters.kserve.model import Model
from functions.adapters.kserve.notes import Notes, NoteState
from functions.adapters.kserve.resources import Resources
from functions.api.context import Api, Caller, TheApi
from functions.api.naming import make_ref, parse_kind
from functions.lifecycle.errors import StepError
from functions.lifecycle.observation import STOP_ANNOTATION, Answer
from functions.lifecycle.stop_note import STOP_NOTE_ANNOTATION

router = APIRouter(include_in_schema=False)
MOST_AT_ONCE = 100
KEPT_SECONDS = 2.0
_KEPT = 20_000
_EXPECTED = {State.RUNNING: "Ready", State.STOPPED: "Stopped"}


def word_of(model: Model) -> str:
    """`Ready`, `Stopped`, `NotReady`, with its reason where it gives one, or `Unknown`."""
    stopped, ready = model.condition("Stopped"), model.condition("Ready")
    if (stopped and stopped.status is Answer.TRUE) or (ready and ready.reason == "Stopped" and stopped is None):
        return "Stopped"
    if ready is None or ready.status is Answer.UNKNOWN:
        return "Unknown"
    return "Ready" if ready.status is Answer.TRUE else f"NotReady{f' ({ready.reason})' if ready.reason else ''}"


def differs(state: State, word: str) -> bool:
    """On the way from one to the other, and in error, KServe may well not be ready: that says the same."""
    expected = _EXPECTED.get(state)
    return word != expected if expected else word in {"Ready", "Stopped"}


@dataclass(frozen=True)
class Said:
    """What an object says: KServe's word, and whether its stop annotation is signed (None: it is not stopped by one)."""

    word: str
    note: NoteState | None = None


class Words:
    """Asked of the cluster, and kept for a moment: many people may look at the same models."""

    def __init__(self, api: Api) -> None:
        self._cluster = api.parts.cluster
        self._resources = Resources(api.parts.cluster)
        self._notes = Notes(api.parts.settings.signing_keys)
        self._gate = asyncio.Semaphore(8)
        self._kept: dict[ModelRef, tuple[int, float, Said]] = {}

    async def of(self, ref: ModelRef, version: int) -> Said:
        """`Unknown` where the cluster can't say now. `version`: the resourceVersion that is known of the object; what was
        kept of another one counts for nothing.
        """
        known, until, said = self._kept.get(ref, (-1, 0.0, Said("Unknown")))
        if known == version and until > time.monotonic():
            return said
        async with self._gate:
            try:
                model = Model(ref.kind, await self._cluster.get(await self._resources.model(ref)))
                said = Said(word_of(model), self._note(ref, model))
            except (StepError, Missing):
                return Said("Unknown")
        if len(self._kept) > _KEPT:
            self._kept.clear()
        self._kept[ref] = (version, time.monotonic() + KEPT_SECONDS, said)
        return said

    def _note(self, ref: ModelRef, model: Model) -> NoteState | None:
        annotations = model.annotations or {}
        text = annotations.get(STOP_NOTE_ANNOTATION)
        if model.stop_note is None or text is None or annotations.get(STOP_ANNOTATION, "").lower() != "true":
            return None
        return self._notes.state(text, ref, str(model.metadata.get("uid", "")))


@router.get("/kserve-words")
async def kserve_words(
    api: TheApi, user: Caller, request: Request, model: Annotated[list[str], Query(max_length=MOST_AT_ONCE)]
) -> JSONResponse:
    """`model`: NAMESPACE/KIND/NAME. Answers {model: word} for those where KServe's differs from ours."""
    refs = []
    for key in model:
        namespace, _, rest = key.partition("/")
        kind, _, name = rest.partition("/")
        ref = make_ref(namespace, name, parse_kind(kind))
        if await api.access.may(user, "list", ref.kind, ref.namespace):
            refs.append(ref)
    words: Words = request.app.state.words
    records = await api.parts.store.records(refs) if refs else []
    found = await asyncio.gather(
        *(words.of(ref, record.version if record else 0) for ref, record in zip(refs, records, strict=True))
    )
    return JSONResponse(
        {
            f"{ref.namespace}/{ref.kind.value}/{ref.name}": said.word
            for ref, said, record in zip(refs, found, records, strict=True)
            if record and record.state and said.word != "Unknown" and differs(record.state, said.word)
        }
    )
