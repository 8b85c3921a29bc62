"""Events in the forms in which brokers and SDKs deliver them, to the real functions."""

# ruff: noqa: F811 - fixtures of another file
import asyncio
import json

import pytest
import yaml
from broker_process import ROOT, Broker
from function_process import HTTP, SECRET, START, STOP, until
from test_functions import PATHS, WRITTEN, audit, cluster, functions, ping, record  # noqa: F401 - fixtures

from functions.local.broker.manifests import NOT_DEPLOYED

SOURCE = "/jobs/retrain%20daily"


def in_binary(function, subject: str, data: dict, **attributes: str) -> int:
    """With header values as bytes, exactly as given."""
    named = {"specversion": "1.0", "subject": subject, **attributes}
    headers = [(f"ce-{name}".encode(), value.encode()) for name, value in named.items()]
    body = json.dumps(data).encode()
    return HTTP.post(
        function.address, content=body, headers=[*headers, (b"content-type", b"application/json")], timeout=15
    ).status_code


def in_structured(function, subject: str, data: dict, **attributes: str) -> int:
    event = {"specversion": "1.0", "subject": subject, "data": data, **attributes}
    return function.post(json.dumps(event).encode(), content_type="application/cloudevents+json").status_code


@pytest.mark.parametrize("send", [in_structured, in_binary])
@pytest.mark.parametrize("source", [SOURCE, "/jobs/a%2Fb", "/jobs/100%25"])
def test_a_stop_is_done_and_recorded_with_the_source_and_id_that_were_sent(cluster, functions, audit, send, source):
    name = f"sent-{abs(hash((send, source)))}"
    cluster.model(name)
    given = {"id": "t2-ü", "source": source, "type": STOP}
    assert send(functions["command"], f"namespaces/fraud/inferenceservices/{name}", {}, **given) == 202
    assert cluster.stop_annotation(name) == "true"
    [entry] = [entry for entry in audit() if entry["action"] == "stop"]
    assert (entry["source"], entry["event_id"], entry["actor"]) == (source, "t2-ü", f"event:{source}")


@pytest.mark.parametrize("send", [in_structured, in_binary])
def test_an_artifact_with_escapes_is_taken(functions, audit, send):
    data = {"uri": "s3://bucket/my%20model", "digest": "etag:abc", "size": 1}
    given = {"id": "e1", "source": "/jobs/x", "type": WRITTEN}
    functions["tick"].send("dev.knative.sources.ping", None, id="ping").raise_for_status()
    assert send(functions["artifact_written"], "artifacts/s3://bucket/my%20model", data, **given) == 202
    [entry] = [entry for entry in audit() if entry["action"] == "artifact-written"]
    assert entry["message"].startswith("s3://bucket/my%20model (etag:abc")


def loading(cluster, name: str, uri: str) -> None:
    """A running model that loads from there."""
    container = {"name": "kserve-container", "image": "m:1", "env": [{"name": "STORAGE_URI", "value": uri}]}
    metadata = {"name": name, "annotations": {"serving.kserve.io/deploymentMode": "Standard"}}
    body = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": metadata,
        "spec": {"predictor": {"containers": [container]}},
    }
    HTTP.post(cluster.url + PATHS.format("fraud"), json=body).raise_for_status()
    until(lambda: cluster.ready(name), f"{name} is ready")


def written(functions, audit, uri: str) -> str:
    """What the audit says of an artifact that was written there."""
    functions["tick"].send("dev.knative.sources.ping", None, id="ping").raise_for_status()
    data = {"uri": uri, "digest": "etag:abc", "size": 1}
    sent = functions["artifact_written"].send(WRITTEN, None, data, id=f"written {uri}"[:60])
    assert sent.status_code == 202, sent.text
    return [entry for entry in audit() if entry["action"] == "artifact-written"][-1]["message"]


@pytest.mark.parametrize(
    ("loaded", "uri"),
    [
        ("hf://org/one:v1", "hf://org/one:v1"),
        ("oci://registry/two:1", "OCI://Registry/two:1@sha256:abc"),
        ("gs://bucket/three", "gcs://bucket/three"),
        ("https://x.blob.core.windows.net/c/four?se=1&sig=secret", "https://x.blob.core.windows.net/c/four?sig=other"),
        ("s3://bucket/five%20a", "S3://bucket/five%20a/model.bin"),
    ],
)
def test_an_artifact_reaches_the_model_however_its_uri_is_written(cluster, functions, audit, loaded, uri):
    name = f"loads-{abs(hash(uri))}"
    loading(cluster, name, loaded)
    message = written(functions, audit, uri)
    assert message.endswith(f"is loaded by {name}")
    assert "secret" not in message


