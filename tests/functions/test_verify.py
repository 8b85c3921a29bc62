"""`modelswitch verify`, the real command, against the simulated API server and KServe's simulated controllers."""

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from itertools import count

import pytest
import yaml
from api_rig import ROOT, SERVING, prepare, wait_for
from cli_process import command, environment

from functions.local.kubernetes.server import write_kubeconfig

MODEL = "sim.modelswitch.dev/model"
NUMBERS = count(1)


@dataclass
class Place:
    """A namespace of its own, and the command looking at it."""

    world: object
    namespace: str

    def make(self, name, *, kind="inferenceservices", annotations=(), spec=None):
        mode = {"serving.kserve.io/deploymentMode": "Standard"}
        model = {"modelFormat": {"name": "sklearn"}, "runtime": "sklearn", "storageUri": "gs://models/iris"}
        version = "v1beta1" if kind == "inferenceservices" else "v1alpha1"
        body = {
            "metadata": {"name": name, "annotations": {**mode, **dict(annotations)}},
            "spec": spec or {"predictor": {"model": model}},
        }
        self.post(f"{SERVING}/{version}/namespaces/{self.namespace}/{kind}", body)
        return name

    def ready(self, *names):
        for name in names:
            wait_for(lambda name=name: self.world.ready(self.namespace, name), f"{name} is ready")

    def smoke_test(self, name, payload='{"instances": [[1], [2]]}', **data):
        body = {"metadata": {"name": f"modelswitch-smoke-test-{name}"}, "data": {"payload": payload, **data}}
        self.post(f"/api/v1/namespaces/{self.namespace}/configmaps", body)

    def post(self, path, body):
        answer = self.world.cluster.post(path, json=body)
        assert answer.status_code == 201, answer.text

    def annotate(self, name, **changes):
        path = f"{SERVING}/v1beta1/namespaces/{self.namespace}/inferenceservices/{name}"
        body = json.dumps({"metadata": {"annotations": changes}})
        self.world.cluster.patch(
            path, content=body, headers={"content-type": "application/merge-patch+json"}
        ).raise_for_status()

    def pods(self):
        return self.world.cluster.get(f"/api/v1/namespaces/{self.namespace}/pods").json()["items"]

    def old_enough(self):
        """Until a server without its model has had time to load it: what then is missing stays so."""
        for pod in self.pods():
            for condition in pod["status"]["conditions"]:
                condition["lastTransitionTime"] = "2026-01-01T00:00:00Z"
            path = f"/api/v1/namespaces/{self.namespace}/pods/{pod['metadata']['name']}/status"
            body = json.dumps({"status": {"conditions": pod["status"]["conditions"]}})
            self.world.cluster.patch(
                path, content=body, headers={"content-type": "application/merge-patch+json"}
            ).raise_for_status()

    def verify(self, *words, **extra):
        settings = {"KUBECONFIG": str(self.world.kubeconfig), **extra}
        return command("http://127.0.0.1:9", "verify", "-n", self.namespace, *words, **settings)

    def rows(self, *words):
        done = self.verify("--json", *words)
        return done.returncode, {row["name"]: row for row in json.loads(done.stdout)["items"]}


@pytest.fixture
def place(world):
    name = f"verify-{next(NUMBERS)}"
    prepare(world.cluster, name)
    return Place(world, name)


def test_ready_without_its_model_is_a_difference_with_what_to_do_and_the_probe_to_add(place):
    place.make("good")
    place.make("empty", annotations={MODEL: "missing"})
    place.ready("good", "empty")
    place.old_enough()
    done = place.verify()
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["MODEL", "KSERVE", "SAYS", "PODS", "SAY", "PREDICTION", "SAYS", "VERDICT"]
    assert lines[1].split() == [f"{place.namespace}/empty", "Ready", "missing", "1/1", "not", "asked", "DIFFERS"]
    assert lines[2].split() == [f"{place.namespace}/good", "Ready", "loaded", "1/1", "not", "asked", "answers"]
    assert "Model with name empty does not exist." in done.stdout
    assert (
        f"kubectl annotate inferenceservice -n {place.namespace} empty modelswitch.dev/artifact-digest" in done.stdout
    )
    assert f"of ServingRuntime {place.namespace}/sklearn" in done.stdout
    given = "\n".join(line for line in lines if line.startswith("    "))
    (container,) = yaml.safe_load(given)
    assert container["readinessProbe"]["httpGet"] == {"path": "/v1/models/{{.Name}}", "port": 8080}
    assert f"what KServe says is not so: {place.namespace}/empty (DIFFERS)" in done.stderr


