"""CloudEvents to the real functions-framework processes, over a simulated cluster and a real Redis."""

import base64
import contextlib
import json
from pathlib import Path

import pytest
import redis
from function_process import HTTP, START, STOP, forking, free_port, function, until

MODEL = "namespaces/fraud/inferenceservices/scorer"
PATHS = "/apis/serving.kserve.io/v1beta1/namespaces/{}/inferenceservices"


class Cluster:
    """The simulated API server, with KServe's simulated controller at work."""

    def __init__(self, url: str, kubeconfig: Path) -> None:
        self.url = url
        self.kubeconfig = kubeconfig

    def namespace(self, name: str, **labels: str) -> None:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        HTTP.post(f"{self.url}/api/v1/namespaces", json=body).raise_for_status()

    def claim(self, name: str, files: str, namespace: str = "fraud") -> None:
        """`files`: what is in it, separated by spaces."""
        metadata = {"name": name, "annotations": {"sim.modelswitch.dev/files": files}}
        body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": {}}
        path = f"{self.url}/api/v1/namespaces/{namespace}/persistentvolumeclaims"
        if HTTP.post(path, json=body).status_code == 409:
            patch = {"metadata": {"annotations": metadata["annotations"]}}
            headers = {"content-type": "application/merge-patch+json"}
            HTTP.patch(f"{path}/{name}", json=patch, headers=headers).raise_for_status()

    def model(self, name: str, namespace: str = "fraud", uri: str | None = None, **annotations: str) -> None:
        container = {"name": "kserve-container", "image": "local/model:1"}
        volumes = []
        if uri:
            claim, _, folder = uri.removeprefix("pvc://").partition("/")
            container["env"] = [{"name": "STORAGE_URI", "value": uri}]
            container["volumeMounts"] = [{"name": "model", "mountPath": "/mnt/models", "subPath": folder}]
            volumes = [{"name": "model", "persistentVolumeClaim": {"claimName": claim}}]
        body = {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {
                "name": name,
                "annotations": {"serving.kserve.io/deploymentMode": "Standard"} | annotations,
            },
            "spec": {"predictor": {"containers": [container], **({"volumes": volumes} if volumes else {})}},
        }
        HTTP.post(self.url + PATHS.format(namespace), json=body).raise_for_status()
        until(lambda: self.ready(name, namespace), f"{name} is ready")

    def get(self, name: str, namespace: str = "fraud") -> dict:
        return HTTP.get(f"{self.url}{PATHS.format(namespace)}/{name}").json()

    def annotations(self) -> dict:
        items = HTTP.get(f"{self.url}/apis/serving.kserve.io/v1beta1/inferenceservices").json()["items"]
        return {item["metadata"]["uid"]: item["metadata"].get("annotations") for item in items}

    def ready(self, name: str, namespace: str = "fraud") -> bool:
        conditions = (self.get(name, namespace).get("status") or {}).get("conditions") or []
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    def stop_annotation(self, name: str, namespace: str = "fraud") -> str | None:
        annotations = self.get(name, namespace)["metadata"].get("annotations") or {}
        return annotations.get("serving.kserve.io/stop")

    def pods(self, name: str, namespace: str = "fraud") -> list[dict]:
        query = {"labelSelector": f"serving.kserve.io/inferenceservice={name}"}
        return HTTP.get(f"{self.url}/api/v1/namespaces/{namespace}/pods", params=query).json()["items"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cluster")
    port, kubeconfig = free_port(), folder / "kubeconfig"
    serve = ["--port", str(port), "--kubeconfig-out", str(kubeconfig)]
    with contextlib.ExitStack() as stack:
        stack.enter_context(forking("functions.local.kubernetes", serve, folder / "api.log", {}))
        until(kubeconfig.exists, "the simulated API is up")
        control = {"KUBECONFIG": str(kubeconfig)}
        stack.enter_context(forking("functions.local.kserve", [], folder / "kserve.log", control))
        made = Cluster(f"http://127.0.0.1:{port}", kubeconfig)
        made.namespace("fraud", **{"modelswitch.dev/events": "allow"})
        made.namespace("closed")
        yield made


@pytest.fixture(scope="module")
def functions(cluster, redis_server, tmp_path_factory):
    """Every function, started once."""
    folder = tmp_path_factory.mktemp("functions")
    nobody_listens = "http://127.0.0.1:1"  # so that events wait in the outbox, where tests read them
    env = {"KUBECONFIG": str(cluster.kubeconfig), "REDIS_URL": redis_server, "K_SINK": nobody_listens}
    names = ("command", "stop", "start", "reload", "artifact_written", "pod_status", "tick", "dead_letter")
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(function(name, folder / f"{name}.log", env)) for name in names}


