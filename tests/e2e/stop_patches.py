"""How often a stop really was written to a model: counted at the API server, not where we write."""

import json
import os
import threading
from pathlib import Path

from api_server import models
from kserve_models import STOP


class AuditLog:
    """The API server's audit log from now on: AUDIT_LOG, or log/audit.log beside the kubeconfig.

    A PATCH whose sender was killed meanwhile is logged as a timeout (504), done or not. It counts where none that was
    answered followed: ours test that the annotation is absent, so one that follows shows that it was not done.
    """

    def __init__(self, path):
        self._path = path
        self._from = path.stat().st_size

    def stops(self, namespace):
        """Name -> number of PATCHes that set the stop."""
        done, cut = {}, {}
        with self._path.open() as log:
            log.seek(self._from)
            for line in log:
                if f'"{namespace}"' in line and '"patch"' in line:
                    self._count(json.loads(line), namespace, done, cut)
        return {name: done.get(name) or 1 for name in done | cut}

    def _count(self, entry, namespace, done, cut):
        subject = entry.get("objectRef", {})
        if entry["verb"] != "patch" or subject.get("namespace") != namespace or subject.get("subresource"):
            return
        counted = {200: done, 504: cut}.get(entry.get("responseStatus", {}).get("code"))
        if entry.get("stage") == "ResponseComplete" and counted is not None and _stops(entry):
            counted[subject["name"]] = counted.get(subject["name"], 0) + 1


class WatchedStops:
    """Where no audit log can be read: counts how often the annotation came, by a watch. Repeats stay unseen."""

    def __init__(self, api, namespace):
        self._counted, self._set, self._open = {}, set(), threading.Event()
        self._api, self._namespace = api, namespace
        self._version = api.get(models(namespace))["metadata"]["resourceVersion"]
        threading.Thread(target=self._watch, daemon=True).start()
        assert self._open.wait(10)

    def _watch(self):
        for event in self._api.watch(models(self._namespace), self._version):
            self._open.set()
            if event:
                name = event[1]["metadata"]["name"]
                is_set = (event[1]["metadata"].get("annotations") or {}).get(STOP, "").lower() == "true"
                if is_set and name not in self._set:
                    self._counted[name] = self._counted.get(name, 0) + 1
                (self._set.add if is_set else self._set.discard)(name)

    def stops(self, namespace):
        assert namespace == self._namespace
        return dict(self._counted)


def count_stops(api, kubeconfig, namespace):
    path = Path(os.environ.get("AUDIT_LOG") or Path(kubeconfig).parent / "log" / "audit.log")
    return AuditLog(path) if os.access(path, os.R_OK) else WatchedStops(api, namespace)


def _stops(entry):
    operations = entry.get("requestObject")
    if isinstance(operations, list):
        path = "/metadata/annotations/" + STOP.replace("/", "~1")
        return any(op["op"] == "add" and op["path"] == path and op["value"] == "true" for op in operations)
    annotations = ((operations or {}).get("metadata") or {}).get("annotations") or {}
    return str(annotations.get(STOP)).lower() == "true"
