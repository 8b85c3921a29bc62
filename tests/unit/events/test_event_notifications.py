"""Notifications as Knative's sources send them."""

import json

import pytest

from events.errors import Impossible
from events.notifications import Ping, ResourceNotification, read_notification

POD = {"metadata": {"name": "p", "namespace": "fraud", "uid": "u1", "resourceVersion": "7", "labels": {"a": "b"}}}


def resource(change="update", data=POD, **attributes):
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "https://10.0.0.1:443",
        "type": f"dev.knative.apiserver.resource.{change}",
        "subject": "/apis/v1/namespaces/fraud/pods/p",
        "datacontenttype": "application/json",
        "apiversion": "v1",
        "kind": "Pod",
        "name": "p",
        "namespace": "fraud",
        "data": data,
        **attributes,
    }
    wanted = {name: value for name, value in event.items() if value is not None}
    return {"content-type": "application/cloudevents+json"}, json.dumps(wanted).encode()


@pytest.mark.parametrize("change", ["add", "update", "delete"])
def test_a_resource_event_says_where_to_look(change):
    notification = read_notification(*resource(change))
    assert isinstance(notification, ResourceNotification)
    assert (notification.change, notification.kind, notification.namespace, notification.name) == (
        change,
        "Pod",
        "fraud",
        "p",
    )
    assert (notification.uid, notification.resource_version, notification.labels) == ("u1", "7", {"a": "b"})


def test_a_ping_needs_no_data_and_takes_any():
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/ping", "ce-type": "dev.knative.sources.ping"}
    assert read_notification(headers, b"") == Ping("1", "/ping")
    assert read_notification({**headers, "content-type": "text/plain"}, b"tick") == Ping("1", "/ping")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (resource("ref.update"), "not a notification"),
        (resource(type="dev.modelswitch.model.stopped.v1"), "not a notification"),
        (resource(kind=None), "without kind"),
        (resource(name=None, namespace=None), "without namespace, name"),
        (resource(data=None), "no object"),
        (resource(data=[1]), "no object"),
        (resource(data={"metadata": "?"}), "no object"),
        (resource(namespace="A B"), "names as Kubernetes has them"),
        (resource(name="../x"), "names as Kubernetes has them"),
        (resource(data={"metadata": {"resourceVersion": True}}), "no strings"),
        (resource(data={"metadata": {"labels": {"a": 1}}}), "no strings"),
        (resource(data={"metadata": {"labels": ["a"]}}), "no strings"),
    ],
)
def test_what_says_nothing_is_impossible(request_, words):
    with pytest.raises(Impossible, match=words):
        read_notification(*request_)


def test_labels_that_are_missing_are_none():
    notification = read_notification(*resource(data={"metadata": {}}))
    assert (notification.uid, notification.labels) == (None, {})