def entries_of(client, *names: str) -> list[dict]:
    """Of the streams whose names begin so, oldest first."""
    keys = [
        key
        for name in names
        for key in client.scan_iter(f"{{modelswitch}}:{name}*")
        if client.type(key) == "stream" and key.removeprefix(f"{{modelswitch}}:{name}")[:1] in {"", ":", "."}
    ]
    found = [entry for key in keys for entry in client.xrange(key)]
    return [fields for _, fields in sorted(found, key=lambda one: tuple(map(int, one[0].split("-"))))]


@pytest.fixture
def audit(redis_url):
    """What the audit holds, as dicts, oldest first."""
    with redis.from_url(redis_url, decode_responses=True) as client:
        yield lambda: [
            json.loads(fields["d"]) | ({"letter": fields["l"]} if "l" in fields else {})
            for fields in entries_of(client, "history", "refusals")
        ]


@pytest.fixture
def events(redis_url):
    with redis.from_url(redis_url, decode_responses=True) as client:
        yield lambda: [json.loads(fields["d"]) for fields in entries_of(client, "outbox:f", "outbox:c")]


def ping(functions) -> None:
    functions["tick"].send("dev.knative.sources.ping", None, id="ping").raise_for_status()


def record(redis_url: str, subject: str) -> dict:
    with redis.from_url(redis_url, decode_responses=True) as client:
        return json.loads(client.hget("{modelswitch}:model:" + subject, "doc") or "{}")


def test_one_function_takes_every_command(cluster, functions, redis_url):
    """All commands of a model come by one ordered Trigger, and so to one function."""
    cluster.model("commanded")
    subject = "namespaces/fraud/inferenceservices/commanded"
    assert functions["command"].send(STOP, subject, id="one-stop").status_code == 202
    assert cluster.stop_annotation("commanded") == "true"
    until(lambda: ping(functions) or record(redis_url, subject).get("state") == "stopped", "stopped is shown")
    assert functions["command"].send(START, subject, id="one-start").status_code == 202
    assert cluster.stop_annotation("commanded") is None
    assert functions["command"].send("dev.modelswitch.model.stopped.v1", subject, id="no-command").status_code == 422


def test_an_event_stops_the_model_and_the_next_ticks_show_it_stopped(cluster, functions, redis_url, audit):
    cluster.model("scorer")
    ping(functions)
    answer = functions["stop"].send(STOP, MODEL, {"reason": "drift"}, id="s1")
    assert (answer.status_code, answer.content) == (202, b"")
    assert cluster.stop_annotation("scorer") == "true"
    until(lambda: not cluster.pods("scorer"), "no pod is left")
    until(lambda: ping(functions) or record(redis_url, MODEL).get("state") == "stopped", "stopped is shown")
    receipt = record(redis_url, MODEL)["receipt"]
    assert receipt["pods"] == 1
    assert [entry["action"] for entry in audit() if entry.get("event_id") == "s1"] == ["stop"]


def test_structured_mode_works_like_binary_mode(cluster, functions, redis_url):
    cluster.model("structured")
    event = {
        "specversion": "1.0",
        "id": "s2",
        "source": "/test",
        "type": STOP,
        "subject": "namespaces/fraud/inferenceservices/structured",
        "datacontenttype": "application/json",
        "data": {"graceful": False},
    }
    answer = functions["stop"].post(json.dumps(event).encode(), content_type="application/cloudevents+json")
    assert answer.status_code == 202
    assert cluster.stop_annotation("structured") == "true"


def test_a_pod_event_makes_the_record_follow_at_once(cluster, functions, redis_url):
    cluster.model("followed")
    (pod,) = cluster.pods("followed")
    extensions = {"kind": "Pod", "apiversion": "v1", "name": pod["metadata"]["name"], "namespace": "fraud"}
    answer = functions["pod_status"].send("dev.knative.apiserver.resource.update", "x", pod, **extensions)
    assert answer.status_code == 202
    assert record(redis_url, "namespaces/fraud/inferenceservices/followed")["state"] == "running"


