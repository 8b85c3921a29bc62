"""`modelswitch pvc plan|apply` against the simulated cluster: real HTTP, real exec frames, the loader's real scripts."""

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from api_rig import process, wait_for
from cli_process import command, environment
from sink_stand_in import receiving

from events.envelope import read
from functions.admin.pvc.folder import read_folder

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SERVING = "/apis/serving.kserve.io"
NS = "team"
STORAGE = {"type": "s3", "bucket": "models", "access_key_id": "who", "secret_access_key": "hush"}
IMAGE = "kserve/storage-initializer:v0.17.0"
CRASHES = {"sim.modelswitch.dev/fail": "CrashLoopBackOff"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pvc")
    log = folder / "cluster.log"
    with contextlib.ExitStack() as stack:
        with log.open("w") as output:
            words = [sys.executable, str(HERE / "pvc_cluster.py"), str(folder)]
            paths = {**os.environ, "PYTHONPATH": str(ROOT)}
            running = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT, cwd=ROOT, env=paths)
        stack.callback(running.wait, 10)
        stack.callback(running.terminate)
        url = wait_for(lambda: "listens on" in log.read_text() and log.read_text().split()[-1], "the cluster listens")
        kserve_log = folder / "kserve.log"
        stack.enter_context(process("functions.local.kserve", log=kserve_log, KUBECONFIG=str(folder / "direct")))
        http = stack.enter_context(httpx.Client(base_url=url, timeout=10))
        wait_for(lambda: "watch" in kserve_log.read_text(), "KServe's controllers watch")
        made = Cluster(folder, http)
        made.prepare()
        yield made


