"""A prediction that takes its time, sent to a pod while something is done to it."""

import threading
import time

import httpx

FLOWER = [[5.1, 3.5, 1.4, 0.2]]


def predict(address, model, timeout=10.0, **payload):
    """KServe's V1 protocol, straight to a pod's IP."""
    body = {"instances": FLOWER, **payload}
    return httpx.post(f"http://{address}:8080/v1/models/{model}:predict", json=body, timeout=timeout, trust_env=False)


class RequestInFlight:
    """The server holds it for `seconds`. Constructed: the whole request has been sent."""

    def __init__(self, address, model, seconds):
        self.status, self.failure, self.ended = None, None, None
        self._sent, self._seconds = threading.Event(), seconds
        self._url = f"http://{address}:8080/v1/models/{model}:predict"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        if not self._sent.wait(10):
            raise AssertionError(f"the request to {self._url} could not be sent: {self.failure}")

    def _run(self):
        body = {"instances": FLOWER, "sleep_seconds": self._seconds}
        with httpx.Client(timeout=self._seconds + 60, trust_env=False) as client:
            try:
                answer = client.post(self._url, json=body, extensions={"trace": self._trace})
                self.status = answer.status_code
            except httpx.HTTPError as error:
                self.failure = error
        self.ended = time.monotonic()

    def _trace(self, event, _info):
        if event == "http11.receive_response_headers.started":
            self._sent.set()

    def join(self, seconds):
        """Its HTTP status, None where it was cut."""
        self._thread.join(seconds)
        assert self.ended, f"the request was still in flight after {seconds:g} s"
        return self.status
