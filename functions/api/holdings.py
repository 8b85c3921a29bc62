"""GET /api/v1/capacity: the numbers of the capacity page."""

from collections import defaultdict
from datetime import UTC, datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from functions.api.context import Caller, TheApi
from functions.api.contract import READ_RESPONSES
from functions.api.overview import Line
from functions.api.saving import HOW, LIMITS, Saving, saving_of, together
from functions.api.visibility import look_around

router = APIRouter(prefix="/api/v1", tags=["look"])


class Saved(BaseModel):
    """By stops that have ended and those that go on."""

    gpu_hours: float
    memory_gib_hours: float
    stops: int = Field(description="Those that go on included.")
    since: datetime | None = Field(description="When the earliest stop that is counted had freed everything.")


class NamespaceCapacity(BaseModel):
    namespace: str | None = Field(description="null: all that you may list.")
    models: int
    gpus_held: int
    gpus_exact: bool = Field(
        description="false: more are held or freed, by DRA ResourceClaims that could not be counted."
    )
    gpus_freed: int = Field(description="By the stops that go on.")
    saved: Saved


class Capacity(BaseModel):
    """`how` and `limits` say what the hours are, and what they leave out."""

    total: NamespaceCapacity
    namespaces: list[NamespaceCapacity]
    at: datetime
    how: str = HOW
    limits: str = LIMITS


@router.get("/capacity", summary="GPUs held, freed and saved", responses=READ_RESPONSES)
async def capacity(api: TheApi, user: Caller) -> Capacity:
    """From the records, of the models that you may list, by namespace. 503 while the records are being rebuilt."""
    scene, now = await look_around(api, user), datetime.now(UTC)
    by_namespace: dict[str, list[Line]] = defaultdict(list)
    for line in scene.lines:
        by_namespace[line.ref.namespace].append(line)
    found = [_counted(name, lines, now) for name, lines in sorted(by_namespace.items())]
    return Capacity(total=_counted(None, scene.lines, now), namespaces=found, at=now)


def _counted(namespace: str | None, lines: list[Line], now: datetime) -> NamespaceCapacity:
    return NamespaceCapacity(
        namespace=namespace,
        models=len(lines),
        gpus_held=sum(line.gpus for line in lines),
        gpus_exact=all(line.gpus_exact for line in lines),
        gpus_freed=sum(line.freed.gpus for line in lines if line.freed),
        saved=_shown(together(saving_of(line, now) for line in lines)),
    )


def _shown(saving: Saving) -> Saved:
    return Saved(
        gpu_hours=round(saving.gpu_hours, 4),
        memory_gib_hours=round(saving.gib_hours, 4),
        stops=saving.stops,
        since=saving.since,
    )