class Cluster:
    """What the tests say to the cluster."""

    def __init__(self, folder, http):
        self.folder, self.http = folder, http
        self.kubeconfig = folder / "kubeconfig"
        self._count = 0

    def prepare(self):
        self.create("/api/v1/namespaces", {"metadata": {"name": NS}})
        for name, policy in (("keep", "Retain"), ("fast", "Delete")):
            body = {"metadata": {"name": name}, "provisioner": "csi.example.com", "reclaimPolicy": policy}
            self.create("/apis/storage.k8s.io/v1/storageclasses", {**body, "parameters": {"tier": name}})
        secret = {"data": {"minio": base64.b64encode(json.dumps(STORAGE).encode()).decode()}}
        self.create(f"/api/v1/namespaces/{NS}/secrets", {"metadata": {"name": "storage-config"}, **secret})
        spec = {
            "container": {"name": "storage-initializer", "image": IMAGE},
            "supportedUriFormats": [{"prefix": "s3://"}],
        }
        self.create(f"{SERVING}/v1alpha1/clusterstoragecontainers", {"metadata": {"name": "default"}, "spec": spec})
        self.runtime("vllm")
        self.runtime("crashes", annotations=CRASHES)

    def runtime(self, name, **spec):
        resources = {"requests": {"cpu": "10m", "memory": "64Mi"}}
        mounts = [{"name": "models", "mountPath": "/mnt/models"}, {"name": "shm", "mountPath": "/dev/shm"}]
        container = {"name": "kserve-container", "image": "server", "resources": resources, "volumeMounts": mounts}
        body = {"supportedModelFormats": [{"name": "vLLM"}], "containers": [container], **spec}
        body["volumes"] = [{"name": "models", "emptyDir": {}}, {"name": "shm", "emptyDir": {"medium": "Memory"}}]
        self.create(f"{SERVING}/v1alpha1/namespaces/{NS}/servingruntimes", {"metadata": {"name": name}, "spec": body})

    def create(self, path, body):
        answer = self.http.post(path, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def get(self, path):
        answer = self.http.get(path)
        return None if answer.status_code == 404 else answer.json()

    def model(self, runtime="vllm", **storage):
        """An InferenceService of its own, on S3, and what is there in the bucket."""
        self._count += 1
        name = f"granite-{self._count}"
        bucket = self.folder / "s3" / "models" / name
        (bucket / "deep").mkdir(parents=True)
        (bucket / "config.json").write_text(name)
        (bucket / "deep" / "part one.safetensors").write_bytes(os.urandom(300_000))
        model = {
            "modelFormat": {"name": "vLLM"},
            "runtime": runtime,
            **(storage or {"storage": {"key": "minio", "path": name}}),
        }
        metadata = {
            "name": name,
            "annotations": {"serving.kserve.io/deploymentMode": "Standard"},
            "labels": {"team": "x"},
        }
        self.create(self.isvcs(), {"metadata": metadata, "spec": {"predictor": {"model": model}}})
        return name

    def isvcs(self, name=""):
        return f"{SERVING}/v1beta1/namespaces/{NS}/inferenceservices{f'/{name}' if name else ''}"

    def served(self, name):
        return self.get(self.isvcs(name))["spec"]["predictor"]["model"]

    def claim(self, name):
        return self.get(f"/api/v1/namespaces/{NS}/persistentvolumeclaims/{name}")

    def on_claim(self, name, path):
        return self.folder / "claims" / NS / name / path

    def loaders(self):
        paths = f"/apis/batch/v1/namespaces/{NS}/jobs", f"/api/v1/namespaces/{NS}/pods"
        found = [
            self.http.get(path, params={"labelSelector": "app.kubernetes.io/component=pvc-loader"}) for path in paths
        ]
        jobs, pods = (answer.json()["items"] for answer in found)
        return [*jobs, *(pod for pod in pods if "job-name" not in pod["metadata"]["labels"])]

    def changes(self):
        """Requests that changed something, since the last call."""
        found = self.http.get("/_sim/audit").json()["items"]
        self.http.delete("/_sim/audit")
        return [item for item in found if item["changed"] and item["userAgent"] == "modelswitch"]

    def run(self, verb, name, *words, kubeconfig="kubeconfig", **extra):
        words = ("pvc", verb, name, "-n", NS, *words, *(("--yes",) if verb == "apply" else ()))
        return command("http://127.0.0.1:9", *words, KUBECONFIG=str(self.folder / kubeconfig), **extra)


def written(name, *words, size="1Gi", storage_class="keep"):
    return ("--claim", name, "--size", size, "--storage-class", storage_class, *words)


def test_a_plan_shows_each_object_and_changes_none(cluster):
    name = cluster.model()
    cluster.changes()
    done = cluster.run("plan", name, *written("planned", "--name", f"{name}-pvc", "--runtime", f"{name}-rt"))
    assert done.returncode == 0, done.stderr
    for what in ("PersistentVolumeClaim team/planned", "Job team/load-planned-", f"ServingRuntime team/{name}-rt"):
        assert f"+++ {what}" in done.stdout
    assert f"+      storageUri: pvc://planned/{name}" in done.stdout
    assert "[ok] StorageClass: keep retains volumes" in done.stdout
    assert "hush" not in done.stdout
    assert cluster.changes() == []
    assert cluster.claim("planned") is None


def test_from_s3_to_a_new_model_beside_the_old_one(cluster):
    name = cluster.model()
    before = cluster.served(name)
    with receiving() as sink:
        words = written("s3-claim", "--name", f"{name}-pvc", "--runtime", f"{name}-rt", "--sink", sink.url)
        done = cluster.run("apply", name, *words)
    assert done.returncode == 0, done.stderr
    copied = read_folder(cluster.on_claim("s3-claim", name))
    assert copied.digest == read_folder(cluster.folder / "s3" / "models" / name).digest
    served = cluster.get(cluster.isvcs(f"{name}-pvc"))
    assert served["spec"]["predictor"]["model"]["storageUri"] == f"pvc://s3-claim/{name}"
    assert served["metadata"]["annotations"]["modelswitch.dev/artifact-digest"] == copied.digest
    assert served["metadata"]["labels"] == {"team": "x"}
    assert cluster.served(name) == before
    assert cluster.loaders() == []
    assert "no emptyDir for the model" in done.stderr
    assert "its pods have the model loaded" in done.stderr
    ((headers, body),) = sink.arrived
    event = read(headers, body).data
    assert (event.uri, event.namespace, event.digest, event.size) == (
        f"pvc://s3-claim/{name}",
        NS,
        copied.digest,
        copied.size,
    )


def test_the_job_refers_to_the_storage_secret_and_does_not_copy_it(cluster):
    name = cluster.model()
    plan = json.loads(
        cluster.run("plan", name, *written("refers", "--in-place", "--runtime", f"{name}-rt"), "--json").stdout
    )
    (job,) = [change["after"] for change in plan["changes"] if change["what"].startswith("Job")]
    copying = job["spec"]["template"]["spec"]["initContainers"][1]
    assert (copying["image"], copying["args"][0]) == (IMAGE, f"s3://models/{name}")
    secret = {"name": "storage-config", "key": "minio"}
    assert {"name": "STORAGE_CONFIG", "valueFrom": {"secretKeyRef": secret}} in copying["env"]


def test_once_more_there_is_nothing_to_do(cluster):
    name = cluster.model()
    with receiving() as sink:
        words = written("again", "--in-place", "--runtime", f"{name}-rt", "--sink", sink.url)
        assert cluster.run("apply", name, *words).returncode == 0
        cluster.changes()
        done = cluster.run("apply", name, *words)
        assert len(sink.arrived) == 1
    assert done.returncode == 0, done.stderr
    assert "Nothing is to be done" in done.stdout
    assert cluster.changes() == []


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "model"
    (made / "deep er").mkdir(parents=True)
    (made / "model.pkl").write_bytes(os.urandom(700_000))
    (made / "deep er" / "naïve.bin").write_bytes(b"")
    (made / "deep er" / "weights.bin").write_bytes(os.urandom(1_500_000))
    (made / ".git").mkdir()
    (made / ".git" / "config").write_text("hidden")
    return made


def test_a_folder_is_received_in_place_of_s3(cluster, folder):
    name = cluster.model()
    words = written("folder", "--path", "v1/model", "--in-place", "--runtime", f"{name}-rt", "--from", str(folder))
    done = cluster.run("apply", name, *words)
    assert done.returncode == 0, done.stderr
    place = cluster.on_claim("folder", "v1/model")
    assert read_folder(place).digest == read_folder(folder).digest
    assert (place / "deep er" / "naïve.bin").exists()
    assert not (place / ".git").exists()
    assert (place / "_SUCCESS").read_text().strip() == read_folder(folder).digest
    assert cluster.served(name)["storageUri"] == "pvc://folder/v1/model"
    assert "storage" not in cluster.served(name)
    assert "published nothing: no --sink" in done.stderr


def test_a_connection_that_is_cut_is_gone_on_with(cluster, folder):
    name = cluster.model()
    cluster.http.get("/_pvc/cut", params={"after": 1_000_000})
    done = cluster.run("apply", name, *written("cut", "--in-place", "--runtime", f"{name}-rt", "--from", str(folder)))
    assert done.returncode == 0, done.stderr
    assert "the rest is sent again (1 of 3)" in done.stderr
    assert "files have arrived before" in done.stderr
    assert read_folder(cluster.on_claim("cut", name)).digest == read_folder(folder).digest


def test_other_content_at_the_same_path_is_not_overwritten(cluster, folder):
    name = cluster.model()
    words = written("kept", "--path", "model", "--in-place", "--runtime", f"{name}-rt")
    place = cluster.on_claim("kept", "model")
    place.mkdir(parents=True)
    (place / "somebody-else-s").write_text("mine")
    done = cluster.run("apply", name, *words, "--from", str(folder))
    assert done.returncode == 1
    assert "something else is in its place on the claim" in done.stderr
    assert [path.name for path in place.iterdir()] == ["somebody-else-s"]
    assert "storage" in cluster.served(name)
    assert cluster.loaders() == []


def test_a_class_that_deletes_is_cloned_as_one_that_retains(cluster):
    name = cluster.model()
    done = cluster.run("apply", name, *written("cloned", "--in-place", "--runtime", f"{name}-rt", storage_class="fast"))
    assert done.returncode == 0, done.stderr
    clone = cluster.get("/apis/storage.k8s.io/v1/storageclasses/fast-retain")
    assert (clone["reclaimPolicy"], clone["parameters"]) == ("Retain", {"tier": "fast"})
    assert cluster.claim("cloned")["spec"]["storageClassName"] == "fast-retain"


def test_who_may_not_read_classes_is_told_that_nobody_knows(cluster):
    name = cluster.model()
    words = written("unknown", "--in-place", "--runtime", f"{name}-rt", storage_class="fast")
    done = cluster.run("plan", name, *words, kubeconfig="team")
    assert "[note] StorageClass: you may not read fast" in done.stdout, done.stdout + done.stderr


def test_a_model_that_does_not_come_up_is_undone_and_its_claim_stays(cluster):
    name = cluster.model()
    before = cluster.served(name)
    cluster.runtime(f"bad-{name}", annotations=CRASHES)
    words = written(
        "undone", "--in-place", "--runtime", f"{name}-rt", "--runtime-from", f"bad-{name}", "--wait-timeout", "2s"
    )
    done = cluster.run("apply", name, *words)
    assert done.returncode == 5, done.stderr
    assert cluster.served(name) == before
    assert "modelswitch.dev/artifact-digest" not in cluster.get(cluster.isvcs(name))["metadata"]["annotations"]
    assert cluster.get(f"{SERVING}/v1alpha1/namespaces/{NS}/servingruntimes/{name}-rt") is None
    assert cluster.claim("undone")
    assert (cluster.on_claim("undone", name) / "config.json").exists()
    said = [line for line in done.stderr.splitlines() if line.startswith(("undone", "stays"))]
    assert [line.split()[1] for line in said] == [
        "InferenceService",
        "ServingRuntime",
        "PersistentVolumeClaim",
        f"pvc://undone/{name}",
    ]


def test_a_copy_that_fails_says_why_and_leaves_only_the_claim(cluster):
    name = cluster.model(storageUri="s3://models/nothing/here")
    done = cluster.run("apply", name, *written("failed", "--in-place", "--runtime", f"{name}-rt"))
    assert done.returncode == 1
    assert "container copy ended with 1: no such key" in done.stderr
    assert cluster.loaders() == []
    assert cluster.claim("failed")
    assert cluster.served(name)["storageUri"] == "s3://models/nothing/here"


def test_an_api_server_that_is_away_for_a_moment_ends_no_copy(cluster):
    name = cluster.model()
    cluster.http.post("/_sim/faults", json={"answer": "500", "verb": "get", "resource": "jobs", "count": 4})
    done = cluster.run("apply", name, *written("away", "--in-place", "--runtime", f"{name}-rt"))
    cluster.http.delete("/_sim/faults")
    assert done.returncode == 0, done.stderr


def test_an_unexpected_digest_never_gets_to_its_place(cluster):
    name = cluster.model()
    words = written("digest", "--in-place", "--runtime", f"{name}-rt", "--expected-digest", f"sha256:{'0' * 64}")
    done = cluster.run("apply", name, *words)
    assert done.returncode == 1
    assert "another digest than expected" in done.stderr
    assert not cluster.on_claim("digest", name).exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--claim", "other/models"), "pods mount only their own namespace's claims"),
        (("--claim", "m", "--path", "../../etc"), "leaves its m"),
        (("--claim", "m", "--path", ".modelswitch/x"), "unfinished copies"),
        (("--claim", "m", "--size", "many"), "--size"),
        (("--claim", "m", "--access-mode", "RWX"), "--access-mode"),
        (("--claim", "m", "--from", "/nowhere/at/all"), "is no folder"),
    ],
)
def test_what_can_t_be_meant_is_refused_before_the_cluster_is_asked(cluster, words, said):
    done = cluster.run("apply", "any", "--in-place", *words, kubeconfig="there-is-none")
    assert done.returncode == 2
    assert said in done.stderr


