"""`Ports` that suspend a reconcile at each call: what it asks for is a value, and the test plays the outside.

A reconcile is begun with `begin`, goes on with `send` and `throw`, and ends with StopIteration or its error.
"""

from collections.abc import Coroutine, Generator
from dataclasses import dataclass
from typing import Any

from events.model import ModelRef
from functions.lifecycle.effects import (
    AuditEntry,
    DeletePod,
    Effect,
    EndPods,
    MarkPod,
    PatchModel,
    PinOwners,
    Published,
    StepAnswer,
    UnpinOwners,
)
from functions.lifecycle.observation import Observation
from functions.lifecycle.record import Intent
from functions.lifecycle.request import Request
from functions.lifecycle.scene import Limits
from functions.reconcile.command import reconcile_command, reconcile_next
from functions.reconcile.notification import reconcile_notification
from functions.reconcile.ports import Claimed, Commit, Committed, InLine, Loaded, Ports

__all__ = [
    "AuditEntry", "Claimed", "Commit", "Committed", "DeletePod", "EndPods", "InLine", "Loaded", "MarkPod", "PatchModel",
    "PinOwners", "Published", "StepAnswer", "UnpinOwners",
]  # fmt: skip


@dataclass(frozen=True)
class Claim:
    request: Request


@dataclass(frozen=True)
class Next:
    ref: ModelRef


@dataclass(frozen=True)
class Load:
    ref: ModelRef


@dataclass(frozen=True)
class Look:
    ref: ModelRef
    verb: str | None = None
    pinned: bool = False
    predict: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    token: str
    request: Request
    intent: Intent


@dataclass(frozen=True)
class Release:
    token: str
    request: Request
    stays: bool = False


Ask = Effect | Claim | Next | Load | Look | Plan | Release | Commit
Step = Coroutine[Ask, Any, StepAnswer]


class _Suspended:
    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def __await__(self) -> Generator[Ask, Any, Any]:
        return (yield self._ask)


class Asking(Ports):
    """Each answer is what the test sends, or the exception that it throws."""

    def __repr__(self) -> str:
        return "ports"

    async def claim(self, request: Request) -> Claimed | InLine:
        return await _Suspended(Claim(request))

    async def claim_next(self, ref: ModelRef) -> Claimed | None:
        return await _Suspended(Next(ref))

    async def load(self, ref: ModelRef) -> Loaded:
        return await _Suspended(Load(ref))

    async def observe(
        self, ref: ModelRef, *, verb: Any = None, pinned: bool = False, predict: tuple[str, ...] = ()
    ) -> Observation:
        return await _Suspended(Look(ref, verb, pinned, predict))

    async def save_intent(self, token: str, request: Request, intent: Intent) -> None:
        await _Suspended(Plan(token, request, intent))

    async def apply(self, effect: Effect) -> int | None:
        return await _Suspended(effect)

    async def commit(self, commit: Commit) -> Committed:
        return await _Suspended(commit)

    async def release(self, token: str, request: Request, *, stays: bool) -> None:
        await _Suspended(Release(token, request, stays))


PORTS = Asking()


def take_command(request: Request, limits: Limits) -> Step:
    return reconcile_command(PORTS, request, limits)


def take_next(ref: ModelRef, limits: Limits) -> Step:
    return reconcile_next(PORTS, ref, limits)


def take_notification(ref: ModelRef, limits: Limits, **options: Any) -> Step:
    return reconcile_notification(PORTS, ref, limits, **options)


def begin(step: Step) -> Ask:
    """What it asks for first."""
    return step.send(None)
