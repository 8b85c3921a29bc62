"""What object stores say, as artifacts: bodies as Ceph RGW (Squid), MinIO and AWS send them."""

import json

import pytest

from events.artifact import Completeness
from events.artifacts.s3 import read_s3_event
from events.envelope import build, read
from events.errors import Impossible, Malformed
from events.location import Location
from events.wire import to_binary

JSON = {"Content-Type": "application/json"}
CLOUD = JSON | {
    "ce-specversion": "1.0",
    "ce-type": "com.amazonaws.ObjectCreated:Put",
    "ce-time": "2026-01-31T12:00:00.123456Z",
    "ce-id": "503a4c37-85eb-47cd-8681-2817e80b4281.5330.903595.14-default-default",
    "ce-source": "ceph:s3.default.models",
    "ce-subject": "fraud/scorer/model v2.pkl",
}
ETAG = "37b51d194a7513e45b56f6524f2d51f2"


def record(key="fraud/scorer/model.pkl", source="minio:s3", event="s3:ObjectCreated:Put", **object_fields):
    return {
        "eventVersion": "2.0",
        "eventSource": source,
        "awsRegion": "",
        "eventTime": "2026-01-31T12:00:00.000Z",
        "eventName": event,
        "userIdentity": {"principalId": "trainer"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "Config",
            "bucket": {"name": "models", "ownerIdentity": {"principalId": "trainer"}, "arn": "arn:aws:s3:::models"},
            "object": {"key": key, "size": 1024, "eTag": ETAG, "sequencer": "17A3"} | object_fields,
        },
    }


def body(*records, **more):
    return json.dumps({**more, "Records": list(records)}).encode()


def only(headers, content):
    (seen,) = read_s3_event(headers, content)
    return seen


def test_minio(tmp_path):
    seen = only(JSON, body(record("fraud%2Fscorer%2Fmodel.pkl"), EventName="s3:ObjectCreated:Put", Key="models/x"))
    assert (str(seen.location), seen.digest, seen.size) == ("s3://models/fraud/scorer/model.pkl", f"etag:{ETAG}", 1024)
    assert (seen.key, seen.written_by) == ("fraud/scorer/model.pkl", "trainer")
    assert seen.complete is Completeness.DECLARED


@pytest.mark.parametrize("etag", ["eTag", "etag"])
@pytest.mark.parametrize("event", ["ObjectCreated:Put", "ObjectCreated:CompleteMultipartUpload"])
def test_ceph_sends_cloudevents_with_plain_keys(etag, event):
    one = record("fraud/a+b%20c.pkl", source="ceph:s3", event=event)
    one["s3"]["object"][etag] = one["s3"]["object"].pop("eTag")
    seen = only(CLOUD, body(one))
    assert str(seen.location) == "s3://models/fraud/a+b%20c.pkl"
    assert seen.digest == f"etag:{ETAG}"


@pytest.mark.parametrize(
    "event_type",
    ["com.amazonaws.ObjectCreated:Put", "com.amazonaws.s3.ObjectCreated:Put", "com.amazonaws.s3:ObjectCreated:Put"],
)
def test_one_record_as_the_data_of_a_cloudevent(event_type):
    """As Knative's CephSource and the CloudEvents adapter for S3 send it, the latter without eventName and eventSource."""
    headers = CLOUD | {"ce-type": event_type}
    one = record("fraud/a+b.pkl", source="ceph:s3", event="ObjectCreated:Put")
    assert only(headers, json.dumps(one).encode()).key == "fraud/a+b.pkl"
    del one["eventName"], one["eventSource"]
    assert only(headers, json.dumps(one).encode()).key == "fraud/a+b.pkl"
    removed = headers | {"ce-type": event_type.replace("Created", "Removed")}
    assert read_s3_event(removed, json.dumps(one).encode()) == []


def test_aws_quotes_nothing_and_counts_parts():
    seen = only(
        JSON, body(record("fraud/m.pkl", "aws:s3", "ObjectCreated:CompleteMultipartUpload", eTag=f'"{ETAG}-3"'))
    )
    assert seen.digest == f"etag:{ETAG}-3"


def test_it_becomes_the_event_that_everybody_sends():
    artifact = only(JSON, body(record())).artifact("ml")
    received = read(*to_binary(build(artifact, artifact.ref, source="/s3")))
    assert received.data == artifact
    assert received.ref.subject == "namespaces/ml/artifacts/s3://models/fraud/scorer/model.pkl"


