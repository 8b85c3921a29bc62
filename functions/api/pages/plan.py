"""POST /plan: what a stop or a start of these models will do, looked at now, as the content of the confirmation."""

import asyncio
from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from events.model import Frozen, Kind, ModelRef
from events.status import State
from functions.adapters.cluster import Missing
from functions.adapters.identity import User
from functions.api.bodies import Calling, CallNow, parse
from functions.api.context import Api
from functions.api.contract import MOST_MODELS, BulkModel
from functions.api.naming import make_ref
from functions.api.pages.frame import fragment
from functions.api.pages.graphs import Users, graphs_using
from functions.api.pages.history import read_histories, starts_of
from functions.api.pages.requests import UNKNOWN, Counted, count_requests, together
from functions.api.pages.routing_groups import Group, groups_of
from functions.api.pages.rows import Button, Verb, button_of
from functions.api.problems import invalid
from functions.api.visibility import may_patch_each
from functions.lifecycle.errors import Code, StepError
from functions.lifecycle.observation import Observation
from functions.lifecycle.record import Record
from functions.lifecycle.scene import DEFAULT_GRACE_SECONDS
from functions.lifecycle.stopping import FORCED_GRACE_SECONDS

router = APIRouter(include_in_schema=False)
LOOKED_AT = 25
NAME_TYPED_ABOVE = 10
_HISTORY = 100
_GRACES = (("30s", "30 seconds"), ("90s", "90 seconds"), ("5m", "5 minutes"), ("15m", "15 minutes"), ("1h", "1 hour"))


class Asked(Frozen):
    verb: Verb
    models: tuple[BulkModel, ...]


@dataclass(frozen=True)
class Item:
    """One model of the plan. `off`: why nothing will be done with it. `grace`: the longest that one of its pods may take.

    `server`: after so many seconds its server ends requests in flight, whatever the grace.
    """

    ref: ModelRef
    state: State
    pods: int | None
    gpus: int
    gpus_exact: bool
    memory: int
    grace: int | None
    graphs: list[str]
    off: str | None = None
    canary: str | None = None
    split: str | None = None
    queue: bool = False
    expected: float | None = None
    starts: int = 0
    requests: Counted = UNKNOWN
    group: Group | None = None
    server: int | None = None

    @property
    def key(self) -> str:
        return f"{self.ref.namespace}/{self.ref.kind.value}/{self.ref.name}"


@dataclass(frozen=True)
class _Known:
    user: User
    record: Record
    seen: Observation | None
    button: Button
    graphs: Users | None
    history: tuple[float, ...]
    requests: Counted
    group: Group | None = None


@router.post("/plan")
async def plan(call: CallNow) -> HTMLResponse:
    asked = parse(Asked, call.body)
    if not 0 < len(asked.models) <= MOST_MODELS:
        raise invalid(f"{len(asked.models)} models; expected 1 to {MOST_MODELS}")
    refs = [make_ref(model.namespace or "", model.name, model.kind) for model in asked.models]
    items, graphs_known, groups_known = await _items(call, asked.verb, refs)
    able = [item for item in items if item.off is None]
    return HTMLResponse(
        fragment(
            f"confirm_{asked.verb}.html",
            items=items,
            able=able,
            graphs_known=graphs_known,
            groups_known=groups_known,
            requests=together([item.requests for item in able]),
            looked=len(refs) <= LOOKED_AT,
            graces=_GRACES,
            default_grace=DEFAULT_GRACE_SECONDS,
            forced_grace=FORCED_GRACE_SECONDS,
            many=len(able) > NAME_TYPED_ABOVE,
            phrase=able[0].ref.name if len(able) == 1 else f"{asked.verb} {len(able)} models",
            laptop=call.api.parts.settings.auth == "none",
        )
    )


