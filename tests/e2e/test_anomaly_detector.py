"""The example anomaly detector as its README leads through it: created without its artifact, trained, stopped, started, retrained."""

import contextlib
import time

import httpx
import pytest
from anomaly_detector_manifests import NAME, Example
from api_server import KSERVE
from artifact_claim import CLAIM, Claim
from deadlines import eventually
from doorway import Doorway
from request_in_flight import predict

USUAL, TROUBLE = [35, 55, 20, 0.2, 120], [96, 93, 88, 9.5, 15]
RESTRICTED = "pod-security.kubernetes.io/enforce"


@pytest.fixture
def claim(place):
    made = Claim(place)
    yield made
    enforce(place, None)
    made.remove()


@pytest.fixture
def doorway(api, product):
    address = api.items("/api/v1/nodes", labelSelector="!type")[0]["status"]["addresses"][0]["address"]
    opened = Doorway(product.broker, address)
    yield opened
    opened.close()


@pytest.fixture
def example(place, claim):
    """Its objects are in the namespace, its model on a claim with nothing in it; from now on only restricted pods are allowed."""
    claim.empty(NAME)
    enforce(place, "restricted")
    found = Example(place.namespace)
    namespace = f"/api/v1/namespaces/{place.namespace}"
    for config_map in (found.code, found.smoke_test):
        place.api.create(f"{namespace}/configmaps", config_map)
    place.api.create(f"{KSERVE}/v1alpha1/namespaces/{place.namespace}/servingruntimes", found.runtime)
    return found


def enforce(place, level):
    place.api.merge(f"/api/v1/namespaces/{place.namespace}", {"metadata": {"labels": {RESTRICTED: level}}})


def run(place, job):
    """Until the Job has ended well."""
    name, jobs = job["metadata"]["name"], f"/apis/batch/v1/namespaces/{place.namespace}/jobs"
    place.api.create(jobs, job)

    def ended():
        status = place.api.get(f"{jobs}/{name}").get("status") or {}
        assert not status.get("failed"), f"job {name} failed: {said(place, name)}"
        return status.get("succeeded")

    eventually(ended, lambda: f"job {name} has ended; {said(place, name)}", 90)


def said(place, job):
    pods = f"/api/v1/namespaces/{place.namespace}/pods"
    lines = []
    for pod in place.api.items(pods, labelSelector=f"job-name={job}"):
        for container in ("train", "publish"):
            with contextlib.suppress(Exception):
                lines.append(place.api.text(f"{pods}/{pod['metadata']['name']}/log?container={container}"))
    return "\n".join(lines) or "it has said nothing"


def asked(place, instances):
    """A pod's answer; None while no pod gives one."""
    for pod in place.pods(NAME):
        address = pod["status"].get("podIP")
        if address and not pod["metadata"].get("deletionTimestamp"):
            with contextlib.suppress(httpx.HTTPError):
                return predict(address, NAME, instances=instances)
    return None


def predicted(place):
    """Once its pods say so, as the model says it: what is usual, what is trouble, and how much so."""

    def right():
        answer = asked(place, [USUAL, TROUBLE])
        return answer if answer is not None and answer.status_code == 200 else None

    found = eventually(right, "a prediction", 60).json()
    assert found["predictions"] == [1, -1]
    usual, trouble = found["anomaly_scores"]
    assert usual > 0 > trouble
    return found["anomaly_scores"]


def scaled_by_processor(place):
    scalers = f"/apis/autoscaling/v2/namespaces/{place.namespace}/horizontalpodautoscalers"
    spec = place.api.get(f"{scalers}/{NAME}-predictor")["spec"]
    return [one["resource"]["name"] for one in spec["metrics"]] == ["cpu"] and spec["maxReplicas"] == 3


def scraped(place):
    """What Prometheus gets from where the pod's annotations send it."""
    (pod,) = place.pods(NAME)
    where = pod["metadata"]["annotations"]
    assert where["prometheus.io/scrape"] == "true"
    url = f"http://{pod['status']['podIP']}:{where['prometheus.io/port']}{where['prometheus.io/path']}"
    return httpx.get(url, trust_env=False).text


def loaded(place, other_than=None):
    def shown():
        digest = (place.shown(NAME) or {}).get("artifact") or {}
        return digest if digest.get("digest") not in {None, other_than} else None

    return eventually(shown, "the artifact is shown as loaded", 60)["digest"]


@pytest.mark.long
def test_the_anomaly_detector_runs_once_it_is_trained_and_reloads_what_is_trained_again(place, claim, doorway, example):
    place.make(example.model)
    missing = place.until(NAME, "error", reason="ModelMissing", seconds=90)
    assert f"pvc://{CLAIM}/{NAME}" in missing["message"]
    assert asked(place, [USUAL]).status_code == 404
    generation = place.get(NAME)["metadata"]["generation"]

    run(place, example.training("train-first", doorway.url))
    written = time.monotonic()
    first_scores = predicted(place)
    place.until(NAME, "running", seconds=30)
    assert time.monotonic() - written < 30
    first = loaded(place)
    verified = place.product.cli("verify", "-n", place.namespace, NAME, "--predict")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "anomaly_scores: [2 of number]" in verified.stdout
    refused = asked(place, [USUAL[:4]])
    assert refused.status_code == 400
    assert "row 0 is 4 values" in refused.json()["error"]

    place.stop(NAME)
    place.until(NAME, "stopped")
    assert place.pods(NAME) == []
    place.start(NAME)
    place.until(NAME, "running", seconds=60)
    assert predicted(place) == first_scores
    assert scaled_by_processor(place)
    assert f'anomaly_detector_rows_total{{model_name="{NAME}",verdict="anomaly"}} ' in scraped(place)

    pods = place.record(NAME)
    run(place, example.training("train-again", doorway.url))
    loaded(place, other_than=first)
    eventually(lambda: len(place.pods(NAME)) == 1, "the old pod is gone", 60)
    assert predicted(place) != first_scores
    assert len(pods.extra) == 1, "it was reloaded once"
    assert place.get(NAME)["metadata"]["generation"] == generation
