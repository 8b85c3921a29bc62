"""knative/components/serve-from-pvc: the same loader as the command's, with the settings in their places."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from pvc_objects import isvc

from functions.admin.pvc import scripts

ROOT = Path(__file__).parents[3]
COMPONENT = ROOT / "knative" / "components" / "serve-from-pvc"
SETTINGS = yaml.safe_load((COMPONENT / "settings.yaml").read_text())["data"]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not on the PATH, so the component can't be rendered: install it to run these tests")
    folder = tmp_path_factory.mktemp("component")
    shutil.copytree(COMPONENT, folder / "component")
    shutil.copy(COMPONENT / "settings.yaml", folder / "site-settings.yaml")
    moved = isvc(storage={"key": "minio", "path": "granite-7b-lab"})
    moved["metadata"]["labels"] = {"modelswitch.dev/serve-from-pvc": "true"}
    (folder / "models.yaml").write_text(yaml.safe_dump_all([moved, isvc("other")]))
    site = {"resources": ["models.yaml", "site-settings.yaml"], "components": ["component"]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(site))
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {f"{one['kind']} {one['metadata']['name']}": one for one in yaml.safe_load_all(done.stdout)}


def test_the_model_names_the_claim_and_no_other_model_is_touched(rendered):
    model = rendered["InferenceService granite"]["spec"]["predictor"]["model"]
    assert model["storageUri"] == f"pvc://{SETTINGS['claim']}/{SETTINGS['folder']}"
    assert "storage" not in model
    assert rendered["InferenceService other"]["spec"]["predictor"]["model"]["storageUri"] == "s3://models/granite"
    assert "ConfigMap serve-from-pvc" not in rendered


def test_the_claim_is_never_pruned(rendered):
    claim = rendered[f"PersistentVolumeClaim {SETTINGS['claim']}"]
    assert claim["spec"]["storageClassName"] == SETTINGS["storageClass"]
    assert claim["spec"]["resources"]["requests"]["storage"] == SETTINGS["size"]
    assert "Prune=false,Delete=false" in claim["metadata"]["annotations"]["argocd.argoproj.io/sync-options"]


def test_the_loader_runs_the_command_s_own_scripts(rendered):
    pod = rendered["Job load-model"]["spec"]["template"]["spec"]
    clear, copy = pod["initContainers"]
    (check,) = pod["containers"]
    staged = f"/claim/{scripts.STAGING}/load-model"
    assert clear["command"] == ["sh", "-c", scripts.PREPARE, "sh", staged]
    assert copy["args"] == [SETTINGS["source"], staged]
    assert copy["env"][0]["valueFrom"]["secretKeyRef"] == {"name": "storage-config", "key": SETTINGS["storageKey"]}
    assert check["command"] == ["sh", "-c", scripts.FINISH, "sh", staged, f"/claim/{SETTINGS['folder']}", ""]
    assert {one["image"] for one in (clear, copy, check)} == {SETTINGS["image"]}
    assert pod["volumes"] == [{"name": "claim", "persistentVolumeClaim": {"claimName": SETTINGS["claim"]}}]
