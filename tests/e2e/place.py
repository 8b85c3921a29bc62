"""One namespace in the words of the tests: models are made, commanded, and looked at."""

import contextlib
import copy
import time

import httpx
from api_server import KSERVE, models, pods, with_a_retry
from deadlines import eventually
from kserve_models import POD_SELECTORS, STOP, plural_of, runtimes
from pod_recorder import PodRecorder
from request_in_flight import predict

KINDS = {
    "inferenceservices": "InferenceService",
    "llminferenceservices": "LLMInferenceService",
    "inferencegraphs": "InferenceGraph",
}
UNSTEADY = ("resourceVersion", "managedFields")


class Place:
    def __init__(self, api, product, namespace, hints):
        self.api, self.product, self.namespace = api, product, namespace
        self._hints = hints
        self._recorders = []

    def prepare(self):
        labels = {"modelswitch.dev/events": "allow"}
        self.api.create("/api/v1/namespaces", {"metadata": {"name": self.namespace, "labels": labels}})
        for runtime in runtimes(self._hints):
            with_a_retry(lambda body=runtime: self.api.create(self._runtimes(), body))
        return self

    def leave(self):
        """Without waiting for its end."""
        for recorder in self._recorders:
            recorder.close()
        self.api.delete(f"/api/v1/namespaces/{self.namespace}")

    def _runtimes(self):
        return f"{KSERVE}/v1alpha1/namespaces/{self.namespace}/servingruntimes"

    def delete_runtime(self, name):
        self.api.delete(f"{self._runtimes()}/{name}")

    # --- the cluster ------------------------------------------------------------------------------------------

    def make(self, obj):
        return with_a_retry(lambda: self.api.create(models(self.namespace, plural_of(obj)), obj))

    def running(self, *objects, seconds=90):
        """Made, and shown as running; answers their objects in the cluster."""
        for obj in objects:
            self.make(obj)
        for obj in objects:
            self.until(obj["metadata"]["name"], "running", plural=plural_of(obj), seconds=seconds)
        found = [self.get(obj["metadata"]["name"], plural_of(obj)) for obj in objects]
        return found[0] if len(found) == 1 else found

    def get(self, name, plural="inferenceservices"):
        return self.api.get(models(self.namespace, plural, name))

    def annotations(self, name, plural="inferenceservices"):
        return self.get(name, plural)["metadata"].get("annotations") or {}

    def annotate(self, name, manager="kubectl-annotate", **annotations):
        """From outside, as `kubectl annotate` does. `_stop`-like short names are those of serving.kserve.io."""
        named = {f"serving.kserve.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
        path = models(self.namespace, name=name)
        return self.api.merge(path, {"metadata": {"annotations": named}}, fieldManager=manager)

    def stop_is_set(self, name):
        return self.annotations(name).get(STOP) == "true"

    def pods(self, name, plural="inferenceservices"):
        return self.api.items(pods(self.namespace), labelSelector=POD_SELECTORS[plural].format(name))

    def pinned(self):
        """ReplicaSets that a stop in progress keeps."""
        replica_sets = f"/apis/apps/v1/namespaces/{self.namespace}/replicasets"
        return self.api.items(replica_sets, labelSelector="modelswitch.dev/pinned")

    def pod_address(self, name, component="predictor"):
        found = [pod for pod in self.pods(name) if pod["metadata"]["labels"].get("component") == component]
        return found[0]["status"]["podIP"]

    def record(self, name, plural="inferenceservices"):
        """Every pod of the model from now on."""
        recorder = PodRecorder(self.api, self.namespace, POD_SELECTORS[plural].format(name))
        self._recorders.append(recorder)
        return recorder

    def answers(self, name):
        """Whether a real prediction works, asked at a pod."""
        answer = eventually(lambda: self._prediction(name), f"a prediction of {name}", 30)
        assert answer.json()["predictions"] == [0]

    def _prediction(self, name):
        """None while no pod gives one: of several, whichever does."""
        for pod in self.pods(name):
            address = pod["status"].get("podIP")
            if not address or pod["metadata"].get("deletionTimestamp"):
                continue
            with contextlib.suppress(httpx.HTTPError):
                answer = predict(address, name)
                if answer.status_code == 200:
                    return answer
        return None

    # --- the product ------------------------------------------------------------------------------------------

    def subject(self, name, plural="inferenceservices"):
        return f"namespaces/{self.namespace}/{plural}/{name}"

    def post(self, verb, name, plural="inferenceservices", headers=None, **body):
        path = f"/api/v1/namespaces/{self.namespace}/models/{name}/{verb}"
        return self.product.rest.post(path, params={"kind": KINDS[plural]}, json=body, headers=headers)

    def stop(self, name, plural="inferenceservices", **body):
        """Accepted; answers the body."""
        answer = self.post("stop", name, plural, **body)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def start(self, name, plural="inferenceservices", **body):
        answer = self.post("start", name, plural, **body)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def send(self, verb, name, plural="inferenceservices", **more):
        return self.product.send(verb, self.subject(name, plural), **more)

    def shown(self, name, plural="inferenceservices"):
        return self.product.shown(self.namespace).get((name, KINDS[plural]))

    def until(self, name, state, *, plural="inferenceservices", seconds=60, reason=None):
        """Its status, once the list shows that state."""
        seen = {}

        def reached():
            status = self.shown(name, plural)
            seen["last"] = status
            right = status and status["state"] == state and reason in {None, status["reason"]}
            return status if right else None

        return eventually(reached, lambda: f"{name} {state} {reason or ''}; shown was {_brief(seen['last'])}", seconds)

    def history(self, name):
        return self.product.history(self.namespace, name)


def _brief(status):
    return status and {key: status[key] for key in ("state", "reason", "message", "desired")}


def lasting(obj):
    """The object as its owner wrote it: without what the API server counts and KServe reports."""
    kept = copy.deepcopy({key: value for key, value in obj.items() if key != "status"})
    for key in UNSTEADY:
        kept["metadata"].pop(key, None)
    return kept


def took(since):
    return time.monotonic() - since
