"""What is true of models: one, many, and their history."""

# ruff: noqa: FAST003 - the dependencies read the path
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from events.model import Kind
from events.status import ModelStatus, State
from functions.adapters.history import Change
from functions.adapters.identity import User, require
from functions.api.context import Api, Caller, TheApi
from functions.api.contract import BY_NAME_RESPONSES, READ_RESPONSES, History, ModelList
from functions.api.listing import Wanted, list_models, parse_labels
from functions.api.naming import GetByName, GetInPath, make_ref, parse_kind
from functions.api.steps import look
from functions.api.visibility import allowed

router = APIRouter(prefix="/api/v1", tags=["look"])
HISTORY_DEPTH = 10_000


class Filters(BaseModel):
    """Which models; an undefined parameter is an error and is not ignored."""

    model_config = ConfigDict(extra="forbid")

    namespace: str | None = Field(default=None, description="Only this namespace.")
    kind: str | None = Field(default=None, description="InferenceService, LLMInferenceService or InferenceGraph.")

    def place(self) -> str | None:
        return make_ref(self.namespace, "any", None).namespace if self.namespace else None


class ListFilters(Filters):
    state: State | None = Field(default=None, description="Only models in this state.")
    label: list[str] = Field(default=[], description="Only models with this label: a=b.")
    limit: int = Field(default=100, ge=1, le=1000, description="Models per page.")
    page: str | None = Field(default=None, alias="continue", description="`continue` of the page before.")


class HistoryFilters(Filters):
    name: str | None = Field(default=None, description="Only the model of this name.")
    limit: int = Field(default=100, ge=1, le=1000, description="At most so many entries.")


@router.get("/namespaces/{namespace}/models/{name}/status", summary="One model", responses=READ_RESPONSES)
async def status(api: TheApi, ref: GetInPath) -> ModelStatus:
    """Looks at the cluster now. The endpoint of a stopped model is the one that it had."""
    return await look(api, ref)


@router.get("/models/{name}/status", summary="One model by its name alone", responses=BY_NAME_RESPONSES)
async def status_by_name(api: TheApi, ref: GetByName) -> ModelStatus:
    """In ?namespace=, else the default namespace, else the only one that has it; otherwise 409 with the candidates."""
    return await look(api, ref)


@router.get("/models", summary="Many models", response_model=ModelList, responses=READ_RESPONSES)
async def models(api: TheApi, user: Caller, filters: Annotated[ListFilters, Query()]) -> JSONResponse:
    """From the records, in order of namespace, kind and name; only what you may list.

    503 while the records are being rebuilt after Redis was lost.
    """
    place = filters.place()
    namespaces = frozenset({place}) if place else None
    wanted = Wanted(namespaces, parse_kind(filters.kind), filters.state, parse_labels(filters.label))
    found = await list_models(api, user, wanted, filters.limit, filters.page)
    items = [one.model_dump(mode="json") for one in found.items]
    return JSONResponse({"items": items, "continue": found.next, "total": found.total})


@router.get("/audit", summary="History", response_model=History, responses=READ_RESPONSES)
async def audit(api: TheApi, user: Caller, filters: Annotated[HistoryFilters, Query()]) -> JSONResponse:
    """Newest first, of what you may read; looked for in the last 10,000 entries of those namespaces."""
    place, kind = filters.place(), parse_kind(filters.kind)
    if place:
        kinds = [kind] if kind else list(Kind)
        if not any([await api.access.may(user, "list", one, place) for one in kinds]):
            await require(api.access, user, "list", kinds[0], namespace=place)
    items: list[dict[str, Any]] = []
    read, namespaces = 0, await _namespaces(api, user, place, kind)
    async with aclosing(api.parts.store.backwards("", namespaces=namespaces)) as entries:
        async for entry in entries:
            read += 1
            if _fits(entry, place, filters.name, kind) and await _readable(api, user, entry):
                items.append(_shown(entry))
            if len(items) == filters.limit or read == HISTORY_DEPTH:
                break
    return JSONResponse({"items": items})


async def _namespaces(api: Api, user: User, place: str | None, kind: Kind | None) -> frozenset[str] | None:
    """Where there may be entries for this user; None: everywhere."""
    if place:
        return frozenset({place})
    kinds = [kind] if kind else list(Kind)
    if any([await api.access.may(user, "list", one) for one in kinds]):
        return None
    known = await api.parts.store.namespaces()
    places = await allowed(api, user, "list", ((namespace, one) for namespace in known for one in kinds))
    return frozenset(namespace for namespace, _ in places)


def _fits(entry: Change, namespace: str | None, name: str | None, kind: Kind | None) -> bool:
    ref = entry.audit.ref
    if ref is None:
        return not (namespace or name or kind)
    return namespace in {None, "", ref.namespace} and name in {None, "", ref.name} and kind in {None, ref.kind}


async def _readable(api: Api, user: User, entry: Change) -> bool:
    """What named no model is for those who may list every model."""
    ref = entry.audit.ref
    if ref is None:
        return await api.access.may(user, "list", Kind.INFERENCE_SERVICE)
    return await api.access.may(user, "list", ref.kind, ref.namespace)


def _shown(entry: Change) -> dict[str, Any]:
    audit = entry.audit
    ref = audit.ref
    return {
        "id": entry.entry,
        "time": audit.time.isoformat(),
        "namespace": ref.namespace if ref else None,
        "name": ref.name if ref else None,
        "kind": ref.kind.value if ref else None,
        "action": audit.action,
        "actor": audit.actor,
        "claimed_actor": audit.claimed_actor,
        "state": audit.state,
        "previous": audit.previous,
        "code": audit.code,
        "reason": audit.reason,
        "message": audit.message,
        "source": audit.source,
        "event_id": audit.event_id,
        "correlation_id": audit.correlation_id,
        "changed": audit.changed,
    }
