"""In front of the simulated API server: answers for admission policies, which that one does not have."""

import contextlib
import copy
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import yaml
from api_rig import ROOT

from functions.local.kubernetes.server import write_kubeconfig

_MANIFESTS = list(yaml.safe_load_all((ROOT / "knative/base/stop-annotation.yaml").read_text()))
_NOT_PASSED_ON = {"content-length", "transfer-encoding", "connection", "content-encoding", "date", "server"}


@dataclass
class PolicyServer:
    """`answers`: by plural, an object or the status of an error; as deployed at first. `asked`: the policy reads.

    `others`: bindings that are listed beside that one.
    """

    upstream: httpx.Client
    url: str = ""
    asked: list = field(default_factory=list)
    others: list = field(default_factory=list)
    answers: dict = field(
        default_factory=lambda: dict(
            zip(
                ("validatingadmissionpolicies", "validatingadmissionpolicybindings"),
                copy.deepcopy(_MANIFESTS),
                strict=True,
            )
        )
    )

    def exchange(self, method, path, headers, body):
        if "/validatingadmission" not in path:
            kept = {name: value for name, value in headers.items() if name.lower() not in {"host", "connection"}}
            answer = self.upstream.request(method, path, headers=kept, content=body)
            return answer.status_code, dict(answer.headers), answer.content
        self.asked.append(path)
        if path.partition("?")[0].endswith("/validatingadmissionpolicybindings"):
            return 200, {}, json.dumps({"items": [_MANIFESTS[1], *self.others]}).encode()
        plural, name = path.split("/")[-2:]
        found = self.answers[plural]
        if isinstance(found, int):
            return found, {}, b"{}"
        right = name == found["metadata"]["name"]
        return (200, {}, json.dumps(found).encode()) if right else (404, {}, b"{}")

    def kubeconfig(self, folder, token=None):
        write_kubeconfig(folder / "policies", self.url, token=token)
        return str(folder / "policies")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    policies: PolicyServer

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        status, headers, content = self.policies.exchange(self.command, self.path, self.headers, body)
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _NOT_PASSED_ON:
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


for _method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
    setattr(_Handler, f"do_{_method}", _Handler.answer)


@contextlib.contextmanager
def policies(world):
    """A PolicyServer on a free port of the loopback, before the cluster of `world`."""
    with httpx.Client(base_url=world.cluster.base_url, timeout=20) as upstream:
        made = PolicyServer(upstream)
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"policies": made}))
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        made.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield made
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
