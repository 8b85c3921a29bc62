"""The product as `make run` starts it, and ways around the dashboard to change and to read what it shows."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import yaml

from functions.local.supervisor.ports import free_ports

ROOT = Path(__file__).parents[2]
SERVING = "/apis/serving.kserve.io/v1beta1"


def wait_for(condition, what, seconds=20):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds}s")


class Product:
    def __init__(self, folder):
        self.folder = folder
        port, broker_port = free_ports(2)
        self.url = f"http://127.0.0.1:{port}"
        self.broker = f"http://127.0.0.1:{broker_port}/modelswitch/modelswitch"
        clean = {name: value for name, value in os.environ.items() if name not in {"KUBECONFIG", "REDIS_URL"}}
        own = {"PORT": str(port), "BROKER_PORT": str(broker_port), "RUN_FOLDER": str(folder), "LOG_LEVEL": "WARNING"}
        self.environment = {**clean, **own}
        self.log = folder / "run.log"

    def __enter__(self):
        command = [sys.executable, "-m", "functions.local"]
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=output, stderr=output, start_new_session=True
            )
        try:
            wait_for(self._is_up, "the product is up", 90)
        except AssertionError as error:
            self.__exit__()
            raise AssertionError(self.log.read_text()) from error
        self.api = httpx.Client(base_url=self.url, timeout=20, trust_env=False)
        server = yaml.safe_load((self.folder / "simulated/kubeconfig").read_text())["clusters"][0]["cluster"]["server"]
        self.cluster = httpx.Client(base_url=server, timeout=20, trust_env=False)
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(30)

    def _is_up(self):
        if self.process.poll() is not None:
            raise AssertionError(self.log.read_text())
        return "modelswitch is up" in self.log.read_text()

    def pid(self, part):
        return json.loads((self.folder / "processes.json").read_text())[part]

    def kill(self, part):
        os.kill(self.pid(part), signal.SIGKILL)

    def function_url(self, name):
        """By the socket that its process listens on, with the run's delivery secret: the address that the broker delivers to."""
        secret = (self.folder / "simulated/delivery-secret").read_text().strip()
        mine = {str(one.readlink()) for one in Path(f"/proc/{self.pid(name)}/fd").iterdir() if one.is_symlink()}
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in mine:
                return f"http://127.0.0.1:{int(words[1].partition(':')[2], 16)}/?delivery={secret}"
        raise AssertionError(f"{name} listens nowhere")

    def status(self, namespace, name, kind="InferenceService"):
        answer = self.api.get(f"/api/v1/namespaces/{namespace}/models/{name}/status", params={"kind": kind})
        return answer.json() if answer.status_code == 200 else None

    def command(self, verb, namespace, name, **body):
        self.api.post(f"/api/v1/namespaces/{namespace}/models/{name}/{verb}", json=body).raise_for_status()

    def reaches(self, state, namespace, name, seconds=30):
        def there():
            status = self.status(namespace, name)
            return status and status["state"] == state

        try:
            wait_for(there, f"{name} is {state}", seconds)
        except AssertionError as error:
            seen = self.api.get(f"/api/v1/namespaces/{namespace}/models/{name}/status").text
            raise AssertionError(f"{error}; it is {seen}\n{self.log.read_text()[-4000:]}") from error

    def make(self, namespace, name, *, wait=True, runtime="sklearn", **predictor):
        """An InferenceService of its own; `predictor` may say how the simulated pods behave (start, shutdown)."""
        annotations = {f"sim.modelswitch.dev/{key.replace('_', '-')}": str(value) for key, value in predictor.items()}
        model = {"modelFormat": {"name": "sklearn"}, "runtime": runtime, "storageUri": "gs://models/iris"}
        self.cluster.post(
            f"{SERVING}/namespaces/{namespace}/inferenceservices",
            json={
                "apiVersion": "serving.kserve.io/v1beta1",
                "kind": "InferenceService",
                "metadata": {
                    "name": name,
                    "namespace": namespace,
                    "annotations": {"serving.kserve.io/deploymentMode": "Standard"},
                },
                "spec": {"predictor": {"annotations": annotations, "model": model}},
            },
        ).raise_for_status()
        if wait:
            self.reaches("running", namespace, name)
        return name

    def remove(self, namespace, name):
        self.cluster.delete(f"{SERVING}/namespaces/{namespace}/inferenceservices/{name}")

    @contextlib.contextmanager
    def model(self, namespace, name, **predictor):
        self.make(namespace, name, **predictor)
        try:
            yield name
        finally:
            self.remove(namespace, name)
            wait_for(lambda: self.status(namespace, name) is None, f"{name} is gone")

    def annotate(self, namespace, name, value):
        """As `kubectl annotate serving.kserve.io/stop=…` does it: without us."""
        self.cluster.patch(
            f"{SERVING}/namespaces/{namespace}/inferenceservices/{name}",
            params={"fieldManager": "kubectl-annotate"},
            json={"metadata": {"annotations": {"serving.kserve.io/stop": value}}},
            headers={"content-type": "application/merge-patch+json"},
        ).raise_for_status()

    def publish(self, verb, namespace, name, event_id, *, to=None, correlation=None, **data):
        """`to`: another place than the broker."""
        headers = {
            "ce-specversion": "1.0",
            "ce-id": event_id,
            "ce-source": "/tests/pipeline",
            "ce-type": f"dev.modelswitch.model.{verb}-requested.v1",
            "ce-subject": f"namespaces/{namespace}/inferenceservices/{name}",
            "content-type": "application/json",
        }
        if correlation:
            headers["ce-correlationid"] = correlation
        answer = httpx.post(to or self.broker, headers=headers, json=data, timeout=30, trust_env=False)
        assert to or answer.status_code < 300, answer.text
