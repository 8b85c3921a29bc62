"""What only the simulated API has: trouble on demand, the audit, tokens. And the official client against it."""

import httpx
import pytest
from kubernetes import aio
from kubernetes_requests import ISVCS, isvc, items, merge_patch, watched

pytestmark = pytest.mark.parametrize("kubernetes_api", ["simulated"], indirect=True)


async def test_the_next_requests_are_refused_with_retry_after_and_then_served(kubernetes, namespace):
    path = ISVCS.format(namespace)
    await kubernetes.post(path, json=isvc("a"))
    fault = {"answer": "429", "verb": "patch", "resource": "inferenceservices", "count": 2, "retry_after": 3}
    await kubernetes.post("/_sim/faults", json=fault)
    patch = {"metadata": {"annotations": {"x": "y"}}}
    answers = [await merge_patch(kubernetes, f"{path}/a", patch) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["retry-after"] == "3"
    assert answers[0].json()["reason"] == "TooManyRequests"


async def test_a_commit_whose_answer_is_lost_has_happened_and_is_in_the_audit_as_a_change(kubernetes, namespace):
    path = ISVCS.format(namespace)
    await kubernetes.post(path, json=isvc("a"))
    await kubernetes.delete("/_sim/audit")
    await kubernetes.post("/_sim/faults", json={"answer": "commit-then-timeout", "verb": "patch", "seconds": 5})
    with pytest.raises(httpx.ReadTimeout):
        await kubernetes.patch(
            f"{path}/a",
            content='{"metadata": {"annotations": {"x": "y"}}}',
            headers={"content-type": "application/merge-patch+json"},
            timeout=0.5,
        )
    assert (await kubernetes.get(f"{path}/a")).json()["metadata"]["annotations"] == {"x": "y"}
    await merge_patch(kubernetes, f"{path}/a", {"metadata": {"annotations": {"x": "y"}}})
    patches = [entry for entry in await items(kubernetes, "/_sim/audit") if entry["verb"] == "PATCH"]
    assert [(entry["path"], entry["code"], entry["changed"]) for entry in patches] == [
        (f"{path}/a", 200, True),
        (f"{path}/a", 200, False),
    ]
    assert patches[0]["userAgent"].startswith("python-httpx")


async def test_a_token_acts_in_its_namespaces_only(kubernetes):
    headers = {"authorization": "Bearer secret-of-operator"}
    assert (await kubernetes.get(ISVCS.format("default"), headers=headers)).status_code == 200
    elsewhere = await kubernetes.get(ISVCS.format("kube-system"), headers=headers)
    assert elsewhere.status_code == 403
    assert 'User "operator" cannot list resource "inferenceservices"' in elsewhere.json()["message"]
    assert (await kubernetes.get("/api/v1/pods", headers={"authorization": "Bearer wrong"})).status_code == 401
    review = {"spec": {"token": "secret-of-operator", "audiences": ["another"]}}
    answer = await kubernetes.post("/apis/authentication.k8s.io/v1/tokenreviews", json=review)
    assert "is invalid for the target audiences" in answer.json()["status"]["error"]


async def test_bookmarks_mark_the_end_of_the_initial_events(kubernetes, namespace):
    await kubernetes.post(ISVCS.format(namespace), json=isvc("a"))
    params = {"sendInitialEvents": "true", "allowWatchBookmarks": "true", "resourceVersionMatch": "NotOlderThan"}
    seen = await watched(kubernetes, ISVCS.format(namespace), **params)
    assert [event["type"] for event in seen][:2] == ["ADDED", "BOOKMARK"]
    assert seen[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_the_official_client_lists_patches_and_deletes(kubernetes, kubernetes_api, namespace):
    await kubernetes.post(ISVCS.format(namespace), json=isvc("a"))
    client = await aio.config.new_client_from_config(config_file=str(kubernetes_api))
    async with client:
        custom = aio.client.CustomObjectsApi(client)
        where = ("serving.kserve.io", "v1beta1", namespace, "inferenceservices")
        operations = [{"op": "add", "path": "/metadata/annotations", "value": {"x": "y"}}]
        changed = await custom.patch_namespaced_custom_object(
            *where, "a", operations, _content_type="application/json-patch+json"
        )
        assert changed["metadata"]["annotations"] == {"x": "y"}
        assert len((await custom.list_namespaced_custom_object(*where))["items"]) == 1
        await custom.delete_namespaced_custom_object(*where, "a")
        pods = await aio.client.CoreV1Api(client).list_namespaced_pod(namespace)
        assert pods.items == []
