"""What metrics say of requests in flight, and where a pod's metrics are."""

import struct

import pytest

from events.model import Kind
from functions.adapters.in_flight import InFlight, read_metrics, read_queue_proxy
from functions.adapters.kserve.metered import metered
from functions.api.pages.requests import UNKNOWN, Counted, together

VLLM = b"""# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 1.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="m"} 2.0
vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 2.0
vllm:num_preemptions_total{engine="0"} 7.0
"""


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (VLLM, InFlight(6)),
        (b"vllm:num_requests_running 0.0\nvllm:num_requests_waiting 0.0\n", InFlight(0)),
        (b"tgi_batch_current_size 2\ntgi_queue_size 5\ntgi_request_count 90\n", InFlight(7)),
        (b'ovms_current_requests{name="a",version="1"} 2\n', InFlight(2)),
        (b'nv_inference_pending_request_count{model="a",version="1"} 4\n', InFlight(4, exact=False)),
        (b'queue_average_concurrent_requests{pod="p"} 1.4\n', InFlight(2)),
        (b'# TYPE request_predict_seconds histogram\nrequest_predict_seconds_count{model_name="m"} 4\n', None),
        (b"vllm:num_requests_running NaN\n", None),
        (b"vllm:num_requests_running -1\n", None),
        (b"vllm:num_requests_running many\n", None),
        (b"\xff\xfe\x00", None),
        (b"", None),
    ],
)
def test_only_gauges_that_mean_it_are_believed(body, found):
    assert read_metrics(body) == found


def stat(average=None, pod=b"pod-1"):
    """Knative's autoscaler message: 1 the pod's name, 2 and 3 averages, 4 requests per second."""
    concurrent = b"\x11" + struct.pack("<d", average) if average is not None else b""
    return b"\x0a" + bytes([len(pod)]) + pod + concurrent + b"\x21" + struct.pack("<d", 9.0)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (stat(2.0), InFlight(2)),
        (stat(0.2), InFlight(1)),
        (stat(), InFlight(0)),
        (b'queue_average_concurrent_requests{pod="p"} 3\n', InFlight(3)),
        (stat(2.0)[:-3], None),
        (stat(float("nan")), None),
        (b"", None),
        (b"404 page not found\n", None),
        (b"\x08" + b"\xff" * 40, None),
    ],
)
def test_knatives_proxy_tells_as_text_or_as_protobuf(body, found):
    assert read_queue_proxy(body) == found


def pod(*containers, labels=None, **annotations):
    annotations = {name.replace("_", "."): value for name, value in annotations.items()}
    metadata = {"uid": "u", "name": "p", "namespace": "n", "labels": labels or {}, "annotations": annotations}
    return {"metadata": metadata, "spec": {"containers": list(containers)}, "status": {"podIP": "10.0.0.1"}}


SERVER = {"name": "kserve-container", "ports": [{"containerPort": 8080}]}


def at(item, kind=Kind.INFERENCE_SERVICE):
    found = metered(kind, item)
    return found and (found.server.port, found.path, found.by_queue_proxy)


def annotated(**given):
    item = pod(SERVER)
    item["metadata"]["annotations"] = {
        name.replace("__", "/").replace("_", "."): value for name, value in given.items()
    }
    return item


@pytest.mark.parametrize(
    ("item", "place"),
    [
        (annotated(), (8080, "/metrics", False)),
        (annotated(prometheus_kserve_io__port="8002", prometheus_kserve_io__path="/m"), (8002, "/m", False)),
        (annotated(prometheus_io__port="9000"), (9000, "/metrics", False)),
        (annotated(prometheus_kserve_io__port="8002", prometheus_io__port="9"), (8002, "/metrics", False)),
        (annotated(prometheus_kserve_io__port="0", prometheus_io__port="70000"), (8080, "/metrics", False)),
        (annotated(prometheus_io__port="80", prometheus_io__path="@elsewhere/"), (80, "/metrics", False)),
        (annotated(prometheus_io__port="80", prometheus_io__path="/a?b=c"), (80, "/metrics", False)),
        (pod({"name": "queue-proxy"}, SERVER), (9090, "/metrics", True)),
        (pod({"name": "something"}), None),
        (pod(SERVER, labels={"component": "transformer"}), None),
    ],
)
def test_metrics_are_where_annotations_say_else_at_the_server(item, place):
    assert at(item) == place


def test_an_llms_metrics_are_at_its_own_port_and_scheme():
    container = {"name": "main", "readinessProbe": {"httpGet": {"scheme": "HTTPS"}}}
    found = metered(Kind.LLM_INFERENCE_SERVICE, pod(container))
    assert (found.server.port, found.server.tls) == (8000, True)


@pytest.mark.parametrize(
    ("counts", "whole"),
    [
        ([], Counted(0, exact=True)),
        ([Counted(2, exact=True), Counted(1, exact=True)], Counted(3, exact=True)),
        ([Counted(2, exact=True), UNKNOWN], Counted(2, exact=False)),
        ([Counted(0, exact=True), UNKNOWN], UNKNOWN),
        ([Counted(0, exact=False)], UNKNOWN),
        ([UNKNOWN], UNKNOWN),
    ],
)
def test_what_not_everything_tells_is_at_least_so_much_and_never_none(counts, whole):
    assert together(counts) == whole
