"""Every form in which KServe is told where an artifact is."""

import pytest

from events.model import Kind
from functions.adapters.kserve.artifacts import artifacts_of
from functions.adapters.kserve.model import Model


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


def test_an_llms_and_a_graphs():
    assert artifacts_of(model(kind=Kind.LLM_INFERENCE_SERVICE, model={"uri": "hf://Qwen/Qwen3"})) == (
        "hf://Qwen/Qwen3",
    )
    assert artifacts_of(model(kind=Kind.INFERENCE_GRAPH, nodes={})) == ()