def test_an_existing_claim_with_other_settings_is_refused_with_each_difference(cluster):
    name = cluster.model()
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "keep"}
    cluster.create(f"/api/v1/namespaces/{NS}/persistentvolumeclaims", {"metadata": {"name": "small"}, "spec": spec})
    cluster.changes()
    words = ("--claim", "small", "--size", "20Gi", "--storage-class", "fast", "--access-mode", "ReadWriteMany")
    done = cluster.run("apply", name, "--in-place", "--runtime", f"{name}-rt", *words)
    assert done.returncode == 1
    for said in ("wanted 20Gi", "wanted fast", "wanted ReadWriteMany"):
        assert said in done.stdout
    too_large = cluster.run(
        "apply", name, "--in-place", "--runtime", f"{name}-rt", "--claim", "small", "--artifact-size", "2Gi"
    )
    assert "[refused] size: the claim is too small: 1Gi for an artifact of 2Gi" in too_large.stdout
    assert cluster.changes() == []


def test_a_runtime_with_an_empty_dir_for_the_model_is_refused_without_a_copy(cluster):
    name = cluster.model()
    done = cluster.run("plan", name, *written("empty", "--in-place"))
    assert done.returncode == 1
    assert "[refused] runtime: ServingRuntime vllm mounts emptyDir models" in done.stdout


