"""Where only some namespaces are ours: their lists together are what one list of the whole cluster would be."""

import uuid

import pytest

from functions.adapters.cluster import Missing
from functions.adapters.selected_cluster import SelectedCluster

MODELS = "/apis/serving.kserve.io/v1beta1"
KEY = "modelswitch.dev/installation"


@pytest.fixture
async def selected(kubernetes, kubernetes_api, monkeypatch):
    """A client of namespaces a, b (empty) and c; d is another's. Names begin with what is unique to this test."""
    run = f"sel-{uuid.uuid4().hex[:6]}"
    for place in "abcd":
        labels = {KEY: run if place != "d" else "other"}
        body = {"metadata": {"name": f"{run}-{place}", "labels": labels}}
        (await kubernetes.post("/api/v1/namespaces", json=body)).raise_for_status()
    for place, names in {"a": ("one", "three", "two"), "c": ("four",), "d": ("foreign",)}.items():
        for name in names:
            container = {"name": "kserve-container", "image": "docker.io/local/none:1"}
            model = {
                "apiVersion": "serving.kserve.io/v1beta1",
                "kind": "InferenceService",
                "metadata": {"name": name},
                "spec": {"predictor": {"containers": [container]}},
            }
            path = f"{MODELS}/namespaces/{run}-{place}/inferenceservices"
            (await kubernetes.post(path, json=model)).raise_for_status()
    monkeypatch.setenv("KUBECONFIG", str(kubernetes_api))
    client = await SelectedCluster.connect()
    client.select(f"{KEY}={run}")
    yield client, run
    await client.close()
    for place in "abcd":
        await kubernetes.delete(f"/api/v1/namespaces/{run}-{place}")


def names(items, run):
    return [f"{i['metadata']['namespace'].removeprefix(f'{run}-')}/{i['metadata']['name']}" for i in items]


ALL = ["a/one", "a/three", "a/two", "c/four"]


async def test_a_whole_list_holds_what_is_in_the_selected_namespaces_in_order(selected):
    client, run = selected
    assert names(await client.list_all(f"{MODELS}/inferenceservices"), run) == ALL
    found = await client.get(f"{MODELS}/inferenceservices", resourceVersion="0")
    assert names(found["items"], run) == ALL
    assert found["metadata"]["resourceVersion"].isdecimal()


@pytest.mark.parametrize("size", [1, 2, 3, 500])
async def test_pages_go_through_all_of_them_once(selected, size):
    client, run = selected
    found, token, pages = [], "", 0
    while True:
        more = {"continue": token} if token else {}
        page = await client.get(f"{MODELS}/inferenceservices", limit=str(size), **more)
        assert len(page["items"]) <= size
        found += page["items"]
        pages += 1
        if not (token := page["metadata"].get("continue", "")):
            break
    assert names(found, run) == ALL
    assert pages <= 5


async def test_a_selector_of_fields_holds_in_each_namespace(selected):
    client, run = selected
    found = await client.list_all(f"{MODELS}/inferenceservices", fieldSelector="metadata.name=four")
    assert names(found, run) == ["c/four"]


async def test_a_token_of_no_known_kind_begins_again(selected):
    client, run = selected
    page = await client.get(f"{MODELS}/inferenceservices", limit="2", **{"continue": "eyJ2IjoibWV0YS5rOHMu"})
    assert names(page["items"], run) == ["a/one", "a/three"]


async def test_a_namespace_that_is_not_selected_has_nothing(selected):
    """So what is known from before it opted out is forgotten, and nothing there is changed, whatever the rights."""
    client, run = selected
    place = f"{MODELS}/namespaces/{run}-d/inferenceservices"
    assert await client.list_all(place) == []
    for request in (
        client.get(f"{place}/foreign"),
        client.json_patch(f"{place}/foreign", []),
        client.delete(f"{place}/foreign", {}),
    ):
        with pytest.raises(Missing, match="make opt-in"):
            await request


async def test_what_is_asked_of_one_namespace_or_of_the_cluster_is_asked_as_it_is(selected):
    client, run = selected
    assert (await client.get(f"{MODELS}/namespaces/{run}-a/inferenceservices/one"))["metadata"]["name"] == "one"
    assert (await client.get("/version"))["major"]
    assert {f"{run}-a", f"{run}-d"} <= {n["metadata"]["name"] for n in await client.list_all("/api/v1/namespaces")}


async def test_without_a_selected_namespace_a_list_is_empty(selected):
    client, _ = selected
    client.select(f"{KEY}=none-has-this")
    assert await client.list_all(f"{MODELS}/inferenceservices") == []
    page = await client.get(f"{MODELS}/inferenceservices", limit="2")
    assert (page["items"], page["metadata"].get("continue", "")) == ([], "")
