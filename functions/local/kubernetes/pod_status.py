"""The status that a kubelet writes, for each stage of a pod's life."""

from functions.local.kubernetes import clock, ownership
from functions.local.kubernetes.store import Obj


def creating(pod: Obj) -> Obj:
    return _status(pod, "Pending", {"waiting": {"reason": "ContainerCreating"}})


def running(pod: Obj, restarts: int) -> Obj:
    return _status(pod, "Running", {"running": {"startedAt": clock.now()}}, ready=True, restarts=restarts)


def image_pull_back_off(pod: Obj) -> Obj:
    image = pod["spec"]["containers"][0].get("image", "")
    message = f'Back-off pulling image "{image}": ErrImagePull: not found'
    return _status(pod, "Pending", {"waiting": {"reason": "ImagePullBackOff", "message": message}})


def waiting(pod: Obj, reason: str) -> Obj:
    return _status(pod, "Pending", {"waiting": {"reason": reason, "message": f"simulated {reason}"}})


def crash_loop_back_off(pod: Obj, restarts: int, ended: str = "Error") -> Obj:
    meta = pod["metadata"]
    name = pod["spec"]["containers"][0]["name"]
    place = f"{meta['name']}_{meta['namespace']}({meta['uid']})"
    message = f"back-off 10s restarting failed container={name} pod={place}"
    state = {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
    return _status(pod, "Running", state, restarts=restarts, crashed=ended)


def has_running_container(pod: Obj) -> bool:
    return any("running" in item.get("state", {}) for item in pod["status"].get("containerStatuses") or ())


def _status(pod: Obj, phase: str, state: Obj, *, ready: bool = False, restarts: int = 0, crashed: str = "") -> Obj:
    names = [container["name"] for container in pod["spec"].get("containers") or ()]
    unready = {} if ready else _unready(names)
    scheduled = ownership.condition(pod, "PodScheduled") or _condition(pod, "PodScheduled", "True")
    conditions = [
        _condition(pod, "PodReadyToStartContainers", "True"),
        _condition(pod, "Initialized", "True"),
        _condition(pod, "Ready", str(ready), **unready),
        _condition(pod, "ContainersReady", str(ready), **unready),
        scheduled,
    ]
    before = pod["status"]
    return {
        "phase": phase,
        "qosClass": before.get("qosClass", "BestEffort"),
        "conditions": conditions,
        "hostIP": "10.244.0.1",
        "podIP": before.get("podIP") or _address(pod),
        "startTime": before.get("startTime") or clock.now(),
        "containerStatuses": [
            _container(pod, container, state, ready=ready, restarts=restarts, crashed=crashed)
            for container in pod["spec"].get("containers") or ()
        ],
    }


def _unready(names: list[str]) -> dict[str, str]:
    message = f"containers with unready status: [{' '.join(names)}]"
    return {"reason": "ContainersNotReady", "message": message}


def _condition(pod: Obj, kind: str, status: str, **more: str) -> Obj:
    before = ownership.condition(pod, kind)
    same = before is not None and before["status"] == status
    since = before["lastTransitionTime"] if before and same else clock.now()
    return {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": since, **more}


def _container(pod: Obj, container: Obj, state: Obj, *, ready: bool, restarts: int, crashed: str) -> Obj:
    before: Obj = next(
        (item for item in pod["status"].get("containerStatuses") or () if item["name"] == container["name"]), {}
    )
    last = before.get("lastState") or {}
    if crashed and not last:
        code = 137 if crashed == "OOMKilled" else 1
        ended = {"exitCode": code, "reason": crashed, "startedAt": clock.now(), "finishedAt": clock.now()}
        last = {"terminated": ended}
    return {
        "name": container["name"],
        "image": container.get("image", ""),
        "imageID": "",
        "ready": ready,
        "started": ready,
        "restartCount": restarts,
        "state": state,
        "lastState": last,
    }


def _address(pod: Obj) -> str:
    number = int(pod["metadata"]["uid"][:4], 16)
    return f"10.244.{number // 256}.{number % 256}"
