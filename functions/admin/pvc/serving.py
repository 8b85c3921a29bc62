"""What serves: the ServingRuntime and the InferenceService as they will be. Pure."""

from dataclasses import dataclass
from typing import Any

from functions.adapters.kserve.resources import GROUP
from functions.admin.pvc import manifests
from functions.admin.pvc.seen import Json, Seen
from functions.admin.pvc.source import model_of
from functions.admin.pvc.verdicts import Change, Check, note, ok, refused
from functions.admin.pvc.wish import Wish
from functions.lifecycle.observation import STOP_ANNOTATION

_KEEPERS = ("argocd", "kustomize-controller", "helm-controller", "fleet")


@dataclass(frozen=True)
class Runtime:
    """`name`: what the model is to name; None: what it names now."""

    check: Check
    change: Change | None = None
    name: str | None = None


def plan_runtime(wish: Wish, seen: Seen) -> Runtime:
    about = "runtime"
    named = wish.runtime_from or model_of(seen.model or {}).get("runtime")
    if seen.runtime is None:
        return Runtime(_without_runtime(wish, named))
    empty = manifests.model_empty_dirs(seen.runtime.get("spec") or {})
    if wish.runtime_copy is None and empty:
        said = f"ServingRuntime {named} mounts emptyDir {', '.join(empty)} where the model belongs"
        return Runtime(refused(about, said, "Add --runtime NEW for a copy without it."))
    if wish.runtime_copy is None:
        return Runtime(ok(about, f"{named} is used as it is: it mounts no emptyDir for the model"))
    wanted = manifests.runtime(seen.runtime, wish.runtime_copy, wish.namespace)
    if seen.runtime_copy is None:
        collection = f"{GROUP}/v1alpha1/namespaces/{wish.namespace}/servingruntimes"
        without = f", without emptyDir {', '.join(empty)}" if empty else ""
        said = f"{wish.runtime_copy} is made, a copy of {named}{without}"
        return Runtime(ok(about, said), Change(collection, None, wanted), wish.runtime_copy)
    if not covers(seen.runtime_copy.get("spec"), wanted["spec"]):
        said = f"ServingRuntime {wish.runtime_copy} is there with other settings"
        return Runtime(refused(about, said, "Choose another name for --runtime."))
    return Runtime(ok(about, f"{wish.runtime_copy} is there as it is wanted"), None, wish.runtime_copy)


def _without_runtime(wish: Wish, named: str | None) -> Check:
    about = "runtime"
    if named:
        return refused(
            about, f"there is no ServingRuntime {named}", "Name one that there is, or ask for the right to read it."
        )
    if wish.runtime_copy:
        return refused(about, "the model names no runtime, so there is none to copy", "Name it with --runtime-from.")
    return note(about, "KServe chooses it by the model's format; whether it mounts an emptyDir shows on the pod")


def covers(there: Any, wanted: Any) -> bool:
    """Whether everything wanted is there; an API server may have added defaults."""
    if isinstance(wanted, dict):
        return isinstance(there, dict) and all(
            key in there and covers(there[key], value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(there, list) and len(there) == len(wanted) and all(map(covers, there, wanted))
    return bool(there == wanted)


def plan_service(
    wish: Wish, seen: Seen, runtime_name: str | None, digest: str, *, loads: bool
) -> tuple[list[Check], Change | None]:
    about, model = "InferenceService", seen.model or {}
    collection = f"{GROUP}/v1beta1/namespaces/{wish.namespace}/inferenceservices"
    wanted = manifests.service(model, wish, runtime_name, digest)
    served = seen.served
    if served is not None and served["metadata"].get("deletionTimestamp"):
        return [refused(about, f"{wish.name} is being deleted", "Wait until it is gone.")], None
    if served is not None and _serves(served, wish, runtime_name):
        if loads:
            said = f"{wish.name} has storageUri {wish.target} already: its pods are replaced once, so that they see the copy"
            return [ok(about, said)], Change(collection, served, manifests.with_digest(served, digest))
        return [ok(about, f"{wish.name} has storageUri {wish.target} already")], None
    if wish.new_name and served is not None:
        return [refused(about, f"{wish.name} is there already and is something else", "Choose another --name.")], None
    if wish.new_name:
        said = (
            f"{wish.name} is made beside {wish.model}, which stays as it is: move its callers, then stop or delete it"
        )
        return [note(about, said)], Change(collection, None, wanted)
    if is_stopped(model):
        said = f"{wish.model} is stopped: it is changed now and starts from the claim; that it answers can't be checked before"
        return [note(about, said)], Change(collection, model, wanted)
    checks = [ok(about, f"{wish.model} is changed in place: its pods are replaced once")]
    return [*checks, *_kept(model)], Change(collection, model, wanted)


def _serves(served: Json, wish: Wish, runtime_name: str | None) -> bool:
    model = model_of(served)
    return model.get("storageUri") == str(wish.target) and runtime_name in {None, model.get("runtime")}


def _kept(model: Json) -> list[Check]:
    """Who applies the object again puts its old storage back."""
    metadata = model["metadata"]
    managers = [str(entry.get("manager")) for entry in metadata.get("managedFields") or []]
    keepers = [manager for manager in managers if any(name in manager for name in _KEEPERS)]
    if not keepers and manifests.LAST_APPLIED in (metadata.get("annotations") or {}):
        keepers = ["kubectl apply"]
    if not keepers:
        return []
    said = f"the object comes from {keepers[0]}, which will put the old storage back when it applies it again"
    return [note("origin", said, "Change it there too: the diff below says what.")]


def is_stopped(isvc: Json) -> bool:
    return str((isvc["metadata"].get("annotations") or {}).get(STOP_ANNOTATION)).lower() == "true"
