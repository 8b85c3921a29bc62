"""Lists and watches: the same assertions on the simulated and on a real API server."""

from kubernetes_requests import CONFIGMAPS, ISVCS, isvc, items, merge_patch, watched


def config_map(name, **labels):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}}


def names(objects):
    return [entry["metadata"]["name"] for entry in objects]


async def test_pages_of_one_list_show_one_moment(kubernetes, namespace):
    path = ISVCS.format(namespace)
    for number in range(5):
        await kubernetes.post(path, json=isvc(f"m{number}"))
    first = (await kubernetes.get(path, params={"limit": 2})).json()
    assert names(first["items"]) == ["m0", "m1"]
    assert first["metadata"]["remainingItemCount"] == 3
    await kubernetes.delete(f"{path}/m3")
    await kubernetes.post(path, json=isvc("m2a"))
    rest = (await kubernetes.get(path, params={"continue": first["metadata"]["continue"]})).json()
    assert names(rest["items"]) == ["m2", "m3", "m4"]
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert not rest["metadata"].get("continue")
    bad = await kubernetes.get(path, params={"limit": 1, "continue": "abc"})
    assert (bad.status_code, bad.json()["reason"]) == (400, "BadRequest")


async def test_label_and_field_selectors_choose(kubernetes, namespace):
    path = CONFIGMAPS.format(namespace)
    for name, labels in {"a": {"k": "1"}, "b": {"k": "2"}, "c": {"other": "1"}}.items():
        await kubernetes.post(path, json=config_map(name, **labels))
    wanted = {"k=1": ["a"], "k in (1,2)": ["a", "b"], "k": ["a", "b"], "k,k!=1": ["b"], "k notin (1),k": ["b"]}
    for selector, expected in wanted.items():
        assert names(await items(kubernetes, path, labelSelector=selector)) == expected, selector
    assert "c" in names(await items(kubernetes, path, labelSelector="!k"))
    assert names(await items(kubernetes, path, fieldSelector="metadata.name=b")) == ["b"]
    assert (await kubernetes.get(path, params={"labelSelector": "a in b"})).status_code == 400


async def test_a_watch_from_a_version_tells_what_came_after_it(kubernetes, namespace):
    path = ISVCS.format(namespace)
    await kubernetes.post(path, json=isvc("a"))
    start = (await kubernetes.get(path)).json()["metadata"]["resourceVersion"]
    await merge_patch(kubernetes, f"{path}/a", {"metadata": {"labels": {"x": "y"}}})
    await kubernetes.post(path, json=isvc("b"))
    await kubernetes.delete(f"{path}/a")
    seen = await watched(kubernetes, path, resourceVersion=start)
    assert [(event["type"], event["object"]["metadata"]["name"]) for event in seen] == [
        ("MODIFIED", "a"),
        ("ADDED", "b"),
        ("DELETED", "a"),
    ]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in seen]
    assert versions == sorted(versions)
    assert versions[0] > int(start)


async def test_a_watch_with_a_selector_sees_objects_come_and_go(kubernetes, namespace):
    path = ISVCS.format(namespace)
    await kubernetes.post(path, json=isvc("a"))
    start = (await kubernetes.get(path)).json()["metadata"]["resourceVersion"]
    await merge_patch(kubernetes, f"{path}/a", {"metadata": {"labels": {"x": "y"}}})
    await merge_patch(kubernetes, f"{path}/a", {"metadata": {"labels": {"x": None}}})
    seen = await watched(kubernetes, path, resourceVersion=start, labelSelector="x=y")
    assert [event["type"] for event in seen] == ["ADDED", "DELETED"]


async def test_a_watch_from_zero_begins_with_what_there_is(kubernetes, namespace):
    path = ISVCS.format(namespace)
    await kubernetes.post(path, json=isvc("a"))
    seen = await watched(kubernetes, path, resourceVersion="0")
    assert [event["type"] for event in seen] == ["ADDED"]


async def test_a_version_that_is_forgotten_is_410_in_the_watch_and_in_an_exact_list(kubernetes, namespace):
    """A real server's watch forgets at its start, its store only every five minutes: until then an exact list still answers."""
    if kubernetes.simulated:
        assert (await kubernetes.post("/_sim/faults", json={"answer": "compact"})).status_code == 204
    path = ISVCS.format(namespace)
    seen = await watched(kubernetes, path, resourceVersion="1")
    assert (seen[0]["type"], seen[0]["object"]["code"], seen[0]["object"]["reason"]) == ("ERROR", 410, "Expired")
    exact = await kubernetes.get(path, params={"resourceVersion": "1", "resourceVersionMatch": "Exact"})
    if exact.status_code != 200 or kubernetes.simulated:
        assert (exact.status_code, exact.json()["reason"]) == (410, "Expired")


async def test_discovery_names_the_resources_and_their_subresources(kubernetes):
    found = (await kubernetes.get("/apis/serving.kserve.io/v1beta1")).json()
    assert found["kind"] == "APIResourceList"
    assert {"inferenceservices", "inferenceservices/status"} <= {entry["name"] for entry in found["resources"]}
    groups = (await kubernetes.get("/apis")).json()["groups"]
    assert "serving.kserve.io" in [entry["name"] for entry in groups]
    assert (await kubernetes.get("/version")).json()["major"] == "1"
