"""The anomaly detector's manifests: both ways of storing its artifact render, and fit each other and what modelswitch reads."""

import json

import pytest
import yaml
from rendered import KNATIVE, of_kind, render
from test_examples import RESTRICTED, commands, containers

from events.model import Kind
from functions.adapters import smoke_test
from functions.adapters.kserve.artifacts import artifacts_of
from functions.adapters.kserve.model import Model

WAYS = ["pvc", "s3"]


def rendered(way):
    return render(f"examples/anomaly-detector/{way}")


@pytest.mark.parametrize("way", WAYS)
def test_the_training_tells_of_the_artifact_that_the_model_loads(way):
    model = of_kind(rendered(way), "InferenceService")["anomaly-detector"]
    training = of_kind(rendered(way), "CronJob")["train-anomaly-detector"]
    (told,) = [words for words in commands(training) if words[:2] == ["publish", "artifact"]]
    assert artifacts_of(Model(Kind.INFERENCE_SERVICE, model)) == (told[2],)
    assert f"--namespace={model['metadata']['namespace']}" in told


@pytest.mark.parametrize("way", WAYS)
def test_everything_runs_restricted(way):
    found = [container for manifest in rendered(way) for container in containers(manifest)]
    assert {"kserve-container", "train", "publish", "stop", "start", "display"} <= {one["name"] for one in found}
    for container in found:
        allowed = {key: value for key, value in container["securityContext"].items() if key != "runAsUser"}
        assert allowed == RESTRICTED, container["name"]
        assert container["resources"]["limits"]["memory"], container["name"]


@pytest.mark.parametrize("way", WAYS)
def test_it_is_scaled_by_its_processor_scraped_traced_and_logged(way):
    model = of_kind(rendered(way), "InferenceService")["anomaly-detector"]
    runtime = of_kind(rendered(way), "ServingRuntime")["anomaly-detector"]
    annotations, predictor = model["metadata"]["annotations"], model["spec"]["predictor"]
    assert annotations["serving.kserve.io/autoscalerClass"] == "hpa"
    assert predictor["scaleMetric"] == "cpu"
    assert runtime["spec"]["containers"][0]["resources"]["requests"]["cpu"], "a share of nothing can't be measured"
    assert (annotations["prometheus.io/scrape"], annotations["prometheus.io/port"]) == ("true", "8080")
    tracing = yaml.safe_load((KNATIVE / "examples/anomaly-detector/tracing/instrumentation.yaml").read_text())
    assert annotations["instrumentation.opentelemetry.io/inject-python"] == tracing["metadata"]["name"]
    (broker,) = of_kind(rendered(way), "Broker").values()
    where = f"{broker['metadata']['namespace']}/{broker['metadata']['name']}"
    assert predictor["logger"]["mode"] == "all"
    assert predictor["logger"]["url"].endswith(f"/{where}")
    assert {t["spec"]["broker"] for t in of_kind(rendered(way), "Trigger").values()} == {broker["metadata"]["name"]}


@pytest.mark.parametrize("way", WAYS)
def test_its_code_is_mounted_whole_and_its_smoke_test_is_one(way):
    maps = of_kind(rendered(way), "ConfigMap")
    assert set(maps["anomaly-detector-code"]["data"]) == {"predictor.py", "train.py", "upload.py"}
    found = smoke_test.read(maps["modelswitch-smoke-test-anomaly-detector"])
    assert len(found.payload["instances"]) == len(found.expect["predictions"]) == len(found.expect["anomaly_scores"])


def test_the_secret_is_a_template_that_nothing_applies():
    secret = yaml.safe_load((KNATIVE / "examples/anomaly-detector/s3/storage-config.yaml").read_text())
    model = of_kind(rendered("s3"), "InferenceService")["anomaly-detector"]
    storage = model["spec"]["predictor"]["model"]["storage"]
    config = json.loads(secret["stringData"][storage["key"]])
    assert config["bucket"] == storage["parameters"]["bucket"]
    assert config["secret_access_key"].isupper(), "a placeholder"
    assert all(of_kind(rendered(way), "Secret") == {} for way in WAYS)


@pytest.mark.parametrize("way", WAYS)
def test_the_model_is_served_without_a_copy_of_it_in_an_empty_dir(way):
    runtime = of_kind(rendered(way), "ServingRuntime")["anomaly-detector"]["spec"]
    empty = {volume["name"] for volume in runtime["volumes"] if "emptyDir" in volume}
    mounts = {mount["name"]: mount["mountPath"] for mount in runtime["containers"][0]["volumeMounts"]}
    assert {mounts[name] for name in empty} == {"/tmp"}