def test_a_duplicate_changes_nothing_even_after_a_start(cluster, functions, redis_url):
    cluster.model("twice")
    subject = "namespaces/fraud/inferenceservices/twice"
    functions["stop"].send(STOP, subject, id="first")
    until(lambda: not cluster.pods("twice"), "no pod is left")
    functions["start"].send(START, subject, id="second")
    until(lambda: ping(functions) or cluster.ready("twice"), "it runs again")
    assert functions["stop"].send(STOP, subject, id="first").status_code == 202
    assert cluster.stop_annotation("twice") is None


def test_a_namespace_that_did_not_opt_in_takes_no_commands(cluster, functions, audit, events):
    cluster.model("private", "closed")
    answer = functions["stop"].send(STOP, "namespaces/closed/inferenceservices/private", id="s9")
    assert answer.status_code == 202
    assert cluster.stop_annotation("private", "closed") is None
    assert audit()[-1]["code"] == "EventsNotAllowed"
    assert events() == []


def test_an_expired_command_is_dropped_and_said(cluster, functions, audit):
    cluster.model("late")
    subject = "namespaces/fraud/inferenceservices/late"
    functions["stop"].send(STOP, subject, id="old", expirytime="2026-01-01T00:00:00Z")
    assert cluster.stop_annotation("late") is None
    assert audit()[-1]["code"] == "Expired"


