"""What is true of models: one, many, and their history."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from events.model import Kind
from events.status import ModelStatus, State
from functions.adapters.identity import User, require
from functions.adapters.store import Change
from functions.api.context import Api, Caller, TheApi
from functions.api.contract import READ_RESPONSES, History, ModelList
from functions.api.listing import Wanted, list_models, parse_labels
from functions.api.naming import InNamespace, MaybeNamespace, Named, OfKind, make_ref, permitted, resolve
from functions.api.steps import look

router = APIRouter(prefix="/api/v1", tags=["look"])
HISTORY_PAGE = 500
HISTORY_DEPTH = 10_000


@router.get("/namespaces/{namespace}/models/{name}/status", summary="One model", responses=READ_RESPONSES)
async def status(api: TheApi, user: Caller, namespace: InNamespace, name: Named, kind: OfKind) -> ModelStatus:
    """Looks at the cluster now. The endpoint of a stopped model is the one that it had."""
    return await look(api, await permitted(api, user, make_ref(namespace, name, kind), "get"))


@router.get("/models/{name}/status", summary="One model by its name alone", responses=READ_RESPONSES)
async def status_by_name(
    api: TheApi, user: Caller, name: Named, namespace: MaybeNamespace, kind: OfKind
) -> ModelStatus:
    """In ?namespace=, else the default namespace, else the only one that has it; otherwise 409 with the candidates."""
    return await look(api, await resolve(api, user, name, namespace, kind, "get"))


@router.get("/models", summary="Many models", response_model=ModelList, responses=READ_RESPONSES)
async def models(
    api: TheApi,
    user: Caller,
    kind: OfKind,
    namespace: Annotated[str | None, Query(description="Only this namespace.")] = None,
    state: Annotated[State | None, Query(description="Only models in this state.")] = None,
    label: Annotated[list[str] | None, Query(description="Only models with this label: a=b.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Models per page.")] = 100,
    page: Annotated[str | None, Query(alias="continue", description="`continue` of the page before.")] = None,
) -> JSONResponse:
    """From the records, in order of namespace, kind and name; only what you may list.

    503 while the records are being rebuilt after Redis was lost.
    """
    wanted = Wanted(frozenset({_place(namespace)}) if namespace else None, kind, state, parse_labels(label or []))
    found = await list_models(api, user, wanted, limit, page)
    items = [one.model_dump(mode="json") for one in found.items]
    return JSONResponse({"items": items, "continue": found.next, "total": found.total})


@router.get("/audit", summary="History", response_model=History, responses=READ_RESPONSES)
async def audit(
    api: TheApi,
    user: Caller,
    kind: OfKind,
    namespace: Annotated[str | None, Query(description="Only this namespace.")] = None,
    name: Annotated[str | None, Query(description="Only the model of this name.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> JSONResponse:
    """Newest first, of what you may read; looked for in the last 10,000 entries."""
    if namespace:
        place = _place(namespace)
        kinds = [kind] if kind else list(Kind)
        if not any([await api.access.may(user, "list", one, place) for one in kinds]):
            await require(api.access, user, "list", kinds[0], place)
    items: list[dict[str, Any]] = []
    before = ""
    for _ in range(HISTORY_DEPTH // HISTORY_PAGE):
        entries = await api.parts.store.newest(before, HISTORY_PAGE)
        for entry in entries:
            if _fits(entry, namespace, name, kind) and await _readable(api, user, entry):
                items.append(_shown(entry))
        if len(items) >= limit or len(entries) < HISTORY_PAGE:
            break
        before = entries[-1].entry
    return JSONResponse({"items": items[:limit]})


def _place(namespace: str) -> str:
    return make_ref(namespace, "any", None).namespace


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
        "state": audit.state,
        "previous": audit.previous,
        "code": audit.code,
        "reason": audit.reason,
        "message": audit.message,
        "source": audit.source,
        "event_id": audit.event_id,
        "changed": audit.changed,
    }
