"""Predictions at a steady rate through a model's Service, as clients ask for them, and which of them failed."""

import threading
import time
from datetime import UTC, datetime

import httpx
from deadlines import eventually
from request_in_flight import FLOWER


class Load:
    """Each request on a connection of its own, so that it goes wherever the Service leads at that moment; none is tried again.

    It begins once the Service leads to the model at all: KServe says Ready a moment before every kube-proxy knows.
    """

    def __init__(self, place, name, *, per_second):
        service = place.api.get(f"/api/v1/namespaces/{place.namespace}/services/{name}-predictor")
        self._url = f"http://{service['spec']['clusterIP']}/v1/models/{name}:predict"
        self._pause = 1 / per_second
        self._client = httpx.Client(timeout=10, trust_env=False, headers={"connection": "close"})
        self._ended = threading.Event()
        self.asked, self.failed = 0, []

    def __enter__(self):
        eventually(lambda: self._failure() is None, "the Service leads to the model", 30)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join(30)

    def _run(self):
        begun = time.monotonic()
        while not self._ended.wait(max(0.0, begun + self.asked * self._pause - time.monotonic())):
            self.asked += 1
            at = datetime.now(UTC)
            if failure := self._failure():
                self.failed.append(f"{at:%H:%M:%S.%f} {failure}")

    def _failure(self):
        try:
            answer = self._client.post(self._url, json={"instances": FLOWER})
        except httpx.HTTPError as error:
            return f"{type(error).__name__} {error}"
        return None if answer.status_code == 200 else f"{answer.status_code} {answer.text[:200]}"
