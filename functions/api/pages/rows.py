"""One model as a row of the table: what is shown, and which buttons can work. The same row for the page and for a change."""

from dataclasses import dataclass
from typing import Literal

from events.model import Kind
from events.senders import named
from events.status import Hold, HoldKind, ModelStatus, State
from functions.api.pages.wording import sentence
from functions.lifecycle.reasons import Reason

Verb = Literal["stop", "start"]


@dataclass(frozen=True)
class Button:
    """`off`: why it can't work now; None where it can. `queue`: the start waits for the last pod to go."""

    verb: Verb
    label: str
    off: str | None = None
    queue: bool = False


@dataclass(frozen=True)
class Row:
    """`who` and `why` as a person says them; `claims`: who that sender says it is.

    `outside`: KServe's own annotation was set without us.
    """

    model: ModelStatus
    key: str
    link: str
    who: str | None
    claims: str | None
    why: str
    outside: bool
    button: Button


def row_of(status: ModelStatus, *, may_patch: bool) -> Row:
    hold = status.holds[0] if status.holds and status.desired == "stopped" else None
    return Row(
        model=status,
        key=f"{status.namespace}/{status.kind.value}/{status.name}",
        link=f"/models/{status.namespace}/{status.kind.value}/{status.name}",
        who=_who(hold) if hold else None,
        claims=hold.claimed_actor if hold else None,
        why=(hold.reason or "" if hold and status.state is State.STOPPED else status.message or ""),
        outside=bool(hold and hold.kind is HoldKind.EXTERNAL),
        button=button_of(status, may_patch=may_patch),
    )


def button_of(status: ModelStatus, *, may_patch: bool) -> Button:
    """The one thing that can be wanted of a model as it is."""
    starts = status.desired == "stopped"
    queue = starts and status.state is not State.STOPPED
    label = "Start" if starts else "Stop"
    return Button("start" if starts else "stop", label, _off(status, may_patch=may_patch, starts=starts), queue)


def _off(status: ModelStatus, *, may_patch: bool, starts: bool) -> str | None:
    if not may_patch:
        return not_yours(status.namespace, status.kind)
    if status.reason == Reason.DELETING:
        return "It is being deleted; what is deleted can neither be stopped nor started."
    if starts and status.queued:
        return "A start is waiting already: it begins when the last pod is gone."
    return None


def not_yours(namespace: str, kind: Kind) -> str:
    return f"You may not change models here. An administrator of {namespace} can grant you the right to patch {kind.plural}."


def _who(hold: Hold) -> str:
    return hold.actor.removeprefix("external:")


def held_by(hold: Hold) -> str:
    """A hold in one sentence, for the model's own page."""
    place = " outside modelswitch, with KServe's own annotation," if hold.kind is HoldKind.EXTERNAL else ""
    return sentence(
        f"Stopped{place} by {named(_who(hold), hold.claimed_actor)}{f': {hold.reason}' if hold.reason else ''}"
    )
