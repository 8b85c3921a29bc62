"""What people type: the real kubectl against the simulated API, where a kubectl is at hand."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

KUBECTL = shutil.which("kubectl", path=f"{os.environ['PATH']}{os.pathsep}{Path.home() / '.cache/cluster/bin'}")
pytestmark = [
    pytest.mark.skipif(KUBECTL is None, reason="no kubectl on the PATH"),
    pytest.mark.parametrize("kubernetes_api", ["simulated"], indirect=True),
]


@pytest.fixture
def kubectl(kubernetes_api, namespace, tmp_path):
    environment = {**os.environ, "KUBECONFIG": str(kubernetes_api), "HOME": str(tmp_path)}

    def run(*words):
        command = [KUBECTL, "-n", namespace, *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    return run


@pytest.mark.parametrize(
    ("words", "shown", "expected"),
    [
        (("configmap", "c", "--from-literal=a=b", "--from-literal=e="), "{.data}", '{"a":"b","e":""}'),
        (("secret", "generic", "c", "--from-literal=p=pw"), "{.data}", '{"p":"cHc="}'),
        (("serviceaccount", "c"), "{.metadata.name}", "c"),
        (("quota", "c", "--hard=pods=10,requests.nvidia.com/gpu=2"), "{.spec.hard.pods}", "10"),
        (("service", "clusterip", "c", "--tcp=80:http"), "{.spec.ports[0].targetPort}", "http"),
        (
            ("ingress", "c", "--rule=h.example.com/*=web:80"),
            "{.spec.rules[0].http.paths[0].backend.service.name}",
            "web",
        ),
    ],
)
def test_create_makes_what_it_is_told(kubectl, words, shown, expected):
    kubectl("create", *words)
    assert kubectl("get", words[0], "c", "-o", f"jsonpath={shown}") == expected


def test_a_deployment_is_created_rolled_out_scaled_and_waited_for(kubectl):
    kubectl("create", "deployment", "web", "--image=nginx", "--replicas=2", "--port=80")
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    kubectl("wait", "deployment/web", "--for=condition=Available", "--timeout=40s")
    kubectl("scale", "deployment/web", "--replicas=0")
    kubectl("wait", "pod", "-l", "app=web", "--for=delete", "--timeout=40s")
    assert "deployment.apps/web" in kubectl("get", "all")


def test_a_user_may_ask_what_is_allowed(kubectl):
    assert kubectl("auth", "can-i", "create", "pods").strip() == "yes"
