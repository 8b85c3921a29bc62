"""Getting the artifact onto the claim: by a Job from S3, or through a Pod from here. Both end with a checked digest."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from functions.adapters.cluster import Changed, Cluster, Missing
from functions.adapters.kserve.pods import read_pod
from functions.adapters.kserve.resources import pods
from functions.admin.pvc import scripts
from functions.admin.pvc.errors import StepFailed
from functions.admin.pvc.exec import Broken, Container, Ended
from functions.admin.pvc.folder import Folder, tar_length, tar_stream
from functions.admin.pvc.manifests import places
from functions.admin.pvc.progress import Teller
from functions.admin.pvc.verdicts import Change, Json
from functions.admin.pvc.waiting import Patience, Trouble, steadily
from functions.admin.pvc.wish import Wish

_ATTEMPTS = 3
_WHY = {
    scripts.OTHER_CONTENT: (
        "something else is in its place on the claim",
        "Nothing is overwritten: choose another --path.",
    ),
    scripts.WRONG_DIGEST: (
        "what arrived has another digest than expected",
        "Was it changed during the copy? Apply again.",
    ),
    scripts.EMPTY: ("no file arrived", "Check the artifact's path in the bucket, then apply again."),
}


@dataclass(frozen=True)
class Loaded:
    """What is on the claim now."""

    digest: str
    size: int
    files: int


async def load(cluster: Cluster, wish: Wish, change: Change, tell: Teller, patience: Patience) -> Loaded:
    """StepFailed: it did not get there; what is on the claim stays, and is told."""
    await _start(cluster, change, tell, patience)
    if wish.folder is None:
        return await _job(cluster, change, tell, patience)
    await _running(cluster, change, tell, patience)
    return await _receive(cluster, wish, wish.folder, change, tell)


async def remove(cluster: Cluster, change: Change, patience: Patience) -> None:
    """The loader goes, and waits until it is gone: a claim of ReadWriteOnce may be wanted on another node next."""
    try:
        await cluster.delete(change.path, {"propagationPolicy": "Foreground"})
        async for _ in patience.looks(f"the end of {change.what}"):
            await cluster.get(change.path)
    except Missing:
        return


async def _start(cluster: Cluster, change: Change, tell: Teller, patience: Patience) -> None:
    try:
        there = await steadily(lambda: cluster.get(change.path))
    except Missing:
        there = None
    if there is not None and _is_over(there):
        tell.say(f"{change.what} of an earlier run had failed: a new one is made")
        await remove(cluster, change, patience)
        there = None
    if there is None:
        try:
            await cluster.create(change.collection, change.after)
        except Changed as error:
            raise StepFailed(
                f"another client created {change.what} at the same time ({error})", "Apply again."
            ) from error
        tell.say(f"{change.what}: created")


def _is_over(found: Json) -> bool:
    status = found.get("status") or {}
    return (
        status.get("phase") in {"Succeeded", "Failed"}
        or _condition(status, "Failed")
        or bool(found["metadata"].get("deletionTimestamp"))
    )


def _condition(status: Mapping[str, Any], name: str) -> bool:
    return any(one["type"] == name and one["status"] == "True" for one in status.get("conditions") or [])


async def _job(cluster: Cluster, change: Change, tell: Teller, patience: Patience) -> Loaded:
    trouble = Trouble()
    collection = pods(str(change.after["metadata"]["namespace"]))
    async for elapsed in patience.looks(f"the end of {change.what}"):
        job = await steadily(lambda: cluster.get(change.path))
        status = job.get("status") or {}
        listed = await steadily(lambda: cluster.list_all(collection, labelSelector=f"job-name={change.name}"))
        if _condition(status, "Complete"):
            return _result(listed, change)
        if _condition(status, "Failed"):
            raise _failed(listed, change)
        _check_trouble(listed, trouble, change, tell, patience)
        if listed and int(elapsed) % 10 == 0:
            tell.say(f"{change.what}: {_doing(listed[-1])}, {elapsed:.0f}s")
    raise AssertionError


def _check_trouble(listed: list[Json], trouble: Trouble, change: Change, tell: Teller, patience: Patience) -> None:
    found = next((seen.trouble for seen in map(read_pod, listed) if seen.trouble and not seen.finished), None)
    if found:
        tell.say(f"{change.what}: {found.reason}: {found.message}")
    if trouble.lasts(found.message if found and not found.held else None, patience.trouble_seconds) and found:
        raise StepFailed(
            f"{change.what} does not start: {found.reason}: {found.message}", "Fix that, then apply again."
        )


def _doing(pod: Json) -> str:
    status = pod.get("status") or {}
    statuses = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    running = [one["name"] for one in statuses if "running" in (one.get("state") or {})]
    names = {"clear": "preparing", "copy": "copying", "check": "checking the digest"}
    return names.get(running[0], running[0]) if running else str(status.get("phase") or "Pending")


def _endings(listed: list[Json]) -> list[tuple[str, Json]]:
    """(container, how it ended) of every container, the newest pod's last."""
    statuses = [
        one
        for pod in sorted(listed, key=lambda one: str(one["metadata"].get("creationTimestamp")))
        for kind in ("initContainerStatuses", "containerStatuses")
        for one in (pod.get("status") or {}).get(kind) or []
    ]
    return [(one["name"], ended) for one in statuses if (ended := (one.get("state") or {}).get("terminated"))]