BAD = {
    "no body": lambda f: f.post(b"", content_type="application/cloudevents+json"),
    "no attributes": lambda f: f.post(b"{}", content_type="application/json"),
    "wrong type": lambda f: f.send("dev.modelswitch.model.started.v1", MODEL),
    "unknown type": lambda f: f.send("com.example.other", MODEL),
    "unknown field": lambda f: f.send(STOP, MODEL, {"force": True}),
    "wrong value": lambda f: f.send(STOP, MODEL, {"timeout": "soon"}),
    "1 MiB and a byte": lambda f: f.send(STOP, MODEL, {"reason": "x" * 1024 * 1024}),
    "a name with a slash": lambda f: f.send(STOP, "namespaces/fraud/inferenceservices/a/b"),
    "no subject": lambda f: f.send(STOP, None),
    "a batch": lambda f: f.post(b"[]", content_type="application/cloudevents-batch+json"),
    "a wrong specversion": lambda f: f.send(STOP, MODEL, specversion="0.2"),
    "broken JSON in binary mode": lambda f: f.post(
        b"{broken",
        content_type="application/json",
        ce_specversion="1.0",
        ce_id="1",
        ce_source="/t",
        ce_type=STOP,
        ce_subject=MODEL,
    ),
    "broken JSON in structured mode": lambda f: f.post(b"{broken", content_type="application/cloudevents+json"),
    "another method": lambda f: HTTP.put(f.url, content=b""),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_gets_a_4xx_with_a_reason_and_changes_nothing(what, cluster, functions, redis_url):
    before = cluster.annotations()
    answer = BAD[what](functions["stop"])
    assert 400 <= answer.status_code < 500
    problem = answer.json()
    assert problem["detail"]
    assert problem["next_action"]
    assert "Traceback" not in answer.text
    assert cluster.annotations() == before


def test_bad_input_is_counted_and_logged(functions, redis_url):
    functions["stop"].send(STOP, MODEL, {"force": True}, id="bad-1")
    metrics = HTTP.get(f"{functions['stop'].url}/metrics").text
    assert 'modelswitch_events_total{function="stop",outcome="ImpossibleEvent"}' in metrics
    assert "bad-1" in functions["stop"].log.read_text()


@pytest.fixture
def letters(redis_url):
    """The events that are kept, as dicts, by their places."""
    with redis.from_url(redis_url, decode_responses=True) as client:
        keys = [("{modelswitch}:letters", "."), ("{modelswitch}:letters:fraud", ".fraud")]
        yield lambda: {
            f"{place}{end}": json.loads(fields["d"]) for key, end in keys for place, fields in client.xrange(key)
        }


def test_what_can_never_work_is_audited_as_poison_with_what_it_carried(functions, audit, letters):
    functions["stop"].send(STOP, MODEL, {"force": True}, id="poison-1", correlationid="c-1")
    [entry] = audit()
    assert (entry["action"], entry["event_id"], entry["correlation_id"]) == ("poison", "poison-1", "c-1")
    assert (entry["ref"], entry["source"], entry["actor"]) == (MODEL, "/test", "event:/test")
    assert letters()[entry["letter"]] == {
        "schema": 1,
        "type": STOP,
        "subject": MODEL,
        "data": {"force": True},
        "size": 14,
    }


def test_a_refused_event_that_can_be_read_is_kept_too(functions, audit, letters):
    """400: a command without data. What is no event at all is only answered."""
    headers = {"ce_specversion": "1.0", "ce_id": "empty-1", "ce_source": "/test", "ce_type": STOP, "ce_subject": MODEL}
    assert functions["stop"].post(b"", **headers).status_code == 400
    assert functions["stop"].post(b"{", content_type="application/cloudevents+json").status_code == 400
    assert [(entry["code"], entry["event_id"]) for entry in audit()] == [("MalformedEvent", "empty-1")]
    assert list(letters().values()) == [{"schema": 1, "type": STOP, "subject": MODEL}]


def test_a_dead_letter_is_written_into_the_audit_with_its_data(functions, audit, letters):
    data = {"reason": "night", "timeout": "90s"}
    answer = functions["dead_letter"].send(STOP, MODEL, data, id="dead-1", knativeerrorcode="503", correlationid="c-1")
    assert answer.status_code == 202
    [entry] = audit()
    assert (entry["action"], entry["event_id"], entry["code"]) == ("dead-letter", "dead-1", "503")
    assert (entry["correlation_id"], entry["ref"]) == ("c-1", MODEL)
    assert letters()[entry["letter"]]["data"] == data


def test_dead_letters_are_recorded_without_any_access_to_a_cluster(redis_url, audit, tmp_path):
    """Its pod has no account's token: what is POSTed there can't reach the API server, whatever is wrong with it."""
    env = {"KUBECONFIG": str(tmp_path / "none"), "REDIS_URL": redis_url}
    with function("dead_letter", tmp_path / "dead_letter.log", env) as sink:
        assert sink.send(STOP, MODEL, id="dead-3").status_code == 202
    assert [entry["event_id"] for entry in audit()] == ["dead-3"]


def test_a_correlation_id_that_is_a_number_is_kept_as_text(functions, audit):
    event = {"specversion": "1.0", "id": "n-1", "source": "/test", "type": STOP, "subject": MODEL, "correlationid": 7}
    for name in ("dead_letter", "start"):
        body = json.dumps({**event, "data": {}}).encode()
        functions[name].post(body, content_type="application/cloudevents+json")
    assert [entry["correlation_id"] for entry in audit()] == ["7", "7"]


def test_of_a_dead_letter_that_is_too_big_its_size_is_kept(functions, audit, letters):
    functions["dead_letter"].send(STOP, MODEL, {"reason": "x" * 20_000}, id="dead-2").raise_for_status()
    kept = letters()[audit()[-1]["letter"]]
    assert (kept["size"], "data" in kept) == (20_013, False)


@pytest.mark.parametrize("what", [what for what in BAD if what != "another method"])
def test_the_dead_letter_function_records_what_the_functions_refuse(what, functions, audit, letters):
    """A broker drops what its dead-letter sink refuses, or answers 500 to the publisher."""
    answer = BAD[what](functions["dead_letter"])
    assert (answer.status_code, answer.content) == (202, b"")
    [entry] = audit()
    assert (entry["action"], bool(entry["code"]), entry["letter"] in letters()) == ("dead-letter", True, True)


def test_a_dead_letter_that_can_t_be_read_is_kept_as_bytes_with_what_its_headers_say(functions, audit, letters):
    headers = {"ce_specversion": "1.0", "ce_id": "b-1", "ce_source": "/ci", "ce_type": STOP, "ce_subject": MODEL}
    sent = {"content_type": "application/json", "ce_knativeerrorcode": "400", **headers}
    assert functions["dead_letter"].post(b'{"reason": \xff"', **sent).status_code == 202
    [entry] = audit()
    assert (entry["event_id"], entry["ref"], entry["actor"], entry["code"]) == ("b-1", MODEL, "event:/ci", "400")
    assert "broken JSON" in entry["message"]
    letter = letters()[entry["letter"]]
    assert (base64.b64decode(letter["raw"]), letter["size"]) == (b'{"reason": \xff"', 13)


def test_of_two_megabytes_the_beginning_is_kept(functions, audit, letters):
    assert functions["dead_letter"].send(STOP, MODEL, {"reason": "x" * 2_000_000}, id="huge").status_code == 202
    [entry] = audit()
    letter = letters()[entry["letter"]]
    assert (entry["event_id"], entry["ref"], letter["size"]) == ("huge", MODEL, 2_000_013)
    assert base64.b64decode(letter["raw"]) == b'{"reason":"' + b"x" * (12 * 1024 - 11)


def test_of_another_s_event_that_can_t_be_read_no_content_is_kept(functions, audit, letters):
    headers = {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "/k", "content_type": "application/json"}
    functions["dead_letter"].post(b'{"secret": ', ce_type="dev.knative.apiserver.resource.add", **headers)
    [entry] = audit()
    assert "raw" not in letters().get(entry["letter"], {})


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("dev.modelswitch.model.stop-requested", STOP),
        ("dev.modelswitch.model.stopRequested.v1", STOP),
        ("model.start-requested.v1", START),
        ("com.example.other", "those of commands are"),
    ],
)
def test_an_event_of_a_type_that_no_function_takes_is_recorded_with_the_type_that_may_be_meant(
    sent, meant, functions, audit
):
    assert functions["dead_letter"].send(sent, MODEL, id="typo").status_code == 202
    [entry] = audit()
    assert (entry["code"], entry["ref"], entry["event_id"]) == ("ImpossibleEvent", MODEL, "typo")
    assert sent in entry["message"]
    assert meant in entry["message"]


