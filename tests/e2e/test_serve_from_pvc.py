"""A model moves from S3 to a claim by `modelswitch pvc apply`: real volumes, real exec, real predictions."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from api_server import KSERVE, pods
from claims import Volume, model_file
from deadlines import eventually
from kserve_models import FORMAT, IMAGE, MODE, server
from request_in_flight import predict

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ACCESS_KEY = "whoever"
RUNTIME = "with-empty-dir"
PAYLOAD = [[5.1, 3.5, 1.4, 0.2]]


@pytest.fixture
def volume(api, place):
    made = Volume(api, place.namespace).prepare()
    yield made
    made.leave()


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "model"
    made.mkdir()
    (made / "model.pkl").write_bytes(model_file())
    (made / "weights.bin").write_bytes(os.urandom(30_000_000))
    return made


@pytest.fixture
def on_s3(api, place, seat):
    """An InferenceService that names S3, with a runtime that mounts an emptyDir for the model."""
    container = server(volumeMounts=[{"name": "models", "mountPath": "/mnt/models"}])
    formats = [{"name": FORMAT, "version": "1", "autoSelect": False}]
    spec = {"supportedModelFormats": formats, "protocolVersions": ["v1", "v2"], "containers": [container]}
    spec["volumes"] = [{"name": "models", "emptyDir": {}}]
    if seat["hints"]:
        spec["annotations"] = seat["hints"]
    body = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": {"name": RUNTIME},
        "spec": spec,
    }
    api.create(f"{KSERVE}/v1alpha1/namespaces/{place.namespace}/servingruntimes", body)
    model = {"modelFormat": {"name": FORMAT}, "runtime": RUNTIME, "storageUri": "s3://models/granite"}
    metadata = {"name": "granite", "annotations": {MODE: "Standard"}}
    isvc = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": metadata}
    return place.make({**isvc, "spec": {"predictor": {"model": model}}})


@pytest.fixture(scope="session")
def storage_initializer():
    """KServe's own image, or one built with KServe's storage library."""
    if named := os.environ.get("STORAGE_INITIALIZER_IMAGE"):
        return named
    if not os.environ.get("IMAGE_BUILDER"):
        pytest.skip("neither STORAGE_INITIALIZER_IMAGE nor IMAGE_BUILDER is set: nothing that copies from S3")
    done = subprocess.run([HERE / "storage_initializer" / "build"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return "docker.io/local/storageinitializer:1"


@pytest.fixture
def s3(api, place):
    """An S3 server in a pod of the namespace, and the Secret `storage-config` that leads there."""
    source = (HERE / "s3_server.py").read_text()
    command = ["python3", "-S", "-c", source, ACCESS_KEY, model_file().hex(), str(20_000_000)]
    probe = {"tcpSocket": {"port": 9000}, "periodSeconds": 1}
    container = {"name": "s3", "image": IMAGE, "imagePullPolicy": "IfNotPresent", "command": command}
    body = {"metadata": {"name": "s3"}, "spec": {"containers": [{**container, "readinessProbe": probe}]}}
    api.create(pods(place.namespace), body)

    def ready():
        status = api.get(pods(place.namespace, "s3")).get("status", {})
        return status.get("podIP") if any(one.get("ready") for one in status.get("containerStatuses") or []) else None

    address = eventually(ready, "an S3 server", 60)
    said = {"type": "s3", "bucket": "models", "endpoint_url": f"http://{address}:9000", "region": "us-east-1"}
    said |= {"access_key_id": ACCESS_KEY, "secret_access_key": "hush"}
    secret = {"metadata": {"name": "storage-config"}, "stringData": {"minio": json.dumps(said)}}
    api.create(f"/api/v1/namespaces/{place.namespace}/secrets", secret)


class Run:
    """`modelswitch pvc` as a process of its own."""

    def __init__(self, place, tmp_path):
        self._place, self.log = place, tmp_path / "said"

    def start(self, verb, *words):
        line = ["pvc", verb, "granite", "-n", self._place.namespace, "--claim", "cache", *words]
        return subprocess.Popen(
            [sys.executable, "-m", "events.cli.main", *line],
            cwd=ROOT,
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self, verb, *words):
        running = self.start(verb, *words)
        running.wait(180)
        return running.returncode, self.log.read_text()


@pytest.fixture
def run(place, tmp_path):
    return Run(place, tmp_path)


def wanted(place, folder, *more, path="granite"):
    storage = ("--storage-class", place.namespace, "--path", path, "--from", str(folder), "--loader-image", IMAGE)
    return (*storage, "--runtime", "granite-pvc", *more)


def check_it_serves(place, name):
    """A real prediction, from a pod that reads the claim and has no emptyDir for the model."""
    (pod,) = eventually(lambda: alone(place, name), f"one pod of {name}", 60)
    answer = predict(pod["status"]["podIP"], name, instances=PAYLOAD)
    assert answer.json()["predictions"] == PAYLOAD, answer.text
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    mounts = [mount for one in pod["spec"]["containers"] for mount in one.get("volumeMounts") or []]
    of_model = [volumes[mount["name"]] for mount in mounts if mount["mountPath"] == "/mnt/models"]
    assert [volume.get("persistentVolumeClaim", {}).get("claimName") for volume in of_model] == ["cache"]
    return pod


def alone(place, name):
    """Its pods, once those that end have gone."""
    found = place.pods(name)
    return found if len(found) == 1 else None


def test_a_folder_goes_to_a_claim_and_a_new_model_serves_it(api, place, product, volume, on_s3, folder, run):
    code, said = run.end("plan", *wanted(place, folder, "--name", "granite-pvc"))
    assert code == 0, said
    assert api.find(f"/api/v1/namespaces/{place.namespace}/persistentvolumeclaims/cache") is None
    words = wanted(place, folder, "--name", "granite-pvc", "--yes", "--sink", product.broker)
    code, said = run.end("apply", *words)
    assert code == 0, said
    assert "its pods have the model loaded" in said
    assert "no emptyDir for the model" in said
    pod = check_it_serves(place, "granite-pvc")
    assert api.get(f"/apis/storage.k8s.io/v1/storageclasses/{place.namespace}-retain")["reclaimPolicy"] == "Retain"
    code, again = run.end("apply", *words)
    assert code == 0, again
    assert "Nothing is to be done" in again
    assert check_it_serves(place, "granite-pvc")["metadata"]["uid"] == pod["metadata"]["uid"], "nothing was restarted"
    assert api.items(pods(place.namespace), labelSelector="app.kubernetes.io/component=pvc-loader") == []


@pytest.mark.long
def test_from_s3_a_job_copies_with_the_key_of_the_storage_secret(
    api, place, volume, on_s3, s3, storage_initializer, run
):
    path = f"{KSERVE}/v1beta1/namespaces/{place.namespace}/inferenceservices/granite"
    storage = {"storageUri": None, "storage": {"key": "minio", "path": "granite"}}
    api.merge(path, {"spec": {"predictor": {"model": storage}}})
    options = ("--storage-class", place.namespace, "--size", "1Gi", "--runtime", "granite-pvc", "--in-place", "--yes")
    code, said = run.end("apply", *options, "--loader-image", storage_initializer)
    assert code == 0, said
    assert "2 files" in said
    check_it_serves(place, "granite")
    assert "hush" not in said
    assert api.items(f"/apis/batch/v1/namespaces/{place.namespace}/jobs") == []


@pytest.mark.long
def test_interrupted_in_the_copy_it_goes_on_in_place(place, volume, on_s3, folder, run):
    words = wanted(place, folder, "--in-place", "--yes")
    running = run.start("apply", *words)
    eventually(lambda: "copying: 10 %" in run.log.read_text(), lambda: f"it copies: {run.log.read_text()}", 60, 0.005)
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 130, run.log.read_text()
    assert "run the same command again to continue" in run.log.read_text()
    assert place.get("granite")["spec"]["predictor"]["model"]["storageUri"] == "s3://models/granite"
    code, said = run.end("apply", *words)
    assert code == 0, said
    assert "it goes on" in said
    check_it_serves(place, "granite")


@pytest.mark.long
def test_a_model_that_can_t_load_it_is_put_back_and_the_claim_stays(api, place, volume, on_s3, folder, run):
    (folder / "model.pkl").write_bytes(b"no pickle")
    before = place.get("granite")["spec"]
    code, said = run.end("apply", *wanted(place, folder, "--in-place", "--yes", "--wait-timeout", "20s"))
    assert code in {1, 5}, said
    assert "undone: InferenceService granite" in said
    assert "undone: ServingRuntime granite-pvc" in said
    assert place.get("granite")["spec"] == before
    claim = api.get(f"/api/v1/namespaces/{place.namespace}/persistentvolumeclaims/cache")
    assert claim["status"]["phase"] == "Bound"
    (folder / "model.pkl").write_bytes(model_file())
    code, said = run.end("apply", *wanted(place, folder, "--in-place", "--yes", path="granite-mended"))
    assert code == 0, said
    check_it_serves(place, "granite")


def test_a_pod_that_is_ready_without_its_model_is_not_believed(place, volume, on_s3, folder, run):
    """KServe says Ready of it; a copy that lacks the model's file must not take over from what serves."""
    (folder / "model.pkl").unlink()
    code, said = run.end("apply", *wanted(place, folder, "--in-place", "--yes", "--wait-timeout", "25s"))
    assert code == 5, said
    assert "ModelMissing" in said
    assert "undone: InferenceService granite" in said
    assert place.get("granite")["spec"]["predictor"]["model"]["storageUri"] == "s3://models/granite"
