"""Objects with fields of another type: refused, or kept, as a real API server does; its controllers go on for all
others.
"""

import copy
import itertools

import pytest

POD = {
    "metadata": {"name": "odd"},
    "spec": {"containers": [{"name": "c", "image": "x", "resources": {"requests": {"cpu": "1m"}}}]},
}
SET = {
    "metadata": {"name": "odd"},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "x"}},
        "template": {"metadata": {"labels": {"app": "x"}}, "spec": POD["spec"]},
    },
}
QUOTA = {"metadata": {"name": "odd"}, "spec": {"hard": {"pods": "10"}}}
MODEL = {"metadata": {"name": "odd"}, "spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}}}}}
PLACES = {
    "/api/v1/namespaces/{}/pods": (
        POD,
        "metadata|labels",
        "metadata|ownerReferences",
        "metadata|finalizers",
        "spec",
        "spec|containers",
        "spec|containers|0",
        "spec|containers|0|resources",
        "spec|containers|0|resources|requests",
        "spec|containers|0|resources|requests|cpu",
        "spec|terminationGracePeriodSeconds",
    ),
    "/apis/apps/v1/namespaces/{}/replicasets": (
        SET,
        "spec|replicas",
        "spec|selector",
        "spec|template",
        "spec|template|spec|containers|0|resources",
    ),
    "/api/v1/namespaces/{}/resourcequotas": (QUOTA, "spec|hard", "spec|hard|pods"),
    "/apis/serving.kserve.io/v1beta1/namespaces/{}/inferenceservices": (
        MODEL,
        "spec",
        "spec|predictor",
        "spec|predictor|model",
        "spec|predictor|minReplicas",
    ),
}
ODD = [
    None,
    True,
    -1,
    10**15,
    "1_0",
    "1e999999999",
    "NaN",
    "x" * 10_000,
    [],
    [[]],
    [None],
    {"a": []},
    {"a": {"b": "c"}},
]


@pytest.mark.parametrize("path", PLACES)
async def test_no_odd_object_is_a_server_error_or_keeps_other_pods_from_running(kubernetes, namespace, path):
    if not kubernetes.simulated:
        pytest.skip("what a real API server refuses is its own")
    body, *fields = PLACES[path]
    for number, (field, value) in enumerate(itertools.product(fields, ODD)):
        *way, last = (int(part) if part.isdecimal() else part for part in field.split("|"))
        made = copy.deepcopy(body)
        made["metadata"]["name"] = f"odd-{number}"
        place = made
        for part in way:
            place = place[part]
        place[last] = value
        answer = await kubernetes.post(path.format(namespace), json=made)
        assert answer.status_code < 500, (field, value, answer.text)
        await kubernetes.delete(f"{path.format(namespace)}/odd-{number}")
    other = f"{namespace}-other"
    await kubernetes.post("/api/v1/namespaces", json={"metadata": {"name": other}})
    made = {"metadata": {"name": "plain"}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    (await kubernetes.post(f"/api/v1/namespaces/{other}/pods", json=made)).raise_for_status()
    phase = ""
    while phase != "Running":  # the test's own timeout ends it
        phase = (await kubernetes.get(f"/api/v1/namespaces/{other}/pods/plain")).json()["status"].get("phase")
    await kubernetes.delete(f"/api/v1/namespaces/{other}")


async def test_a_body_that_is_nested_too_deep_is_refused(kubernetes, namespace):
    deep = b'{"metadata": {"name": "deep"}, "spec": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    path = f"/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices"
    answer = await kubernetes.post(path, content=deep, headers={"content-type": "application/json"})
    assert 400 <= answer.status_code < 500
