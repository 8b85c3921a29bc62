"""The cluster's API server: raw JSON through the official client, as any other program would use it."""

import json
import time
from urllib.parse import urlencode

from kubernetes import client, config

KSERVE = "/apis/serving.kserve.io"
VERSIONS = {"inferenceservices": "v1beta1", "llminferenceservices": "v1alpha2"}
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


class ApiError(Exception):
    """The API server said no; `status` is the HTTP status, `message` its own words."""

    def __init__(self, method, path, status, message):
        self.status, self.message = status, message
        super().__init__(f"{method} {path}: {status} {message}")


class ApiServer:
    """Safe to use from several threads."""

    def __init__(self, kubeconfig):
        settings = client.Configuration()
        config.load_kube_config(config_file=kubeconfig, client_configuration=settings)
        settings.connection_pool_maxsize = 32
        self._api = client.ApiClient(settings)
        self.host = settings.host

    def call(self, method, path, body=None, content_type="application/json", **query):
        answer = self._send(method, path, body, content_type, query, 30)
        return json.loads(answer.read())

    def get(self, path, **query):
        return self.call("GET", path, **query)

    def find(self, path, **query):
        """None where it does not exist."""
        try:
            return self.get(path, **query)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def items(self, path, **query):
        return self.get(path, **query)["items"]

    def text(self, path, **query):
        """What is not JSON: a pod's log."""
        return self._send("GET", path, None, "application/json", query, 30).read().decode(errors="replace")

    def create(self, path, body):
        return self.call("POST", path, body)

    def merge(self, path, body, **query):
        return self.call("PATCH", path, body, MERGE, **query)

    def json_patch(self, path, *operations, **query):
        return self.call("PATCH", path, list(operations), JSON_PATCH, **query)

    def delete(self, path, **body):
        try:
            return self.call("DELETE", path, body)
        except ApiError as error:
            if error.status != 404:
                raise

    def watch(self, path, version, seconds=600, **query):
        """Yields None once when the stream is open, then (type, object) for every change after that resourceVersion."""
        query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": str(seconds), **query}
        answer = self._send("GET", path, None, "application/json", query, (10, seconds + 30))
        yield None
        rest = b""
        for chunk in answer.response.stream(65536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ApiError("WATCH", path, event["object"].get("code"), event["object"].get("message"))
                yield event["type"], event["object"]

    def _send(self, method, path, body, content_type, query, timeout):
        headers = {"Accept": "application/json", "Content-Type": content_type, "User-Agent": "modelswitch-e2e"}
        self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        url = self.host + path + (f"?{urlencode(query)}" if query else "")
        answer = self._api.rest_client.request(method, url, headers=headers, body=body, _request_timeout=timeout)
        if answer.status >= 400:
            text = answer.read().decode(errors="replace")
            try:
                message = json.loads(text).get("message", text)
            except ValueError:
                message = text
            raise ApiError(method, path, answer.status, message)
        return answer


def models(namespace, plural="inferenceservices", name=""):
    """The path of one model, or of a namespace's models of a kind."""
    path = f"{KSERVE}/{VERSIONS.get(plural, 'v1alpha1')}/namespaces/{namespace}/{plural}"
    return f"{path}/{name}" if name else path


def pods(namespace, name=""):
    path = f"/api/v1/namespaces/{namespace}/pods"
    return f"{path}/{name}" if name else path


def with_a_retry(action, seconds=10.0):
    """Again while an admission webhook or the API server is not there yet (500, 503), or somebody was faster (409)."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return action()
        except ApiError as error:
            if error.status not in {409, 500, 503} or time.monotonic() > deadline:
                raise
            time.sleep(0.2)
