"""The hook with which a pod leaves its Service before its server stops listening.

A pod that ends is told so (SIGTERM) in the moment in which it is taken out of its Service. KServe's own server then closes
its port at once, and refuses what a kube-proxy or an ingress that does not know yet still sends: some requests of every
rolling update. KServe presets such a hook for LLMInferenceServices only; in Knative mode queue-proxy has one.
"""

from dataclasses import dataclass

from events.model import Kind
from functions.admin.verify.readiness import server_container
from functions.admin.verify.sighting import Sighting
from functions.lifecycle.observation import Mode

SECONDS = 5
"""A kube-proxy takes a second at most (its --iptables-min-sync-period), an ingress a little longer."""


@dataclass(frozen=True)
class Leaving:
    """`runtime` should have the hook in `container`."""

    runtime: str
    container: str

    @property
    def yaml(self) -> str:
        """For `spec.containers[]` of the runtime. Kubernetes knows `sleep` since 1.30."""
        lines = [f"- name: {self.container}", "  lifecycle:", "    preStop:", f"      sleep: {{seconds: {SECONDS}}}"]
        return "\n".join(lines)


def leaving(sighting: Sighting) -> Leaving | None:
    """None where its servers have a hook already, or need none."""
    if sighting.runtime is None or sighting.seen.mode is not Mode.STANDARD:
        return None
    if sighting.ref.kind is not Kind.INFERENCE_SERVICE:
        return None
    for item in (sighting.pods.get(server.pod_uid) for server in sighting.servers):
        container = server_container(item) if item else {}
        if container and not (container.get("lifecycle") or {}).get("preStop"):
            return Leaving(sighting.runtime, str(container["name"]))
    return None
