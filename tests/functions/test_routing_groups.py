"""A stop of an LLMInferenceService in a routing group: the confirmation says where its requests go."""

from api_rig import SERVING, wait_for


def make(world, name, group, **route):
    pod = {"containers": [{"name": "main", "image": "vllm", "args": ["--shutdown-timeout=40"]}]}
    spec = {"model": {"uri": "hf://a/b", "name": name}, "replicas": 1, "template": pod}
    spec["router"] = {"route": {"group": group, **route}}
    world.cluster.post(
        f"{SERVING}/v1alpha2/namespaces/blue/llminferenceservices",
        json={
            "apiVersion": "serving.kserve.io/v1alpha2",
            "kind": "LLMInferenceService",
            "metadata": {"name": name, "namespace": "blue"},
            "spec": spec,
        },
    ).raise_for_status()
    return {"namespace": "blue", "name": name, "kind": "LLMInferenceService"}


def pods_of(world, name):
    listed = world.cluster.get("/api/v1/namespaces/blue/pods").json()["items"]
    return [pod for pod in listed if pod["metadata"]["name"].startswith(name)]


def plan(world, api, *models):
    for model in models:
        address = f"/api/v1/namespaces/blue/models/{model['name']}/status?kind={model['kind']}"
        wait_for(lambda model=model: pods_of(world, model["name"]), "it has a pod")
        api.get(address).raise_for_status()
    world.synced()
    answer = api.post("/plan", json={"verb": "stop", "models": list(models)})
    assert answer.status_code == 200, answer.text
    return " ".join(answer.text.split())


def test_its_requests_go_to_the_members_that_are_left_by_weight(world, open_api):
    one, _ = make(world, "chat-a", "chat"), make(world, "chat-b", "chat", weight=3)
    make(world, "chat-idle", "chat", weight=0)
    make(world, "other", "another")
    said = plan(world, open_api, one)
    assert "<b>chat-a</b> is in the routing group chat: its requests go to <b>chat-b</b> (weight 3)." in said
    assert "<b>chat-a</b>: its server ends requests in flight after 40 s at the latest" in said


def test_where_the_whole_group_stops_requests_fail(world, open_api):
    models = make(world, "solo-a", "solo"), make(world, "solo-b", "solo")
    said = plan(world, open_api, *models)
    assert said.count("no other member takes requests, so those to the group fail until the next start.") == 2


def test_a_model_that_is_in_no_group_is_not_spoken_of(world, open_api):
    name = world.make("blue")
    said = plan(world, open_api, {"namespace": "blue", "name": name, "kind": "InferenceService"})
    assert "outing group" not in said