def test_a_model_that_its_server_calls_otherwise_answers_and_takes_its_prediction(place):
    place.make("iris-prod", annotations={"sim.modelswitch.dev/model-name": "iris-v7"})
    place.smoke_test("iris-prod")
    place.ready("iris-prod")
    place.old_enough()
    code, rows = place.rows("--predict")
    assert (code, rows["iris-prod"]["verdict"], rows["iris-prod"]["pods_say"]) == (0, "answers", "loaded 1/1")


def test_a_vllm_that_was_put_to_sleep_is_no_difference_and_is_said_to_be_asleep(place):
    pod = {"containers": [{"name": "main", "image": "local/vllm:1"}]}
    spec = {"model": {"uri": "hf://example/llama", "name": "llama"}, "replicas": 1, "template": pod}
    spec |= {"annotations": {MODEL: "asleep"}, "router": {"scheduler": {}}}
    place.make("llama", kind="llminferenceservices", spec=spec)

    def answered():
        return place.rows("--kind", "LLMInferenceService")[1]["llama"]

    wait_for(lambda: answered()["verdict"] == "asleep", "it is ready and asleep")
    row = answered()
    assert row["pods_say"] == "asleep 1/1"
    assert "/wake_up" in row["message"]


def test_what_is_stopped_or_can_not_be_asked_is_no_difference_and_is_said(place):
    place.make("running")
    place.make("silent", spec=grpc())
    place.make("off", annotations={"serving.kserve.io/stop": "true"})
    place.ready("running", "silent")
    wait_for(lambda: stopped(place, "off"), "KServe says Stopped")
    code, rows = place.rows()
    assert code == 0
    said = {name: (row["kserve_says"], row["pods_say"], row["verdict"]) for name, row in rows.items()}
    assert said == {
        "running": ("Ready", "loaded 1/1", "answers"),
        "silent": ("Ready", "cannot be asked 1/1", "unverified"),
        "off": ("Stopped", "no pod", "stopped"),
    }
    assert "speaks gRPC only" in rows["silent"]["message"]
    assert "Stopped outside modelswitch" in rows["off"]["message"]


def grpc():
    model = {
        "modelFormat": {"name": "sklearn"},
        "runtime": "sklearn",
        "storageUri": "gs://m/i",
        "protocolVersion": "grpc-v2",
    }
    return {"predictor": {"model": model}}


def stopped(place, name):
    conditions = place.world.get(place.namespace, name).get("status", {}).get("conditions", [])
    return any(one["type"] == "Stopped" and one["status"] == "True" for one in conditions)


def test_a_prediction_is_sent_only_when_asked_for(place):
    place.make("broken", annotations={MODEL: "broken"})
    place.smoke_test("broken")
    place.ready("broken")
    assert place.rows()[0] == 0, "nobody has predicted"
    code, rows = place.rows("--predict")
    assert (code, rows["broken"]["verdict"]) == (1, "differs")
    assert rows["broken"]["prediction"]["said"] == "500 ValueError : Found array with 0 feature(s)"
    assert "Read the predictor's log" in rows["broken"]["next_action"]


@pytest.mark.parametrize(
    ("smoke_test", "code", "said"),
    [
        ({}, 0, "200 {predictions: [2 of number]}"),
        ({"expect": '{"predictions": [0, 0]}'}, 0, "200 {predictions: [2 of number]}"),
        ({"expect": '{"predictions": [0]}'}, 1, "200, but predictions has 2 elements, expected 1"),
        (
            {"expect": '{"predictions": [], "anomaly_scores": []}'},
            1,
            "200, but the answer has no 'anomaly_scores'",
        ),
        (
            {"path": "/v2/models/one/infer"},
            0,
            "200 {model_name: string, outputs: [1 of {…}]}",
        ),
        ({"path": "/v1/models/another:predict"}, 1, '404 {"detail":"Not Found"}'),
        ({"payload": "[]"}, 1, "400 Unrecognized request format"),
        ({"payload": "{"}, 1, "its smoke test: `payload` is not JSON"),
        ({"path": "/v1/../../../namespaces/other"}, 1, "its smoke test: `path` is"),
    ],
)
def test_what_a_prediction_brings(place, smoke_test, code, said):
    place.make("one")
    place.smoke_test("one", **smoke_test)
    place.ready("one")
    ended, rows = place.rows("--predict", "one")
    assert said in rows["one"]["prediction"]["said"]
    assert ended == code


