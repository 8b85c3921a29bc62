"""The readiness probe that would have told the truth: one that asks the server for its model, not its port for a connection.

KServe gives a container without a probe one that only connects (deployment_reconciler.go), and Knative does likewise; so
a server that came up without its model is Ready. KServe fills {{.Name}} in everywhere in a runtime's container
(ReplacePlaceholders in utils.go), also in a probe's path.
"""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from functions.adapters.cluster import Json
from functions.admin.verify.sighting import Sighting
from functions.lifecycle.observation import Answered

_TELLS = re.compile(r"/v1/models/.+|/v2/models/.+|(/openai)?/v1/models")
_SERVERS = ("kserve-container", "main")


@dataclass(frozen=True)
class Advice:
    """`runtime` should ask `path` of `port`; `now` is what its probe looks at today. `missed`: it let a server without its
    model be Ready.
    """

    runtime: str
    container: str
    path: str
    port: int
    now: str
    missed: bool = field(default=False, compare=False)

    @property
    def yaml(self) -> str:
        """For `spec.containers[]` of the runtime."""
        return "\n".join(
            [
                f"- name: {self.container}",
                "  readinessProbe:",
                "    httpGet:",
                f"      path: {self.path}",
                f"      port: {self.port}",
                "    periodSeconds: 5",
                "    failureThreshold: 3",
            ]
        )


def advice(sighting: Sighting) -> Advice | None:
    """None where the probe asks for the model already, or the server speaks neither V1 nor V2."""
    return max(_advices(sighting), key=lambda one: one.missed, default=None)


def _advices(sighting: Sighting) -> Iterator[Advice]:
    servers = {server.pod_uid: server for server in sighting.servers}
    for pod in sighting.seen.pods:
        server, item = servers.get(pod.uid), sighting.pods.get(pod.uid)
        if not (server and item and pod.answer) or pod.answer.what is Answered.UNASKABLE or not pod.answer.model_path:
            continue
        now = _looks_at(item)
        if now and sighting.runtime:
            asks = _template(pod.answer.model_path, sighting.ref.name)
            missed = pod.answer.what is not Answered.LOADED
            yield Advice(
                sighting.runtime, server_container(item)["name"], asks, pod.answer.port or server.port, now, missed
            )


def _template(path: str, own: str) -> str:
    """With the placeholder where the model is called as its resource is: then it fits every model of the runtime."""
    steps = path.split("/")
    steps[3] = "{{.Name}}" if steps[3] == own else steps[3]
    return "/".join(steps)


def _looks_at(item: Json) -> str | None:
    """None where the probe tells whether the model is there."""
    probe = _probe(item)
    get = probe.get("httpGet") or {}
    if get:
        path = str(get.get("path") or "/")
        return None if _TELLS.fullmatch(path) else f"asks {path}, which does not tell of the model"
    if probe.get("exec"):
        return None
    return "only connects to its port" if probe.get("tcpSocket") else "is none"


def _probe(item: Json) -> Json:
    """In Knative mode queue-proxy has the container's probe, in its environment."""
    containers = item["spec"].get("containers") or []
    proxy: Json = next((one for one in containers if one.get("name") == "queue-proxy"), {})
    for variable in proxy.get("env") or []:
        if variable.get("name") == "SERVING_READINESS_PROBE":
            with suppress(ValueError):
                found = json.loads(variable.get("value") or "{}")
                return found if isinstance(found, dict) else {}
    return server_container(item).get("readinessProbe") or {}


def server_container(item: Json) -> Json:
    """The container of a pod that serves the model."""
    containers = item["spec"].get("containers") or []
    return next((one for one in containers if one.get("name") in _SERVERS), {"name": _SERVERS[0]})
