"""Every form in which KServe is told where an artifact is."""

import pytest

from events.model import Kind
from functions.adapters.kserve.artifacts import artifacts_of, bucketless
from functions.adapters.kserve.model import Model
from functions.lifecycle.observation import ANY_PATH


def model(predictor=None, kind=Kind.INFERENCE_SERVICE, **spec):
    own = {"predictor": predictor} if predictor else {}
    return Model(kind, {"metadata": {"name": "scorer", "namespace": "fraud"}, "spec": {**own, **spec}})


@pytest.mark.parametrize(
    ("predictor", "found"),
    [
        ({"model": {"storageUri": "pvc://models/scorer/"}}, ("pvc://models/scorer",)),
        ({"model": {"storageUri": "s3://bucket/a//b"}}, ("s3://bucket/a/b",)),
        (
            {"model": {"storage": {"key": "minio", "path": "scorer", "parameters": {"bucket": "ml", "type": "s3"}}}},
            ("s3://ml/scorer",),
        ),
        ({"model": {"storage": {"key": "minio", "path": "scorer"}}}, ()),
        ({"storageUris": [{"uri": "pvc://models/base"}, {"uri": "hf://org/m"}]}, ("pvc://models", "hf://org/m")),
        (
            {"containers": [{"env": [{"name": "STORAGE_URI", "value": "gs://bucket/scorer"}]}]},
            ("gs://bucket/scorer",),
        ),
        ({"model": {"storageUri": "file:///mnt/models"}}, ()),
        ({"model": {"storageUri": "pvc://models/../other"}}, ()),
        ({"model": {}}, ()),
    ],
)
def test_an_inference_services(predictor, found):
    assert artifacts_of(model(predictor)) == found


BY_KEY = {"model": {"storage": {"key": "minio", "path": "/fraud/scorer/"}}}


def a_pod(*args, name="storage-initializer"):
    return {"spec": {"initContainers": [{"name": name, "args": list(args)}]}}


def test_a_bucket_that_only_a_secret_names_is_read_off_the_pods_that_load_from_it():
    """KServe passes pairs of a URI and a folder."""
    pods = [a_pod("s3://ml/fraud/scorer", "/mnt/models"), a_pod("s3://new/fraud/scorer", "/mnt/models")]
    assert artifacts_of(model(BY_KEY), pods) == ("s3://ml/fraud/scorer", "s3://new/fraud/scorer")
    assert bucketless(model(BY_KEY), pods) == ()


@pytest.mark.parametrize(
    "pods",
    [
        [],
        [{"spec": {}}],
        [a_pod()],
        [a_pod("s3://ml/another", "/mnt/models")],
        [a_pod("/mnt/models", "s3://ml/fraud/scorer")],
        [a_pod("s3://ml/fraud/scorer", "/mnt/models", name="somebody-elses")],
        [a_pod("pvc://ml/fraud/scorer", "/mnt/models")],
        [a_pod("<scheme-placeholder>://fraud/scorer", "/mnt/models")],
    ],
)
def test_where_no_pod_shows_the_bucket_that_is_said(pods):
    assert artifacts_of(model(BY_KEY), pods) == ()
    assert bucketless(model(BY_KEY), pods) == ("fraud/scorer",)


def test_a_model_that_names_its_bucket_is_taken_at_its_word():
    named = {"model": {"storage": {"path": "scorer", "parameters": {"bucket": "ml"}}}}
    assert artifacts_of(model(named), [a_pod("s3://other/scorer", "/mnt/models")]) == ("s3://ml/scorer",)
    assert bucketless(model(named)) == ()


@pytest.mark.parametrize(
    ("adapters", "found"),
    [
        (
            [{"name": "de", "uri": "pvc://adapters/de"}, {"name": "fr", "uri": "hf://org/fr"}],
            ("pvc://adapters/de", "hf://org/fr"),
        ),
        ([{"name": "de"}, "fr", None], ()),
        ("none", ()),
        (None, ()),
    ],
)
def test_an_llms_adapters(adapters, found):
    base = {"uri": "hf://Qwen/Qwen3", "lora": {"adapters": adapters}}
    assert artifacts_of(model(kind=Kind.LLM_INFERENCE_SERVICE, model=base)) == ("hf://Qwen/Qwen3", *found)


def test_an_llm_that_has_its_uri_from_a_base_is_known_by_its_pods():
    based = model(kind=Kind.LLM_INFERENCE_SERVICE, baseRefs=[{"name": "qwen"}], model={"name": "qwen"})
    pods = [a_pod("hf://Qwen/Qwen3:v1", "/mnt/models")]
    assert (artifacts_of(based, pods), bucketless(based, pods)) == (("hf://Qwen/Qwen3:v1",), ())
    assert (artifacts_of(based), bucketless(based)) == ((), (ANY_PATH,))
    own = model(kind=Kind.LLM_INFERENCE_SERVICE, baseRefs=[{"name": "qwen"}], model={"uri": "hf://org/own"})
    assert (artifacts_of(own, pods), bucketless(own)) == (("hf://org/own",), ())


def test_an_llms_and_a_graphs():
    assert artifacts_of(model(kind=Kind.LLM_INFERENCE_SERVICE, model={"uri": "hf://Qwen/Qwen3"})) == (
        "hf://Qwen/Qwen3",
    )
    assert artifacts_of(model(kind=Kind.INFERENCE_GRAPH, nodes={})) == ()


def test_what_a_canary_loads_from_is_the_model_s_too():
    """KServe makes a Deployment of its own for each (Standard mode)."""
    canary = [{"trafficPercent": 10, "predictor": {"name": "v2", "model": {"storageUri": "s3://models/card/v2"}}}]
    found = artifacts_of(model({"name": "v1", "model": {"storageUri": "s3://models/card/v1"}}, canary=canary))
    assert found == ("s3://models/card/v1", "s3://models/card/v2")
    by_key = [{"trafficPercent": 0, "predictor": {"name": "v2", **BY_KEY}}]
    assert bucketless(model({"model": {}}, canary=by_key)) == ("fraud/scorer",)