def test_redis_away_is_503_with_retry_after_and_nothing_is_half_done(cluster, tmp_path):
    cluster.model("waiting")
    env = {"KUBECONFIG": str(cluster.kubeconfig), "REDIS_URL": "redis://127.0.0.1:1/0"}
    with function("stop", tmp_path / "stop.log", env) as stop:
        answer = stop.send(STOP, "namespaces/fraud/inferenceservices/waiting")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["code"] == "StoreUnavailable"
    assert cluster.stop_annotation("waiting") is None


def test_the_cluster_away_is_503_and_the_same_event_works_when_it_is_back(cluster, functions, redis_url, tmp_path):
    """The process that was killed may have held the model's lease: then the timer carries the command out once that
    ends.
    """
    cluster.model("patient")
    subject = "namespaces/fraud/inferenceservices/patient"
    broken = tmp_path / "kubeconfig"
    broken.write_text(cluster.kubeconfig.read_text().replace(cluster.url, "http://127.0.0.1:1"))
    with function("stop", tmp_path / "away.log", {"KUBECONFIG": str(broken), "REDIS_URL": redis_url}) as stop:
        answer = stop.send(STOP, subject)
        assert (answer.status_code, answer.json()["code"]) == (503, "ClusterUnavailable")
        assert "retry-after" in answer.headers
    env = {"KUBECONFIG": str(cluster.kubeconfig), "REDIS_URL": redis_url}
    with function("stop", tmp_path / "back.log", env) as stop:
        assert stop.send(STOP, subject).status_code == 202
    until(lambda: ping(functions) or cluster.stop_annotation("patient") == "true", "the command is carried out")


WRITTEN = "dev.modelswitch.artifact.written.v1"
DIGEST = f"sha256:{'1' * 64}"


def written(uri: str, **changes) -> dict:
    return {"uri": uri, "namespace": "fraud", "digest": DIGEST, "size": 10, "written_by": "training", **changes}


def requests_for(events) -> list[dict]:
    """The reload requests in the outbox, each once."""
    found = {event["id"]: event for event in events() if event["type"].endswith("reload-requested.v1")}
    return list(found.values())


def test_an_artifact_that_comes_late_is_loaded_once_and_verified(cluster, functions, redis_url, events):
    subject = "namespaces/fraud/inferenceservices/tardy"
    cluster.claim("tardy", "another/model.pkl")
    cluster.model("tardy", uri="pvc://tardy/scorer")
    until(lambda: ping(functions) or record(redis_url, subject).get("reason") == "ModelMissing", "it is missing")
    cluster.claim("tardy", "scorer/model.pkl")
    for _ in range(5):
        functions["artifact_written"].send(WRITTEN, None, written("pvc://tardy/scorer"), id="w1").raise_for_status()
    (request,) = requests_for(events)
    assert (request["subject"], request["data"]["artifact"]["digest"]) == (subject, DIGEST)
    before = cluster.get("tardy")["metadata"]["generation"]
    pods = {pod["metadata"]["uid"] for pod in cluster.pods("tardy")}
    for _ in range(5):
        functions["reload"].send(request["type"], subject, request["data"], id=request["id"]).raise_for_status()
    until(lambda: ping(functions) or record(redis_url, subject).get("loaded"), "it is loaded")
    assert record(redis_url, subject)["state"] == "running"
    assert cluster.get("tardy")["metadata"]["generation"] == before
    until(lambda: len(cluster.pods("tardy")) == 1, "the old pod is gone")
    assert pods.isdisjoint(pod["metadata"]["uid"] for pod in cluster.pods("tardy"))
    assert [event["data"]["digest"] for event in events() if event["type"].endswith("reloaded.v1")] == [DIGEST]