SMOKE_TEST = "modelswitch.dev/smoke-test"


@pytest.mark.parametrize(
    ("annotation", "code", "said"),
    [
        ('{"payload": {"instances": [[1]]}}', 0, "200 {predictions: [1 of number]}"),
        ('{"payload": {"instances": [[1]]}, "expect": {"predictions": [0, 0]}}', 1, "has 1 elements, expected 2"),
        ("configmap", 0, "200 {predictions: [2 of number]}"),
        ("ConfigMap", 0, "200 {predictions: [2 of number]}"),
        ("yes", 1, "its smoke test: it is neither `configmap` nor JSON"),
        ('{"instances": [[1]]}', 1, 'with a key "payload"'),
        ('{"payload": 1, "shape": []}', 1, "its smoke test: it has shape"),
    ],
)
def test_a_smoke_test_that_the_model_itself_carries_counts(place, annotation, code, said):
    place.make("one", annotations={SMOKE_TEST: annotation})
    if annotation.lower() == "configmap":
        place.smoke_test("one")
    place.ready("one")
    ended, rows = place.rows("--predict", "one")
    assert said in rows["one"]["prediction"]["said"]
    assert ended == code
    assert place.rows()[1]["one"]["verdict"] == "answers", "nobody has predicted"


def test_a_config_map_that_the_model_names_must_be_there(place):
    place.make("one", annotations={SMOKE_TEST: "configmap"})
    place.ready("one")
    code, rows = place.rows("--predict", "one")
    assert (code, rows["one"]["prediction"]["outcome"]) == (1, "unusable")
    assert "ConfigMap modelswitch-smoke-test-one of its smoke test was not found" in rows["one"]["prediction"]["said"]


def test_a_model_without_a_smoke_test_is_not_asked_for_a_prediction(place):
    place.make("one")
    place.ready("one")
    code, rows = place.rows("--predict")
    assert (code, rows["one"]["prediction"]["said"]) == (0, "no smoke test")


def test_a_graph_is_as_its_members_are(place):
    place.make("first", annotations={MODEL: "missing"})
    place.make(
        "route",
        kind="inferencegraphs",
        spec={"nodes": {"root": {"routerType": "Sequence", "steps": [{"serviceName": "first"}]}}},
    )
    place.ready("first")
    graph = f"{SERVING}/v1alpha1/namespaces/{place.namespace}/inferencegraphs/route"
    wait_for(lambda: "'True'" in str(place.world.cluster.get(graph).json().get("status")), "the router is ready")
    place.old_enough()
    code, rows = place.rows("--kind", "ig")
    assert (code, rows["route"]["verdict"], rows["route"]["pods_say"]) == (1, "differs", "members run 0/1")
    assert "first is error" in rows["route"]["message"]


def test_an_llm_lists_its_model_and_completes(place):
    spec = {"model": {"uri": "hf://facebook/opt-125m"}, "replicas": 1}
    place.make("llm", kind="llminferenceservices", spec=spec)
    place.smoke_test(
        "llm", payload='{"model": "llm", "prompt": "1 + 1 =", "max_tokens": 1}', expect='{"choices": [{}]}'
    )
    code, rows = place.rows("--wait", "20s", "--predict")
    assert (code, rows["llm"]["verdict"], rows["llm"]["pods_say"]) == (0, "answers", "loaded 1/1")
    assert rows["llm"]["prediction"]["path"] == "/v1/completions"


def test_a_name_that_is_not_there(place):
    done = place.verify("nobody")
    assert done.returncode == 1
    assert f"There is no InferenceService {place.namespace}/nobody" in done.stdout