def _result(listed: list[Json], change: Change) -> Loaded:
    said = [
        str(ended.get("message") or "")
        for name, ended in _endings(listed)
        if name == "check" and ended.get("exitCode") == 0
    ]
    if not said:
        raise StepFailed(
            f"{change.what} has ended, and its pod, which knew the digest, is gone", "Apply again: it is checked again."
        )
    return _parse(said[-1])


def _failed(listed: list[Json], change: Change) -> StepFailed:
    bad = [(name, ended) for name, ended in _endings(listed) if ended.get("exitCode")]
    if not bad:
        return StepFailed(
            f"{change.what} failed, and its pods are gone", "Apply again, and watch its pods while it runs."
        )
    name, ended = bad[-1]
    if name == "check" and ended["exitCode"] in _WHY:
        return StepFailed(*_WHY[ended["exitCode"]])
    said = str(ended.get("message") or ended.get("reason") or "").strip()[-500:]
    return StepFailed(
        f"{change.what}: container {name} ended with {ended['exitCode']}: {said}", "Fix that, then apply again."
    )


async def _running(cluster: Cluster, change: Change, tell: Teller, patience: Patience) -> None:
    trouble = Trouble()
    async for _ in patience.looks(f"{change.what} to run"):
        pod = await steadily(lambda: cluster.get(change.path))
        if (pod.get("status") or {}).get("phase") == "Running" and read_pod(pod).ready:
            return
        if _is_over(pod):
            raise StepFailed(
                f"{change.what} has ended: {(pod.get('status') or {}).get('message') or 'no reason is given'}",
                "Apply again.",
            )
        _check_trouble([pod], trouble, change, tell, patience)


async def _receive(cluster: Cluster, wish: Wish, folder: Folder, change: Change, tell: Teller) -> Loaded:
    container = Container(cluster, wish.namespace, change.name, change.after["spec"]["containers"][0]["name"])
    staged, final = places(wish, "folder")
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            await _send(container, folder, staged, tell)
            break
        except Broken as error:
            if attempt == _ATTEMPTS:
                raise
            tell.say(f"{error.message}; what has arrived stays, the rest is sent again ({attempt} of {_ATTEMPTS})")
    tell.say("checking the digest on the claim")
    ended = await container.run(["sh", "-c", scripts.FINISH, "sh", staged, final, folder.digest])
    if ended.code in _WHY:
        raise StepFailed(*_WHY[ended.code])
    _check(ended, "the check")
    return _parse(ended.out)


async def _send(container: Container, folder: Folder, staged: str, tell: Teller) -> None:
    listed = await container.run(["sh", "-c", scripts.LIST, "sh", staged])
    _check(listed, "looking at what has arrived")
    parts = [line.split("  ", 1) for line in listed.out.splitlines() if "  " in line]
    there = {path: digest for digest, path in parts}
    left = folder.without(there)
    if len(left.entries) < len(folder.entries):
        tell.say(f"{len(folder.entries) - len(left.entries)} of {len(folder.entries)} files have arrived before")
    if not left.entries:
        return
    with tell.bytes("copying", left.size) as advance:
        command = ["sh", "-c", scripts.RECEIVE, "sh", staged, str(tar_length(left))]
        _check(await container.run(command, tar_stream(left, advance)), "tar")
    tell.say(f"{len(left.entries)} files, {left.size} bytes sent")


def _check(ended: Ended, what: str) -> None:
    if ended.code:
        said = (ended.err or ended.out).strip()[-500:]
        following = "A full or read-only claim, or another user's folder? Fix that, then apply again."
        raise StepFailed(f"{what} in the loader ended with {ended.code}: {said}", following)


def _parse(text: str) -> Loaded:
    try:
        said = json.loads(text.strip().splitlines()[-1])
        return Loaded(str(said["digest"]), int(said["size"]), int(said["files"]))
    except (ValueError, KeyError, IndexError) as error:
        raise StepFailed(f"the loader said {text[-200:]!r}, expected its digest as JSON", "Apply again.") from error
