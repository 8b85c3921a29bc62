"""The example as kustomize renders it, changed only in what the tests' cluster can't have: names of images, the namespace, sizes.

The request logger's sidecar and the CronJobs' clock are left to clusters that have KServe's agent and Knative.
"""

import copy
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from kserve_models import IMAGE

EXAMPLE = Path(__file__).parents[2] / "knative" / "examples" / "anomaly-detector"
NAME = "anomaly-detector"
SMALL = {"requests": {"cpu": "5m", "memory": "128Mi"}, "limits": {"cpu": "2", "memory": "512Mi"}}


class Example:
    """`way` is pvc or s3."""

    def __init__(self, namespace, way="pvc"):
        kubectl = shutil.which("kubectl")
        if kubectl is None:
            pytest.skip("kubectl is not on the PATH, so the example can't be rendered: install it to run this test")
        done = subprocess.run([kubectl, "kustomize", EXAMPLE / way], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        self._found = {(m["kind"], m["metadata"]["name"]): m for m in yaml.safe_load_all(done.stdout)}
        self._namespace = namespace

    def _one(self, kind, name=NAME):
        found = copy.deepcopy(self._found[kind, name])
        found["metadata"]["namespace"] = self._namespace
        return found

    @property
    def code(self):
        return self._one("ConfigMap", f"{NAME}-code")

    @property
    def smoke_test(self):
        return self._one("ConfigMap", f"modelswitch-smoke-test-{NAME}")

    @property
    def runtime(self):
        runtime = self._one("ServingRuntime")
        for container in runtime["spec"]["containers"]:
            container.update(image=IMAGE, imagePullPolicy="IfNotPresent", resources=SMALL)
        return runtime

    @property
    def model(self):
        model = self._one("InferenceService")
        del model["spec"]["predictor"]["logger"]
        return model

    def training(self, name, sink):
        """What `kubectl create job NAME --from=cronjob/train-anomaly-detector` makes, with the SinkBinding's K_SINK."""
        template = self._one("CronJob", f"train-{NAME}")["spec"]["jobTemplate"]
        pod = template["spec"]["template"]["spec"]
        for container in [*pod["initContainers"], *pod["containers"]]:
            command = [
                word.replace("--namespace=ml", f"--namespace={self._namespace}") for word in container["command"]
            ]
            if command[0] == "modelswitch":
                command[:1] = ["python3", "-m", "events.cli.main"]
                container["env"] = [{"name": "K_SINK", "value": sink}]
            container.update(command=command, image=IMAGE, imagePullPolicy="IfNotPresent", resources=SMALL)
        template["spec"]["backoffLimit"] = 0
        metadata = {**template["metadata"], "name": name, "namespace": self._namespace}
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"]}
