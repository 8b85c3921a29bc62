"""What all tests of a run share, in processes of their own: KServe's controller, where the cluster has none, and the product.

With several workers (pytest -n) the run's own process starts them, and each worker asks them.
"""

import uuid
from pathlib import Path

from api_server import ApiServer
from handover_policy import HandoverPolicy
from kserve_controller import find_kserve
from model_image import provide_model_image
from product_process import Product

NAMESPACES = 96


class Stage:
    """`names`: all namespaces of the run, known before the first is made."""

    def __init__(self, kubeconfig, folder):
        run = uuid.uuid4().hex[:6]
        self.names = [f"e2e-{run}-{number:02d}" for number in range(NAMESPACES)]
        self._kubeconfig, self._folder = kubeconfig, Path(folder)
        self._kserve = self._product = self._policy = None

    def set_up(self):
        provide_model_image()
        api = ApiServer(self._kubeconfig)
        self._policy = HandoverPolicy(api).put()
        self._kserve = find_kserve(api, self._kubeconfig, self.names, self._folder / "kserve")
        self._product = Product(self._kubeconfig, self._folder).start()
        return self

    def take_down(self):
        for process in (self._product, self._kserve):
            if process is not None:
                process.end()
        if self._policy is not None:
            self._policy.remove()

    def seat(self, worker=0, workers=1):
        """What a worker needs to know to ask them; plain JSON, the namespaces its own."""
        return {
            "folder": str(self._folder),
            "ports": self._product.ports,
            "hints": dict(self._kserve.hints),
            "names": self.names[worker::workers],
        }
