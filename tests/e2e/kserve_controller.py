"""Who acts on KServe's resources: its own controller where the cluster has one, else the simulated one.

The only place that knows the difference.
"""

import os
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType

from deadlines import eventually
from kserve_models import IMAGE

ROOT = Path(__file__).parents[2]
MANAGER = "kserve-controller-manager"


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
    deployments = api.items("/apis/apps/v1/deployments", fieldSelector=f"metadata.name={MANAGER}")
    if os.environ.get("KSERVE") == "real" or deployments:
        return OwnKServe()
    return SimulatedKServe(kubeconfig, namespaces, log)
