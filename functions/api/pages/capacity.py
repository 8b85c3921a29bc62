"""GET /capacity: who holds, may hold, waits for and has freed which GPUs and how much memory."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from events.status import State
from functions.adapters.cluster import Missing
from functions.adapters.identity import User
from functions.api.context import Api, TheApi
from functions.api.overview import Line
from functions.api.pages.chart import Bar, bar_of
from functions.api.pages.frame import page, shown, troubles
from functions.api.pages.quota import Allowed, Waiting, allowed_by_namespace, waiting_by_namespace
from functions.api.saving import HOW, LIMITS, Saving, by_model, saving_of, together
from functions.api.visibility import Sight, look_around
from functions.lifecycle.errors import StepError
from functions.lifecycle.reasons import Reason

router = APIRouter(include_in_schema=False)
SHOWN_SAVINGS = 20


@dataclass(frozen=True)
class Amounts:
    """One resource of one namespace. `allowed` None: nothing limits it, or the cluster did not say."""

    held: int
    allowed: int | None
    waiting: int
    freed: int

    @property
    def extent(self) -> int:
        return max(self.allowed or 0, self.held + self.waiting + self.freed)


@dataclass(frozen=True)
class Holding:
    """One namespace."""

    namespace: str
    models: int
    stopped: int
    over_quota: int
    gpus: Amounts
    memory: Amounts
    saved: Saving


@router.get("/capacity")
async def capacity(api: TheApi, request: Request) -> HTMLResponse:
    async def make(user: User) -> HTMLResponse:
        return page(request, "capacity.html", 200, user, **await _content(api, user))

    return await shown(request, make)


async def _content(api: Api, user: User) -> dict[str, Any]:
    scene = await look_around(api, user)
    quotas, waiting = await _asked(api, scene.sight)
    by_namespace: dict[str, list[Line]] = defaultdict(list)
    for line in scene.lines:
        by_namespace[line.ref.namespace].append(line)
    now = datetime.now(UTC)
    holdings = [
        _holding(
            namespace, lines, (quotas or {}).get(namespace, Allowed()), (waiting or {}).get(namespace, Waiting()), now
        )
        for namespace, lines in sorted(by_namespace.items())
    ]
    most_gpus = max((one.gpus.extent for one in holdings), default=0)
    most_memory = max((one.memory.extent for one in holdings), default=0)
    return {
        "sign": troubles(scene.tally),
        "holdings": holdings,
        "bars": {one.namespace: (_bar(one.gpus, most_gpus), _bar(one.memory, most_memory)) for one in holdings},
        "total": _total(holdings),
        "uncounted": sum(not line.gpus_exact for line in scene.lines),
        "known": quotas is not None and waiting is not None,
        "saved": together(one.saved for one in holdings),
        "savings": by_model(scene.lines, now)[:SHOWN_SAVINGS],
        "how": HOW,
        "limits": LIMITS,
        "now": now,
    }


async def _asked(api: Api, sight: Sight) -> tuple[dict[str, Allowed] | None, dict[str, Waiting] | None]:
    """None where the cluster does not say; the page then says so."""
    try:
        return await allowed_by_namespace(api), await waiting_by_namespace(api, sight)
    except (StepError, Missing):
        return None, None


def _holding(namespace: str, lines: list[Line], quota: Allowed, waiting: Waiting, now: datetime) -> Holding:
    freed = [line.freed for line in lines if line.freed]
    return Holding(
        namespace=namespace,
        models=len(lines),
        stopped=sum(line.state is State.STOPPED for line in lines),
        over_quota=sum(line.reason == Reason.QUOTA_EXCEEDED for line in lines),
        gpus=Amounts(sum(line.gpus for line in lines), quota.gpus, waiting.gpus, sum(one.gpus for one in freed)),
        memory=Amounts(
            sum(line.memory for line in lines), quota.memory, waiting.memory, sum(one.memory for one in freed)
        ),
        saved=together(saving_of(line, now) for line in lines),
    )


def _bar(amounts: Amounts, most: int) -> Bar:
    return bar_of(amounts.held, amounts.waiting, amounts.freed, amounts.allowed, most)


def _total(holdings: list[Holding]) -> dict[str, int]:
    return {
        "held": sum(one.gpus.held for one in holdings),
        "waiting": sum(one.gpus.waiting for one in holdings),
        "freed": sum(one.gpus.freed for one in holdings),
        "memory": sum(one.memory.held for one in holdings),
        "freed_memory": sum(one.memory.freed for one in holdings),
    }