def test_a_probe_that_asks_for_the_model_and_a_hook_that_waits_need_no_advice(place):
    probe = {"httpGet": {"path": "/v1/models/{{.Name}}", "port": 8080}}
    container = {"name": "kserve-container", "image": "sklearnserver", "readinessProbe": probe}
    container["lifecycle"] = {"preStop": {"sleep": {"seconds": 5}}}
    spec = {"supportedModelFormats": [{"name": "sklearn"}], "containers": [container]}
    runtimes = f"{SERVING}/v1alpha1/namespaces/{place.namespace}/servingruntimes"
    place.post(runtimes, {"metadata": {"name": "asking"}, "spec": spec})
    place.make(
        "one",
        spec={
            "predictor": {"model": {"modelFormat": {"name": "sklearn"}, "runtime": "asking", "storageUri": "gs://m/i"}}
        },
    )
    place.make("two")
    place.ready("one", "two")
    notification = place.verify().stdout
    assert f"do not ask for the model: ServingRuntime {place.namespace}/sklearn (--probes" in notification
    printed = place.verify("--probes").stdout
    assert "readinessProbe:" in printed
    assert "preStop:" in printed
    assert "preStop:" not in notification
    assert "asking" not in notification + printed


def test_nothing_of_redis_is_needed(place):
    place.make("one")
    place.ready("one")
    program = "import sys; sys.modules['redis'] = None; from events.cli.main import run; run()"
    done = started(place, "-n", place.namespace, program=program)
    out, _ = done.communicate(timeout=30)
    assert (done.returncode, "loaded 1/1" in out) == (0, True)


def started(place, *words, program="from events.cli.main import run; run()"):
    settings = environment("http://127.0.0.1:9", KUBECONFIG=str(place.world.kubeconfig))
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", program, "verify", *words], cwd=ROOT, env=settings, stdout=pipe, stderr=pipe, text=True
    )


def test_waiting_ends_when_the_model_is_there(place):
    place.make("late", annotations={MODEL: "missing"})
    place.ready("late")
    place.old_enough()
    waiting = started(place, "-n", place.namespace, "--wait", "60s")
    assert "late: DIFFERS: KServe says Ready, but" in waiting.stderr.readline()
    place.annotate("late", **{MODEL: None})
    out, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, err
    assert err.strip().endswith("late: answers")
    assert "loaded 1/1" in out


def test_waiting_for_what_does_not_come_times_out_with_the_reasons(place):
    place.make("empty", annotations={MODEL: "missing"})
    place.ready("empty")
    done = place.verify("--wait", "1s")
    assert done.returncode == 5
    assert "after 1s still not as it should be" in done.stderr
    assert "does not exist" in done.stdout


def test_an_interrupt_ends_it_cleanly(place):
    place.make("empty", annotations={MODEL: "missing"})
    place.ready("empty")
    waiting = started(place, "-n", place.namespace, "--wait", "10m")
    waiting.stderr.readline()
    waiting.send_signal(signal.SIGINT)
    _, err = waiting.communicate(timeout=10)
    assert waiting.returncode == 130
    assert "Traceback" not in err
    assert "it only reads" in err


def test_every_namespace_and_those_that_are_named(place):
    place.make("one")
    place.ready("one")
    everywhere = command("http://127.0.0.1:9", "verify", "-A", KUBECONFIG=str(place.world.kubeconfig))
    assert f"{place.namespace}/one" in everywhere.stdout
    named = command("http://127.0.0.1:9", "verify", f"{place.namespace}/one", KUBECONFIG=str(place.world.kubeconfig))
    assert named.returncode == 0, named.stderr


def test_who_may_not_read_is_told_which_right_it_needs(place, tmp_path):
    place.make("one")
    write_kubeconfig(tmp_path / "stranger", str(place.world.cluster.base_url), token="stranger-token")
    done = place.verify(KUBECONFIG=str(tmp_path / "stranger"))
    assert done.returncode == 4
    assert "Grant get and list" in done.stderr


def test_an_api_server_that_is_away(place, tmp_path):
    write_kubeconfig(tmp_path / "away", "http://127.0.0.1:9")
    assert place.verify(KUBECONFIG=str(tmp_path / "away")).returncode == 3


@pytest.mark.parametrize(
    "words", [(), ("-A", "some/one"), ("one",), ("-n", "x", "--kind", "pod"), ("-A", "--wait", "soon")]
)
def test_what_can_not_be_meant(words):
    assert command("http://127.0.0.1:9", "verify", *words, KUBECONFIG="/nowhere").returncode == 2


def test_without_the_extra_it_says_how_to_get_it(world):
    """`None` in sys.modules is how Python itself says that a module is not to be found."""
    program = "import sys; sys.modules['kubernetes'] = None; from events.cli.main import run; run()"
    done = started(Place(world, "any"), "-A", program=program)
    _, err = done.communicate(timeout=30)
    assert done.returncode == 2
    assert "pip install 'modelswitch[functions]'" in err
