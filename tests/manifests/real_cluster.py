"""The real API server of MODELSWITCH_TEST_KUBECONFIG, and installations of ours on it, each in a
namespace of its own.
"""

import base64
import functools
import os
import ssl
import subprocess
import time
from pathlib import Path

import httpx
import pytest
import yaml
from kubernetes.aio.client.configuration import Configuration
from rendered import KNATIVE, parsed

KUBECONFIG = os.environ.get("MODELSWITCH_TEST_KUBECONFIG")
RIGHTS = {
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "ValidatingAdmissionPolicy": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
}
JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"

needs_a_cluster = pytest.mark.skipif(KUBECONFIG is None, reason="MODELSWITCH_TEST_KUBECONFIG names no cluster")


def kubectl(*arguments, stdin=None):
    return subprocess.run(
        ["kubectl", "--kubeconfig", KUBECONFIG, *arguments],
        input=stdin, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def render(namespace, name="dev"):
    """What `make deploy` applies."""
    return list(parsed(_rendered(namespace, name)))


@functools.cache
def _rendered(namespace, name):
    environment = {**os.environ, "NAMESPACE": namespace, "OVERLAY": name}
    done = subprocess.run(
        [str(KNATIVE / "render.sh")], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def connect():
    config = yaml.safe_load(Path(KUBECONFIG).read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    authority = cluster.get("certificate-authority-data")
    tls = ssl.create_default_context(cadata=base64.b64decode(authority).decode()) if authority else True
    headers = {"authorization": f"Bearer {user['token']}"}
    return httpx.Client(base_url=cluster["server"], verify=tls, headers=headers, timeout=60)


class Caller:
    """Sends requests as one user; without a name as the kubeconfig's own, an administrator."""

    def __init__(self, http, name=None, groups=()):
        self._http = http
        self._headers = []
        if name:
            groups = ("system:authenticated", *groups)
            self._headers = [("impersonate-user", name), *(("impersonate-group", group) for group in groups)]

    def request(self, method, path, body=None, content_type="application/json"):
        headers = [*self._headers, ("content-type", content_type)]
        return self._http.request(method, path, json=body, headers=headers)

    def create(self, path, body):
        return self.request("POST", path, body)

    def merge(self, path, body):
        return self.request("PATCH", path, body, MERGE_PATCH)

    def patch(self, path, *operations):
        return self.request("PATCH", path, list(operations), JSON_PATCH)

    def replace(self, path, body):
        return self.request("PUT", path, body)

    def delete(self, path, body=None):
        return self.request("DELETE", path, body)

    def get(self, path):
        found = self.request("GET", path)
        assert found.status_code == 200, found.text
        return found.json()


class Rights:
    """Accounts, roles and policies of one installation; without its workloads, which need Knative's controllers."""

    def __init__(self, admin, namespace, overlay="dev"):
        self._admin, self.namespace, self._overlay = admin, namespace, overlay
        self.made = []

    def put(self):
        self._create("/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        for manifest in render(self.namespace, self._overlay):
            if manifest["kind"] in RIGHTS:
                self._create(RIGHTS[manifest["kind"]], manifest)
            elif manifest["kind"] == "ServiceAccount":
                self._create(f"/api/v1/namespaces/{self.namespace}/serviceaccounts", manifest)
        return self

    def account(self, name):
        return f"system:serviceaccount:{self.namespace}:{name}"

    def remove(self):
        for path in reversed(self.made):
            self._admin.delete(path)

    def _create(self, collection, manifest):
        done = self._admin.create(collection, manifest)
        assert done.status_code == 201, done.text
        self.made.append(f"{collection}/{manifest['metadata']['name']}")


def configuration_of(http, rights, account, folder):
    """For the product's own client, with a real token of the account."""
    path = f"/api/v1/namespaces/{rights.namespace}/serviceaccounts/{account}/token"
    done = Caller(http).create(path, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})
    server = yaml.safe_load(Path(KUBECONFIG).read_text())["clusters"][0]["cluster"]
    (folder / "ca.crt").write_bytes(base64.b64decode(server["certificate-authority-data"]))
    token = f"Bearer {done.json()['status']['token']}"
    configuration = Configuration(host=server["server"], api_key={"BearerToken": token})
    configuration.ssl_ca_cert = str(folder / "ca.crt")
    return configuration


def wait_until(true, seconds=60):
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not become true"
        time.sleep(0.1)
