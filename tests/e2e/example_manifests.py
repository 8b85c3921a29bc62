"""The examples as a cluster would run them: the same containers, with names and addresses of this run in place of theirs."""

import os
import re
from pathlib import Path

import yaml
from kserve_models import IMAGE

FOLDER = Path(__file__).parents[2] / "knative" / "examples"
COMMAND_IMAGE = os.environ.get("MODELSWITCH_IMAGE", "docker.io/local/modelswitch:1")
_BROKER = "http://broker-ingress.knative-eventing.svc.cluster.local/modelswitch/modelswitch"
_THEIRS = {"modelswitch:0.1.0": COMMAND_IMAGE, "python:3.11-slim": IMAGE, "ml": "{namespace}"}


class Examples:
    """`sink` is the broker's address as pods reach it."""

    def __init__(self, namespace, sink):
        self._namespace, self._sink = namespace, sink

    def read(self, file):
        """A file's objects, by kind; where there are two of a kind, the last."""
        found = yaml.safe_load_all((FOLDER / file).read_text())
        return {manifest.get("kind", "component"): self._ours(manifest) for manifest in found}

    def job(self, file):
        """As a SinkBinding leaves it."""
        job = self.read(file)["Job"]
        spec = job["spec"]["template"]["spec"]
        for container in (*spec.get("initContainers", ()), *spec["containers"]):
            if not any(variable["name"] == "K_SINK" for variable in container.setdefault("env", [])):
                container["env"].append({"name": "K_SINK", "value": self._sink})
        return job

    def tekton(self, run, **given):
        """(The pipeline's training step, the step of its `finally`), as Tekton would run them on the workspace `models`."""
        read = self.read("tekton-artifact.yaml")
        task, pipeline = read["Task"]["spec"], read["Pipeline"]["spec"]
        values = {f"params.{p['name']}": p.get("default") for p in pipeline["params"]}
        values |= {f"params.{name}": value for name, value in given.items()} | {"context.pipelineRun.name": run}
        (tell,) = pipeline["finally"]
        assert tell["taskRef"]["name"] == read["Task"]["metadata"]["name"]
        own = {f"params.{p['name']}": p["default"] for p in task["params"] if "default" in p}
        own |= {f"params.{p['name']}": _filled(p["value"], values) for p in tell["params"]}
        shared = {"workspaces.models.path": "/workspace/models", "context.taskRun.name": f"{run}-tell"}
        (step,) = task["steps"]
        (train,) = pipeline["tasks"][0]["taskSpec"]["steps"]
        training = _filled({**train, "command": ["python3", "-c", train["script"]]}, {**values, **shared})
        del training["script"]
        return training, _filled(step, {**own, "params.sink": self._sink, **shared})

    def component(self, **given):
        """The component's container, as Kubeflow Pipelines would run it."""
        component = self.read("kfp-artifact/component.yaml")["component"]
        values = {one["name"]: one.get("default") for one in component["inputs"]} | {"sink": self._sink} | given
        container = component["implementation"]["container"]
        words = [word if isinstance(word, str) else values[word["inputValue"]] for word in container["command"]]
        return {"name": "component", "image": container["image"], "command": words}

    def watcher(self):
        """(The container, its volumes), with the address that Knative gives a ContainerSource."""
        spec = self.read("pvc-watcher.yaml")["ContainerSource"]["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        return {**container, "env": [{"name": "K_SINK", "value": self._sink}]}, spec["volumes"]

    def _ours(self, node):
        if isinstance(node, dict):
            return {key: self._ours(value) for key, value in node.items()}
        if isinstance(node, list):
            return [self._ours(value) for value in node]
        if not isinstance(node, str):
            return node
        text = _THEIRS.get(node, node).replace("--namespace=ml", "--namespace={namespace}").replace(_BROKER, self._sink)
        return text.replace("{namespace}", self._namespace)


def _filled(node, values):
    """With Tekton's `$(name)` replaced; one that nothing is known of fails."""
    if isinstance(node, dict):
        return {key: _filled(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(value, values) for value in node]
    return re.sub(r"\$\(([\w.]+)\)", lambda match: str(values[match[1]]), node) if isinstance(node, str) else node
