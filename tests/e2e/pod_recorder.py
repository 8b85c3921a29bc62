"""Every pod of a model, and when it came, began to end, and went."""

import threading
import time

from api_server import pods


class PodRecorder:
    """Watches until closed. By uid: `came` and `gone` are moments of time.monotonic, `given` the grace in seconds.

    Shortly before a pod goes its grace says 0, whatever it had: that is the kubelet's last word.
    """

    def __init__(self, api, namespace, selector):
        self._api, self._path, self._selector = api, pods(namespace), selector
        self.came, self.gone, self.last, self.given = {}, {}, {}, {}
        self._open = threading.Event()
        self._closed = False
        self.error = None
        listed = api.get(self._path, labelSelector=selector)
        for pod in listed["items"]:
            self._take("ADDED", pod)
        self.before = frozenset(self.came)
        self._version = listed["metadata"]["resourceVersion"]
        threading.Thread(target=self._watch, daemon=True).start()
        if not self._open.wait(10):
            raise AssertionError(f"the watch of {self._selector} did not open: {self.error}")

    def _watch(self):
        try:
            for event in self._api.watch(self._path, self._version, labelSelector=self._selector):
                self._open.set()
                if self._closed:
                    return
                if event:
                    self._take(*event)
        except Exception as error:  # noqa: BLE001 - whatever ends the watch belongs to the test, which asks for it
            self.error = error
            self._open.set()

    def _take(self, kind, pod):
        uid, now = pod["metadata"]["uid"], time.monotonic()
        self.came.setdefault(uid, now)
        self.last[uid] = pod
        if kind == "DELETED":
            self.gone[uid] = now
        if grace := pod["metadata"].get("deletionGracePeriodSeconds"):
            self.given[uid] = grace

    @property
    def extra(self):
        """Names of pods that were not there when the recorder began."""
        return [self.last[uid]["metadata"]["name"] for uid in self.came if uid not in self.before]

    @property
    def all_gone(self):
        if self.error:
            raise self.error
        return self.gone.keys() >= self.came.keys()

    @property
    def last_gone(self):
        return max(self.gone.values())

    @property
    def graces(self):
        """The grace that each pod got, in seconds."""
        return sorted(self.given.values())

    def close(self):
        self._closed = True
