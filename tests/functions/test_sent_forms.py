"""Events in the forms in which brokers and SDKs deliver them, to the real functions."""

# ruff: noqa: F811 - fixtures of another file
import json

import pytest
from function_process import HTTP, STOP
from test_functions import WRITTEN, audit, cluster, functions  # noqa: F401 - fixtures

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