def test_a_marker_stands_for_its_folder_and_each_writing_of_it_is_another():
    empty = {"size": 0, "eTag": "d41d8cd98f00b204e9800998ecf8427e"}
    first = only(JSON, body(record("fraud/scorer/_SUCCESS", **empty)))
    again = only(JSON, body(record("fraud/scorer/_SUCCESS", **empty)))
    second = only(JSON, body(record("fraud/scorer/_SUCCESS", **empty, sequencer="17A4")))
    assert str(first.location) == "s3://models/fraud/scorer"
    assert (first.digest, first.complete, first.size) == ("marker:17A3", Completeness.SUCCESS_FILE, 0)
    assert first == again
    assert first.digest != second.digest
    assert first.id != second.id
    whole_bucket = only(JSON, body(record("_SUCCESS", **empty, sequencer=None)))
    assert (str(whole_bucket.location), whole_bucket.digest) == ("s3://models", "marker:2026-01-31T12-00-00.000Z")


def test_the_same_object_written_again_is_another_event():
    first, again = (only(JSON, body(record(sequencer=number))) for number in ("1", "2"))
    assert first.digest == again.digest
    assert first.id != again.id


@pytest.mark.parametrize(
    "content",
    [
        body(record(event="s3:ObjectRemoved:Delete")),
        body(record("fraud/scorer/", size=0)),
        body(record("fraud/.model.pkl.swp")),
        body(record("fraud/../../etc/passwd")),
        body(record("fraud/./model.pkl")),
        body(record("+" * 1024)),
        body(record("fraud/model.pkl", size=0, eTag="d41d8cd98f00b204e9800998ecf8427e")),
        json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "models"}).encode(),
        body(),
    ],
    ids=["removed", "folder", "hidden", "above", "here", "too-long", "empty", "test", "nothing"],
)
def test_what_is_no_artifact_is_passed_over(content):
    assert read_s3_event(JSON, content) == []


@pytest.mark.parametrize(
    ("key", "uri"),
    [
        ("fraud%2Fmy+model+%C3%BC%2B1.pkl", "s3://models/fraud/my%20model%20ü+1.pkl"),
        ("fraud%0A/model.pkl", "s3://models/fraud%0A/model.pkl"),
        ("fraud%5Cmodel.pkl", "s3://models/fraud%5Cmodel.pkl"),
        ("my+folder/_SUCCESS", "s3://models/my%20folder"),
        (f"fraud/{'x' * 1018}", f"s3://models/fraud/{'x' * 1018}"),
    ],
)
def test_any_name_that_a_store_allows_is_found_by_the_folders_above_it(key, uri):
    """As MinIO sends them: what is refused it sends again and again, before all that comes later."""
    seen = only(JSON, body(record(key)))
    assert str(seen.location) == uri
    assert Location.parse("s3://models").overlaps(seen.location)
    assert seen.artifact().uri == uri


def test_several_records_are_several_artifacts():
    seen = read_s3_event(JSON, body(record("a.pkl"), record("b/.x"), record("c.pkl")))
    assert [one.key for one in seen] == ["a.pkl", "c.pkl"]


def without(*path):
    one = record()
    inner = one
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return one


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (body(record() | {"s3": {**record()["s3"], "bucket": {"name": "two words"}}}), "bucket"),
        (body(record(size=-1)), "size"),
        (body(record(size=True)), "size"),
        (body(record(eTag="not a digest!")), "digest"),
        (body(without("s3", "object", "eTag")), "eTag"),
        (body(without("s3", "object", "key")), "key"),
        (body(without("s3", "bucket")), "bucket"),
        (body(without("eventName")), "eventName"),
        (body("text"), "eventName"),
        (body({"eventName": 1}), "no text"),
        (body(record(key={"a": 1})), "no text"),
        (b'{"Records": {}}', "Records"),
        (b"{}", "Records"),
        (b"[]", "no object"),
        (b'"text"', "no object"),
        (body(*[record()] * 1001), "1000"),
    ],
)
def test_what_can_never_work_is_impossible(content, why):
    with pytest.raises(Impossible, match=why):
        read_s3_event(JSON, content)


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        (JSON, b"{broken"),
        (JSON, b""),
        (JSON, b" " * 2_000_000),
        ({**CLOUD, "ce-id": ""}, body(record())),
        ({**CLOUD, "ce-specversion": "0.3"}, body(record())),
        ({"content-type": "application/cloudevents-batch+json"}, b"[]"),
    ],
)
def test_what_cannot_be_read_is_malformed(headers, content):
    with pytest.raises(Malformed):
        read_s3_event(headers, content)


def test_a_cloudevent_of_another_kind_is_impossible():
    with pytest.raises(Impossible, match="event type"):
        read_s3_event({**CLOUD, "ce-type": "com.amazonaws.sqs.message"}, body(record()))
