"""GPUs and quotas: what a stop really frees, and what a start can't have."""

import threading

from deadlines import eventually
from kserve_models import GPU, LIGHT, inference_service

GPUS_HERE = 2
MODELS = 5


def test_a_stop_hands_its_gpu_to_the_next_and_no_gpu_is_counted_twice(place):
    free = _gpus(place.api)
    assert free >= GPUS_HERE, f"the cluster has {free} GPUs free of others' pods; this test needs {GPUS_HERE}"
    names = [f"model-{number}" for number in range(MODELS)]
    with _GpuCount(place) as counted:
        for name in names:
            place.make(inference_service(name, gpus=1))
        eventually(lambda: len(_in_state(place, "running")) == free, lambda: f"{free} run: {_states(place)}", 60)
        eventually(lambda: len(_in_state(place, "error")) == MODELS - free, lambda: f"the rest waits: {_states(place)}")
        for status in _in_state(place, "error"):
            assert status["reason"] == "Unschedulable"
            assert GPU in status["message"]
        first = _in_state(place, "running")[0]["name"]
        place.stop(first)
        stopped = place.until(first, "stopped")
        assert (stopped["receipt"]["gpus"], stopped["resource_allocation"]["gpus"]) == (1, 0)
        eventually(lambda: len(_in_state(place, "running")) == free, lambda: f"the next runs: {_states(place)}")
        waiting = len(_in_state(place, "error"))
        assert waiting == MODELS - free - 1
    assert max(counted.seen) == free
    for name in names:
        place.post("stop", name, graceful=False)
    eventually(lambda: len(_in_state(place, "stopped")) == MODELS, lambda: f"all stopped: {_states(place)}")


def test_a_start_over_quota_is_refused_with_the_numbers(place):
    place.running(inference_service("first"))
    place.stop("first")
    place.until("first", "stopped")
    quotas = f"/api/v1/namespaces/{place.namespace}/resourcequotas"
    place.api.create(quotas, {"metadata": {"name": "team"}, "spec": {"hard": {"requests.memory": "10Mi"}}})
    eventually(lambda: place.api.items(quotas)[0].get("status", {}).get("used"), "the quota counts", 15)
    answer = place.post("start", "first")
    assert (answer.status_code, answer.json()["code"]) == (409, "QuotaExceeded")
    assert all(number in answer.json()["detail"] for number in ("needs 16Mi", "used 0", "of 10Mi", "team"))
    assert place.stop_is_set("first")
    place.api.delete(f"{quotas}/team")
    place.start("first")
    place.until("first", "running")


def test_a_model_that_quota_keeps_down_says_so_and_heals(place):
    quotas = f"/api/v1/namespaces/{place.namespace}/resourcequotas"
    place.api.create(quotas, {"metadata": {"name": "team"}, "spec": {"hard": {f"requests.{GPU}": "0"}}})
    eventually(lambda: place.api.items(quotas)[0].get("status", {}).get("used"), "the quota counts", 15)
    place.make(inference_service("greedy", LIGHT, gpus=1))
    status = place.until("greedy", "error", reason="QuotaExceeded")
    assert "team" in status["message"]
    place.stop("greedy")
    assert place.until("greedy", "stopped")["receipt"]["gpus"] == 0


def _gpus(api):
    """Free now: what the nodes have, less what others' pods hold."""
    there = sum(int(node["status"]["allocatable"].get(GPU, "0")) for node in api.items("/api/v1/nodes"))
    held = 0
    for pod in api.items("/api/v1/pods"):
        if pod["spec"].get("nodeName") and pod["status"].get("phase") not in {"Succeeded", "Failed"}:
            for container in pod["spec"]["containers"]:
                held += int((container.get("resources", {}).get("requests") or {}).get(GPU, "0"))
    return there - held


def _states(place):
    return {
        name: (status["state"], status["reason"]) for (name, _), status in place.product.shown(place.namespace).items()
    }


def _in_state(place, state):
    return [status for status in place.product.shown(place.namespace).values() if status["state"] == state]


class _GpuCount:
    """The sum of all statuses' GPUs, again and again while the block runs."""

    def __init__(self, place):
        self._place, self.seen = place, []
        self._done = threading.Event()

    def __enter__(self):
        self._thread = threading.Thread(target=self._count)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    def _count(self):
        while not self._done.wait(0.2):
            statuses = self._place.product.shown(self._place.namespace).values()
            self.seen.append(sum(status["resource_allocation"]["gpus"] for status in statuses))
