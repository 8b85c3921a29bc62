"""What stands on the storage side: the StorageClass, the claim, and whether both fit the artifact. Pure."""

import hashlib

from functions.adapters.quantities import parse_quantity
from functions.admin.pvc import manifests
from functions.admin.pvc.seen import Json, Seen, Unreadable
from functions.admin.pvc.verdicts import Change, Check, note, ok, refused
from functions.admin.pvc.wish import DEFAULT_ACCESS_MODE, Wish, in_bytes
from functions.lifecycle.quantity import format_memory

CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
RETAIN = "Retain"
_SAME = ("provisioner", "parameters", "mountOptions", "volumeBindingMode", "allowedTopologies")


def claims(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"


def plan_storage(wish: Wish, seen: Seen) -> tuple[list[Check], Change | None, Change | None]:
    """The checks, and what becomes of the StorageClass and of the claim (None: they stay as they are)."""
    if seen.claim is not None:
        return [*_existing(wish, seen, seen.claim), *_modes(wish, seen)], None, None
    checks, class_name, new_class = _storage_class(wish, seen)
    size_checks, size = _new_size(wish)
    checks += [*size_checks, *_modes(wish, seen)]
    wanted = manifests.claim(wish, class_name, size)
    return checks, new_class, Change(claims(wish.namespace), None, wanted)


def _storage_class(wish: Wish, seen: Seen) -> tuple[list[Check], str | None, Change | None]:
    about = "StorageClass"
    if isinstance(seen.classes, Unreadable):
        if not wish.storage_class:
            return (
                [refused(about, "you may not read StorageClasses, and none is named", "Add --storage-class.")],
                None,
                None,
            )
        said = f"you may not read {wish.storage_class}, so it is unknown whether it retains its volumes"
        return (
            [note(about, said, "Ask for the right to get storageclasses, or ask their administrator.")],
            wish.storage_class,
            None,
        )
    by_name = {found["metadata"]["name"]: found for found in seen.classes}
    name = wish.storage_class or _default(seen.classes)
    if name is None or name not in by_name:
        said = f"there is no {name}" if name else "none is named and the cluster has no default"
        return (
            [refused(about, said, f"Name one with --storage-class: {', '.join(sorted(by_name)) or 'there is none'}.")],
            name,
            None,
        )
    found = by_name[name]
    if found.get("reclaimPolicy") == RETAIN:
        return [ok(about, f"{name} retains volumes whose claim was deleted")], name, None
    clone = by_name.get(manifests.retained_name(name))
    if clone is None:
        wanted = manifests.retained_class(found)
        return _cloned(name, seen, wanted), manifests.retained_name(name), Change(CLASSES, None, wanted)
    if clone.get("reclaimPolicy") == RETAIN and all(clone.get(key) == found.get(key) for key in _SAME):
        return (
            [ok(about, f"{clone['metadata']['name']}, which is {name} with reclaimPolicy Retain")],
            clone["metadata"]["name"],
            None,
        )
    said = f"{name} deletes volumes with their claim, and {clone['metadata']['name']} is something else than {name} with Retain"
    return [refused(about, said, "Name a class that retains with --storage-class.")], name, None


def _cloned(name: str, seen: Seen, wanted: Json) -> list[Check]:
    said = f"{name} deletes volumes with their claim; {wanted['metadata']['name']} is made, the same with reclaimPolicy Retain"
    if ("create", "storageclasses") in seen.denied:
        why = "a StorageClass belongs to the whole cluster, and you may not create one"
        return [
            refused(
                "StorageClass", f"{said}, but {why}", "Have an administrator apply the one shown below, then go on."
            )
        ]
    return [note("StorageClass", f"{said} (for the whole cluster)")]


def _default(classes: tuple[Json, ...]) -> str | None:
    marked = [
        one["metadata"]
        for one in classes
        if (one["metadata"].get("annotations") or {}).get(manifests.DEFAULT_CLASS) == "true"
    ]
    newest = sorted(marked, key=lambda metadata: str(metadata.get("creationTimestamp") or ""))
    return str(newest[-1]["name"]) if newest else None


def _new_size(wish: Wish) -> tuple[list[Check], str]:
    needed = wish.bytes_expected
    if wish.size is None:
        if needed is None:
            following = "Add --size, at least the artifact's."
            return [
                refused(
                    "size",
                    "the size that the claim needs is unknown: the size of an artifact on S3 is not read",
                    following,
                )
            ], "1Gi"
        size = manifests.storage(needed)
        return [ok("size", f"{size} for an artifact of {format_memory(needed)}")], size
    return [_fits(needed, in_bytes(wish.size, "--size"), wish.size)], wish.size


def _fits(needed: int | None, room: int, said: str) -> Check:
    if needed is None:
        return note(
            "size",
            f"{said}; whether the artifact fits shows when it is copied",
            "Add --artifact-size to have it checked.",
        )
    if needed > room:
        following = "Choose a larger --size, or a claim with more room."
        return refused("size", f"the claim is too small: {said} for an artifact of {format_memory(needed)}", following)
    return ok("size", f"{said} for an artifact of {format_memory(needed)}")


def capacity(claim: Json) -> str:
    given = (claim.get("status") or {}).get("capacity") or {}
    asked = (claim["spec"].get("resources") or {}).get("requests") or {}
    return str(given.get("storage") or asked.get("storage") or "0")


def _existing(wish: Wish, seen: Seen, claim: Json) -> list[Check]:
    about, spec, status = f"claim {wish.claim}", claim["spec"], claim.get("status") or {}
    if claim["metadata"].get("deletionTimestamp"):
        return [refused(about, "it is being deleted", "Wait until it is gone, or name another claim.")]
    if status.get("phase") == "Lost":
        return [refused(about, "its volume is gone (phase Lost)", "Name another claim.")]
    if spec.get("volumeMode") == "Block":
        return [refused(about, "it is a raw block device; a model is served from files", "Name another claim.")]
    checks = [*_same_settings(wish, claim), _retained(wish, seen)]
    if _recorded(claim, wish):
        return checks
    room = capacity(claim)
    return [*checks, _fits(wish.bytes_expected, int(parse_quantity(room)), room)]


def _recorded(claim: Json, wish: Wish) -> bool:
    return record_key(wish) in (claim["metadata"].get("annotations") or {})


def record_key(wish: Wish) -> str:
    """The key of the claim's annotation about this path; it does not depend on what is copied there."""
    return manifests.RECORD_PREFIX + hashlib.sha256(str(wish.target).encode()).hexdigest()[:8]


def _same_settings(wish: Wish, claim: Json) -> list[Check]:
    about, spec, room = f"claim {wish.claim}", claim["spec"], capacity(claim)
    following = "Leave the option away to take the claim as it is, or name another claim."
    wrong = []
    if wish.access_mode and wish.access_mode not in (spec.get("accessModes") or []):
        wrong.append(f"access modes {', '.join(spec.get('accessModes') or ['none'])}, wanted {wish.access_mode}")
    class_name = spec.get("storageClassName") or ""
    if wish.storage_class and class_name not in {wish.storage_class, manifests.retained_name(wish.storage_class)}:
        wrong.append(f"StorageClass {class_name or 'none'}, wanted {wish.storage_class}")
    if wish.size and parse_quantity(room) < in_bytes(wish.size, "--size"):
        wrong.append(f"size {room}, wanted {wish.size}")
    if wrong:
        return [refused(about, f"it is there with other settings: {'; '.join(wrong)}", following)]
    return [
        ok(
            about,
            f"it is there: {room}, {', '.join(spec.get('accessModes') or [])}, StorageClass {class_name or 'none'}",
        )
    ]


def _retained(wish: Wish, seen: Seen) -> Check:
    about = "reclaim policy"
    if isinstance(seen.volume, Unreadable):
        return note(about, "you may not read the claim's volume, so it is unknown whether it outlives the claim")
    if seen.volume is None:
        return note(about, f"claim {wish.claim} is not bound to a volume yet; its StorageClass decides")
    name, policy = seen.volume["metadata"]["name"], seen.volume["spec"].get("persistentVolumeReclaimPolicy")
    if policy == RETAIN:
        return ok(about, f"volume {name} outlives its claim")
    patch = f"""kubectl patch pv {name} -p '{{"spec":{{"persistentVolumeReclaimPolicy":"Retain"}}}}'"""
    return note(
        about,
        f"deleting the claim also deletes volume {name} and the model on it ({policy})",
        f"An administrator can change that: {patch}",
    )


def _modes(wish: Wish, seen: Seen) -> list[Check]:
    about = "access mode"
    modes = (seen.claim["spec"].get("accessModes") or []) if seen.claim else [wish.access_mode or DEFAULT_ACCESS_MODE]
    if {"ReadWriteMany", "ReadOnlyMany"} & set(modes):
        return [ok(about, f"{', '.join(modes)}: pods of every node can mount it")]
    predictor = ((seen.model or {}).get("spec") or {}).get("predictor") or {}
    if modes == ["ReadWriteOncePod"] and int(predictor.get("minReplicas") or 1) > 1:
        said = f"ReadWriteOncePod lets one pod mount it, the model wants {predictor['minReplicas']}"
        return [refused(about, said, "Take a claim that is ReadWriteMany.")]
    mode = ", ".join(modes)
    if seen.nodes is None:
        return [note(about, f"{mode}: all pods of the model must be on one node (you may not list the nodes)")]
    if seen.nodes > 1:
        said = f"{mode} on a cluster of {seen.nodes} nodes: all pods of the model, and the loader, run on one node; others stay Pending"
        return [note(about, said, "Take ReadWriteMany where the model is to have pods on several nodes.")]
    return [ok(about, f"{mode}: the cluster has one node")]