async def _items(call: Calling, verb: Verb, refs: list[ModelRef]) -> tuple[list[Item], bool, bool]:
    """Those that the user may see. Then: whether all graphs could be looked at, and all members of routing groups."""
    api, user = call.api, call.user
    visible = [ref for ref in refs if await api.access.may(user, "list", ref.kind, ref.namespace)]
    records = {record.ref: record for record in await api.parts.store.records(visible) if record and record.state}
    looked = list(records) if len(records) <= LOOKED_AT else []
    looks, requests = await asyncio.gather(
        _looks(api, verb, looked), count_requests(api, looked if verb == "stop" else [])
    )
    graphs = await graphs_using(api, user, list(records)) if verb == "stop" else {}
    groups = await groups_of(api, user, list(records)) if verb == "stop" else {}
    starts = verb == "start" and len(records) <= LOOKED_AT
    histories = await read_histories(api, records, _HISTORY) if starts else {}
    items = []
    rights = await may_patch_each(api, user, [record.status() for record in records.values()])
    for (ref, record), (status, right) in zip(records.items(), rights, strict=True):
        history = starts_of(histories.get(ref, [])).seconds
        button = button_of(status, may_patch=right)
        known = _Known(
            user, record, looks.get(ref), button, graphs, history, requests.get(ref, UNKNOWN), (groups or {}).get(ref)
        )
        items.append(_stop_item(known) if verb == "stop" else _start_item(known))
    return items, graphs is not None, groups is not None


async def _looks(api: Api, verb: Verb, refs: list[ModelRef]) -> dict[ModelRef, Observation]:
    """Where the cluster can't be asked, the record is what is known."""
    gate = asyncio.Semaphore(8)

    async def look(ref: ModelRef) -> Observation | None:
        async with gate:
            try:
                return await api.parts.observer.observe(ref, verb=verb)
            except (StepError, Missing):
                return None

    found = await asyncio.gather(*(look(ref) for ref in refs))
    return {ref: seen for ref, seen in zip(refs, found, strict=True) if seen and seen.exists}


def _stop_item(known: _Known) -> Item:
    record, seen = known.record, known.seen
    pods = [pod for pod in seen.pods if not pod.finished] if seen else []
    blockers = seen.blockers if seen else ()
    blocking = next((one for one in blockers if one.code is not Code.CANARY_IN_PROGRESS), None)
    canary = next((one.message for one in blockers if one.code is Code.CANARY_IN_PROGRESS), None)
    off = known.button.off
    if not off and known.button.verb == "start":
        off = "It is stopped already." if record.state is State.STOPPED else "It is stopping already."
    if not off and blocking:
        off = f"{blocking.message}. {blocking.next_action}"
    is_service = record.ref.kind is Kind.INFERENCE_SERVICE
    graphs = (known.graphs or {}).get((record.ref.namespace, record.ref.name), []) if is_service else []
    return Item(
        ref=record.ref,
        state=record.state or State.ERROR,
        pods=len(pods) if seen else None,
        gpus=seen.gpus if seen else record.gpus,
        gpus_exact=seen.gpus_exact if seen else record.gpus_exact,
        memory=seen.memory if seen else record.memory,
        grace=max((min(pod.grace, DEFAULT_GRACE_SECONDS) for pod in pods), default=0) if seen else None,
        graphs=graphs,
        off=off,
        canary=canary,
        split="; ".join(str(one) for one in seen.canaries) if seen and seen.canaries else None,
        requests=known.requests,
        group=known.group,
        server=min((pod.server_seconds for pod in pods if pod.server_seconds is not None), default=None),
    )


def _start_item(known: _Known) -> Item:
    record, seen = known.record, known.seen
    off = known.button.off
    if not off and known.button.verb == "stop":
        off = "Nothing holds it: it runs, or is on its way."
    if not off and seen and seen.shortages and record.state is State.STOPPED:
        short = "; ".join(
            f"{one.resource}: needs {one.requested}, used {one.used} of {one.limited}" for one in seen.shortages
        )
        off = f"It does not fit the namespace's quota ({short}). Stop another model of this namespace first."
    ran = seen.stop_note.pods if seen and seen.stop_note else ()
    starts = known.history
    return Item(
        ref=record.ref,
        state=record.state or State.ERROR,
        pods=len(ran) if ran else None,
        gpus=sum(pod.gpus for pod in ran) if ran else record.receipt.gpus if record.receipt else 0,
        gpus_exact=all(pod.gpus_exact for pod in ran) if ran else record.receipt is None or record.receipt.gpus_exact,
        memory=sum(pod.memory for pod in ran),
        grace=None,
        graphs=[],
        off=off,
        queue=known.button.queue,
        expected=sorted(starts[:10])[len(starts[:10]) // 2] if starts else None,
        starts=len(starts),
    )
