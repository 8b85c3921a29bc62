"""Who acts on KServe's resources: its own controller where the cluster has one, else the simulated one.

The only place that knows the difference. As a program it prints KSERVE: `own` or `simulated`.
"""

import os
import subprocess
import sys
import uuid
from pathlib import Path
from types import MappingProxyType

from api_server import ApiServer, models
from deadlines import eventually
from kserve_models import IMAGE, inference_service

ROOT = Path(__file__).parents[2]
OWN, SIMULATED = "own", "simulated"
SECONDS = 4  # KServe's own controller adds its finalizer to a new InferenceService in a fraction of one


class OwnKServe:
    """KServe's own controller runs. `hints`: annotations for a ServingRuntime's pods, none."""

    hints = MappingProxyType({})

    def end(self):
        pass


class SimulatedKServe:
    """A process that acts on the given namespaces only, so that nobody else on the cluster is disturbed.

    `hints`: scale to zero after 3 s instead of a minute.
    """

    hints = MappingProxyType({"sim.modelswitch.dev/idle-seconds": "3"})

    def __init__(self, kubeconfig, namespaces, log):
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "KSERVE_ROUTER_IMAGE": IMAGE}
        command = [sys.executable, "-m", "functions.local.kserve", *namespaces]
        with log.open("wb") as output:
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        eventually(lambda: self._watches(log), lambda: f"the simulated KServe watches: {log.read_text()}", 30)

    def _watches(self, log):
        assert self._process.poll() is None, f"the simulated KServe ended: {log.read_text()}"
        return "watch" in log.read_text()

    def end(self):
        self._process.terminate()
        self._process.wait(10)


def find_kserve(api, kubeconfig, namespaces, log):
    who = os.environ.get("KSERVE") or who_acts(api)
    return OwnKServe() if who == OWN else SimulatedKServe(kubeconfig, namespaces, log)


def who_acts(api):
    """Found out by what happens to a new InferenceService."""
    namespace = f"e2e-who-{uuid.uuid4().hex[:6]}"
    api.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
    model = inference_service("who")
    api.create(models(namespace), model)

    def touched():
        seen = api.get(models(namespace, name="who"))
        return seen["metadata"].get("finalizers") or seen.get("status")

    try:
        eventually(touched, "somebody acts", SECONDS)
    except AssertionError:
        return SIMULATED
    else:
        return OWN
    finally:
        api.delete(models(namespace, name="who"))
        api.delete(f"/api/v1/namespaces/{namespace}")


if __name__ == "__main__":
    print(os.environ.get("KSERVE") or who_acts(ApiServer(os.environ["KUBECONFIG"])))
