"""Predictions at a steady rate through a model's Service, as clients ask for them, and which of them failed."""

import threading
import time

import httpx
from request_under_way import FLOWER


class Load:
    """Each request on a connection of its own, so that it goes wherever the Service leads at that moment.

    `patient`: a connection that is refused is tried again, as ingresses do (Envoy's connect-failure, HAProxy's redispatch).
    A pod without a preStop hook closes its port a moment before every kube-proxy knows, in any rolling update.
    """

    def __init__(self, place, name, *, per_second, patient):
        service = place.api.get(f"/api/v1/namespaces/{place.namespace}/services/{name}-predictor")
        self._url = f"http://{service['spec']['clusterIP']}/v1/models/{name}:predict"
        self._pause = 1 / per_second
        self._again = 3 if patient else 0
        self._ended = threading.Event()
        self.asked, self.failed = 0, []

    def __enter__(self):
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join(30)

    def _run(self):
        begun = time.monotonic()
        again = httpx.HTTPTransport(retries=self._again)  # of connections, never of a request that was sent
        client = httpx.Client(transport=again, timeout=10, trust_env=False, headers={"connection": "close"})
        while not self._ended.wait(max(0.0, begun + self.asked * self._pause - time.monotonic())):
            self.asked += 1
            try:
                answer = client.post(self._url, json={"instances": FLOWER})
                if answer.status_code != 200:
                    self.failed.append(f"{answer.status_code} {answer.text[:200]}")
            except httpx.HTTPError as error:
                self.failed.append(f"{type(error).__name__} {error}")
