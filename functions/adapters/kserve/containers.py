"""Why a pod's containers do not run, from what the kubelet says of them.

The kubelet's reasons are open: container runtimes and newer kubelets add their own. So every reason to wait counts but those
of a container that is being made, and one that is not known here is shown under its own name.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from functions.adapters.cluster import Json
from functions.lifecycle.observation import Trouble

INITIALIZER = "storage-initializer"
_BEING_MADE = frozenset({"ContainerCreating", "PodInitializing"})
_NAMED_ENDS = frozenset({"OOMKilled", "StartError", "ContainerCannotRun", "ContainerStatusUnknown"})
"""Of the reasons for which a container ended, those that say more than Error and Completed do."""
_WRONG_ARCHITECTURE = re.compile(
    r"exec format error|no match(ing manifest)? for (platform|\w+/\w+)|does not match the \w+ platform", re.IGNORECASE
)
_RESTARTS_OF_A_CRASH_LOOP = 2


def container_trouble(status: Json, sidecars: frozenset[str]) -> Trouble | None:
    """The first of its containers that does not run for a reason; init containers come first, as they do in a pod."""
    for container, init in _all(status, sidecars):
        if not container.get("ready") and (found := _trouble(container, init=init)):
            return found
    return None


def crashed(status: Json, sidecars: frozenset[str]) -> str | None:
    """How a container ended that should run, however often it was restarted.

    An init container may fail once, such as at a download: it counts once it is in a crash loop.
    """
    for container, init in _all(status, sidecars):
        if container.get("ready") or (init and _restarts(container) < _RESTARTS_OF_A_CRASH_LOOP):
            continue
        for state in ("state", "lastState"):
            last = (container.get(state) or {}).get("terminated")
            if last and last.get("exitCode"):
                said = (last.get("message") or "").strip()[-200:]
                return f"container {container.get('name')} ended with exit code {last['exitCode']}. {said}".strip()
    return None


def _all(status: Json, sidecars: frozenset[str]) -> Iterator[tuple[Json, bool]]:
    """Each container's status, and whether it is one that is to end before the others start."""
    for container in status.get("initContainerStatuses") or []:
        yield container, container.get("name") not in sidecars
    for container in status.get("containerStatuses") or []:
        yield container, False


def _restarts(container: Mapping[str, Any]) -> int:
    return int(container.get("restartCount") or 0)


def _trouble(container: Json, *, init: bool) -> Trouble | None:
    name, state = container.get("name"), container.get("state") or {}
    waiting = state.get("waiting") or {}
    why = waiting.get("reason") or ""
    last = state.get("terminated") or (container.get("lastState") or {}).get("terminated") or {}
    said = f"{waiting.get('message') or ''} {last.get('message') or ''}"
    ended = bool(last) and not (init and not last.get("exitCode"))
    between = why in _BEING_MADE | {""} and not state.get("running")
    if why == "CrashLoopBackOff" or (between and ended and _restarts(container) >= _RESTARTS_OF_A_CRASH_LOOP):
        return Trouble(_reason_of_an_end(name, last, said, init=init), _told(name, last, _restarts(container)))
    if why in _BEING_MADE | {""}:
        return None
    return Trouble(
        "WrongArchitecture" if _WRONG_ARCHITECTURE.search(said) else why,
        f"container {name}: {waiting.get('message') or why}",
    )


def _reason_of_an_end(name: object, last: Json, said: str, *, init: bool) -> str:
    if _WRONG_ARCHITECTURE.search(said):
        return "WrongArchitecture"
    if last.get("reason") in _NAMED_ENDS:
        return str(last["reason"])
    return "StorageInitializerFailed" if init and name == INITIALIZER else "CrashLoopBackOff"


def _told(name: object, last: Json, restarts: int) -> str:
    how = f"exit code {last.get('exitCode')}, {last.get('reason') or 'Error'}, {restarts} restarts"
    said = (last.get("message") or "").strip()[-300:]
    return f"container {name} keeps ending ({how}). {said}".strip()