def test_a_model_whose_owner_wants_it_runs_only_once_it_predicts(cluster, functions, redis_url, events):
    subject = "namespaces/fraud/inferenceservices/careful"
    smoke_test = json.dumps({"payload": {"instances": [[1]]}, "expect": {"predictions": [0]}})
    annotations = {"modelswitch.dev/smoke-test": smoke_test, "sim.modelswitch.dev/model": "broken"}
    cluster.model("careful", **annotations)
    until(
        lambda: ping(functions) or record(redis_url, subject).get("reason") == "SmokeTestFailed", "its smoke test fails"
    )
    assert "500 ValueError" in record(redis_url, subject)["message"]
    (pod,) = cluster.pods("careful")
    url = f"{cluster.url}/api/v1/namespaces/fraud/pods/{pod['metadata']['name']}"
    headers = {"content-type": "application/merge-patch+json"}
    body = {"metadata": {"annotations": {"sim.modelswitch.dev/model": None}}}
    HTTP.patch(url, json=body, headers=headers).raise_for_status()
    until(lambda: ping(functions) or record(redis_url, subject)["state"] == "running", "it heals by itself")
    (tried,) = record(redis_url, subject)["smoke_tests"].values()
    assert (tried["outcome"], tried.get("again_at")) == ("good", None)
    assert [event["type"] for event in events() if event["subject"] == subject][-1].endswith("started.v1")


def test_an_object_stores_own_words_are_taken(cluster, functions, redis_url, events):
    cluster.model("bucketed", uri=None)
    patch = [{"name": "STORAGE_URI", "value": "s3://ml/bucketed/model.pkl"}]
    body = {
        "spec": {"predictor": {"containers": [{"name": "kserve-container", "image": "local/model:1", "env": patch}]}}
    }
    url = f"{cluster.url}{PATHS.format('fraud')}/bucketed"
    HTTP.patch(url, json=body, headers={"content-type": "application/merge-patch+json"}).raise_for_status()
    subject = "namespaces/fraud/inferenceservices/bucketed"
    until(lambda: ping(functions) or record(redis_url, subject).get("artifacts"), "its artifact is known")
    stored = {"key": "bucketed/model.pkl", "size": 9, "eTag": "abc", "sequencer": "1"}
    told = {"eventName": "s3:ObjectCreated:Put", "s3": {"bucket": {"name": "ml"}, "object": stored}}
    answer = functions["artifact_written"].post(
        json.dumps({"Records": [told]}).encode(), content_type="application/json"
    )
    assert answer.status_code == 202
    (request,) = [event for event in requests_for(events) if event["subject"] == subject]
    assert request["data"]["artifact"]["digest"] == "etag:abc"
    assert request["data"]["settle"] == "15s"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (written("ftp://host/a"), "no scheme that KServe loads from"),
        (written("pvc://models/../other"), "must not have"),
        (written("pvc://nobodys/scorer"), "not in namespace fraud"),
        (written("pvc://models/a", namespace=None), "name the namespace"),
        (written("pvc://models/a", expected_digest=f"sha256:{'2' * 64}"), "expected sha256:2222"),
        (written("pvc://models/a", expected_size=11), "expected 11"),
    ],
)
def test_a_bad_writing_is_refused_with_the_reason_and_audited(cluster, functions, audit, data, words):
    ping(functions)
    answer = functions["artifact_written"].send(WRITTEN, None, data, id="bad")
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert (audit()[-1]["action"], audit()[-1]["event_id"]) == ("poison", "bad")
    assert words in audit()[-1]["message"]


def test_a_subject_that_names_another_artifact_than_the_data_is_refused(cluster, functions):
    answer = functions["artifact_written"].send(WRITTEN, "artifacts/pvc://other/a", written("pvc://models/a"), id="lie")
    assert (answer.status_code, answer.json()["code"]) == (422, "ImpossibleEvent")
