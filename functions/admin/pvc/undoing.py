"""What was done, so that it can be taken back in reverse. A claim and what is on it are never taken back."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from functions.adapters.cluster import Changed, Cluster, Missing
from functions.admin.pvc.manifests import DIGEST_ANNOTATION
from functions.admin.pvc.progress import Teller
from functions.admin.pvc.seen import Json
from functions.admin.pvc.verdicts import Change
from functions.lifecycle.errors import PreconditionFailed, StepError

MODEL = "/spec/predictor/model"

Undo = Callable[[], Awaitable[None]]


@dataclass
class Journal:
    """`stays` are sentences about what is left where it is."""

    tell: Teller
    _done: list[tuple[str, Undo]] = field(default_factory=list)
    _stays: list[str] = field(default_factory=list)

    def done(self, what: str, undo: Undo) -> None:
        self._done.append((what, undo))

    def settled(self) -> None:
        """What was done last needs no undoing any more."""
        self._done.pop()

    def stays(self, what: str) -> None:
        self._stays.append(what)

    async def undo(self) -> str:
        """In reverse, each said, what could not be taken back with its reason. Answers one sentence about it all."""
        if not self._done and not self._stays:
            return "This run had changed nothing"
        clean = True
        while self._done:
            what, undo = self._done.pop()
            try:
                await undo()
                self.tell.say(f"undone: {what}")
            except Missing:
                self.tell.say(f"undone: {what} (it was gone already)")
            except (Changed, PreconditionFailed) as error:
                clean = False
                self.tell.say(f"NOT undone: {what}: another client changed it since ({error})")
            except StepError as error:
                clean = False
                self.tell.say(f"NOT undone: {what}: {error.message}. {error.next_action}")
        for sentence in self._stays:
            self.tell.say(f"stays: {sentence}")
        stay = "; the claim and what is on it stay" if self._stays else ""
        return f"{'What this run did is undone' if clean else 'Not all could be undone, see above'}{stay}"


def deletes(cluster: Cluster, change: Change, made: Json) -> Undo:
    """Deletes only the object that this run created, not another one of that name."""

    async def undo() -> None:
        await cluster.delete(
            change.path, {"preconditions": {"uid": made["metadata"]["uid"]}, "propagationPolicy": "Background"}
        )

    return undo


def puts_back(cluster: Cluster, change: Change, before: Json, made: Json) -> Undo:
    """The model's storage as it was, if it is still as we left it."""
    mine = made["spec"]["predictor"]["model"]

    async def undo() -> None:
        operations: list[Json] = [
            {"op": "test", "path": "/metadata/uid", "value": made["metadata"]["uid"]},
            {"op": "test", "path": f"{MODEL}/storageUri", "value": mine["storageUri"]},
            {"op": "replace", "path": MODEL, "value": before["spec"]["predictor"]["model"]},
        ]
        operations.append(_digest_as_before(before))
        await cluster.json_patch(change.path, list(operations))

    return undo


def _digest_as_before(before: Json) -> Json:
    """Restores only our own annotation: others may have been added since."""
    path = f"/metadata/annotations/{DIGEST_ANNOTATION.replace('/', '~1')}"
    old = (before["metadata"].get("annotations") or {}).get(DIGEST_ANNOTATION)
    return {"op": "remove", "path": path} if old is None else {"op": "add", "path": path, "value": old}