def test_an_artifact_that_no_model_loads_says_so_and_which_loads_another_version(cluster, functions, audit):
    loading(cluster, "revised", "hf://org/six:v1")
    loading(cluster, "pinned", "oci://registry/seven:1@sha256:old")
    assert "is loaded by no model: fraud/revised loads hf://org/six:v1" in written(functions, audit, "hf://org/six")
    assert "fraud/pinned loads oci://registry/seven:1@sha256:old" in written(functions, audit, "oci://registry/seven:1")
    assert written(functions, audit, "s3://nobody/x").endswith("is loaded by no model")


QUOTA = {"requests.memory": "1Ei", "requests.nvidia.com/gpu": "4"}


@pytest.mark.parametrize(
    "amounts", [{"memory": "1Mi", "ephemeral-storage": "1E"}, {"memory": "1e6"}, {"memory": "+.5Mi", "cpu": "1E-3"}]
)
def test_quantities_in_every_legal_form_are_read_from_quotas_and_pods(cluster, functions, redis_url, amounts):
    name = f"amounts-{abs(hash(str(amounts)))}"
    quotas = f"{cluster.url}/api/v1/namespaces/fraud/resourcequotas"
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name}, "spec": {"hard": QUOTA}}
    HTTP.post(quotas, json=quota).raise_for_status()
    container = {"name": "kserve-container", "image": "m:1", "resources": {"limits": amounts}}
    metadata = {"name": name, "annotations": {"serving.kserve.io/deploymentMode": "Standard"}}
    spec = {"predictor": {"containers": [container]}}
    body = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": metadata, "spec": spec}
    HTTP.post(cluster.url + PATHS.format("fraud"), json=body).raise_for_status()
    until(lambda: cluster.pods(name), "it has a pod")
    subject = f"namespaces/fraud/inferenceservices/{name}"
    assert functions["command"].send(STOP, subject, id=f"stop {name}").status_code == 202
    until(lambda: not cluster.pods(name), "no pod is left")
    until(lambda: ping(functions) or record(redis_url, subject).get("state") == "stopped", "stopped is shown")
    assert not record(redis_url, subject).get("unusable")
    assert functions["command"].send(START, subject, id=f"start {name}").status_code == 202
    assert cluster.stop_annotation(name) is None
    HTTP.delete(f"{quotas}/{name}").raise_for_status()


@pytest.fixture
async def broker(functions, tmp_path):
    """The local broker with the repository's own Triggers; it passes header values as Knative's does."""
    text = (ROOT / "knative/base/triggers.yaml").read_text().replace(NOT_DEPLOYED, SECRET)
    made = {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "metadata": {"name": "modelswitch"}, "spec": {}}
    subscribers = {name.replace("_", "-"): function.url for name, function in functions.items()}
    running = await Broker(tmp_path, [made, *yaml.safe_load_all(text)], subscribers).start()
    yield running
    await running.stop()


def publish(broker, **attributes: str) -> None:
    """In structured mode, which a broker delivers in binary mode."""
    body = json.dumps({"specversion": "1.0", "data": {}, **attributes}).encode()
    headers = {"content-type": "application/cloudevents+json"}
    assert HTTP.post(broker.url, content=body, headers=headers).status_code == 202


async def test_a_structured_stop_with_escapes_is_done_through_a_broker(cluster, audit, broker):
    await asyncio.to_thread(cluster.model, "brokered")
    publish(broker, id="t2-ü", source=SOURCE, type=STOP, subject="namespaces/fraud/inferenceservices/brokered")
    await asyncio.to_thread(until, audit, "it is recorded")
    [entry] = [entry for entry in audit() if entry["action"] == "stop"]
    assert (entry["source"], entry["event_id"], entry.get("code")) == (SOURCE, "t2-ü", None)
    assert cluster.stop_annotation("brokered") == "true"


async def test_a_misspelled_type_is_recorded_through_a_broker(audit, broker):
    subject = "namespaces/fraud/inferenceservices/scorer"
    publish(broker, id="typo", source="/ci", type=STOP.removesuffix(".v1"), subject=subject)
    await asyncio.to_thread(until, audit, "it is recorded")
    [entry] = audit()
    assert (entry["action"], entry["code"], entry["ref"]) == ("dead-letter", "ImpossibleEvent", subject)
    assert STOP in entry["message"]


async def test_a_dead_letter_that_no_function_can_read_is_recorded_once_through_a_broker(audit, broker):
    headers = {"ce-specversion": "1.0", "ce-id": "cut", "ce-source": "/ci", "ce-type": STOP, "ce-subject": "x"}
    sent = HTTP.post(broker.url, content=b'{"reason": ', headers={**headers, "content-type": "application/json"})
    assert sent.status_code == 202
    await asyncio.to_thread(until, audit, "it is recorded")
    [entry] = audit()
    assert (entry["action"], entry["code"], entry["event_id"]) == ("dead-letter", "400", "cut")
