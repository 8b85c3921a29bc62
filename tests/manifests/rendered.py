"""What kustomize makes of base and overlays, and how the tests look things up in it."""

import functools
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
KNATIVE = ROOT / "knative"
OVERLAYS = sorted(folder.name for folder in (KNATIVE / "overlays").iterdir() if folder.is_dir())

Manifest = dict[str, Any]


@functools.cache
def render(folder: str) -> tuple[Manifest, ...]:
    """`folder` is relative to knative/. Fails the test with kustomize's own words where it does not render."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not on the PATH, so knative/ can't be rendered: install it to run these tests")
    done = subprocess.run([kubectl, "kustomize", str(KNATIVE / folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"kubectl kustomize knative/{folder}: {done.stderr}"
    return parsed(done.stdout)


def parsed(text: str) -> tuple[Manifest, ...]:
    """With libyaml where PyYAML was built with it: ten times as fast."""
    return tuple(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def overlay(name: str) -> tuple[Manifest, ...]:
    return render(f"overlays/{name}")


def of_kind(manifests: tuple[Manifest, ...], kind: str, group: str | None = None) -> dict[str, Manifest]:
    """By name. `group` tells Knative's Service ("serving.knative.dev") from the core one ("")."""
    return {
        m["metadata"]["name"]: m
        for m in manifests
        if m["kind"] == kind and (group is None or group_of(m["apiVersion"]) == group)
    }


def group_of(api_version: str) -> str:
    return api_version.rpartition("/")[0]


def pod_specs(manifests: tuple[Manifest, ...]) -> Iterator[tuple[str, Manifest]]:
    """Each pod that something in `manifests` makes, as (`Kind/name`, pod spec)."""
    for m in manifests:
        spec = m.get("spec", {}).get("template", {}).get("spec")
        if spec is not None:
            yield f"{m['kind']}/{m['metadata']['name']}", spec


def functions(manifests: tuple[Manifest, ...]) -> dict[str, Manifest]:
    """The workload of each function, Knative Service or Deployment, by its name."""
    workloads = of_kind(manifests, "Service", "serving.knative.dev") | of_kind(manifests, "Deployment", "apps")
    return {name: m for name, m in workloads.items() if name != "api"}


def environment(spec: Manifest) -> dict[str, str]:
    return {e["name"]: e.get("value", "") for e in spec["containers"][0].get("env", [])}


def identity(manifest: Manifest) -> tuple[str, str, str]:
    return group_of(manifest["apiVersion"]), manifest["kind"], manifest["metadata"]["name"]