def test_an_interrupt_undoes_nothing_and_the_next_run_goes_on(cluster, tmp_path):
    name = cluster.model()
    cluster.runtime(f"slow-{name}", annotations={"sim.modelswitch.dev/start-seconds": "4"})
    words = written("interrupted", "--in-place", "--runtime", f"{name}-rt", "--runtime-from", f"slow-{name}")
    log = tmp_path / "log"
    line = [sys.executable, "-m", "events.cli.main", "pvc", "apply", name, "-n", NS, *words, "--yes"]
    with log.open("w") as output:
        ours = environment("http://127.0.0.1:9", KUBECONFIG=str(cluster.kubeconfig))
        running = subprocess.Popen(line, cwd=ROOT, env=ours, stdout=subprocess.DEVNULL, stderr=output)
    wait_for(lambda: "with the claim are ready" in log.read_text(), f"it waits for the model: {log.read_text()}")
    running.send_signal(signal.SIGINT)
    assert running.wait(10) == 130
    assert "run the same command again to continue" in log.read_text()
    assert cluster.served(name)["storageUri"] == f"pvc://interrupted/{name}"
    with receiving() as sink:
        done = cluster.run("apply", name, *words, "--sink", sink.url)
    assert done.returncode == 0, done.stderr
    assert len(sink.arrived) == 1, "what the first run did not come to is told by the second"


def test_a_loader_of_an_interrupted_run_that_has_done_its_work_goes(cluster):
    name = cluster.model()
    words = written("leftover", "--name", f"{name}-pvc", "--runtime", f"{name}-rt")
    plan = json.loads(cluster.run("plan", name, *words, "--json").stdout)
    assert cluster.run("apply", name, *words).returncode == 0
    (job,) = [change["after"] for change in plan["changes"] if change["what"].startswith("Job")]
    cluster.create(f"/apis/batch/v1/namespaces/{NS}/jobs", job)
    done = cluster.run("apply", name, *words)
    assert done.returncode == 0, done.stderr
    assert "of an earlier run: finished and deleted" in done.stderr
    assert cluster.loaders() == []


def test_without_the_extra_it_says_how_to_get_it():
    """`None` in sys.modules is how Python itself says that a module is not to be found."""
    program = "import sys; sys.modules['kubernetes'] = None; from events.cli.main import run; run()"
    words = ["pvc", "plan", "team/any", "--claim", "m", "--in-place"]
    done = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "pip install 'modelswitch[functions]'" in done.stderr
