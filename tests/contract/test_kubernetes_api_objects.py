"""Objects: the same assertions on the simulated and on a real API server."""

from kubernetes_requests import CONFIGMAPS, ISVCS, PODS, isvc, json_patch, merge_patch, pod

STOP = "serving.kserve.io/stop"


async def test_a_failed_json_patch_test_is_422_invalid_and_changes_nothing(kubernetes, namespace):
    path = ISVCS.format(namespace)
    made = (await kubernetes.post(path, json=isvc("a"))).json()
    answer = await json_patch(
        kubernetes,
        f"{path}/a",
        {"op": "test", "path": "/metadata/uid", "value": "another"},
        {"op": "add", "path": "/metadata/annotations", "value": {STOP: "true"}},
    )
    assert (answer.status_code, answer.json()["reason"]) == (422, "Invalid")
    assert (await kubernetes.get(f"{path}/a")).json() == made


async def test_a_json_patch_on_annotations_leaves_the_generation_and_names_its_manager(kubernetes, namespace):
    path = ISVCS.format(namespace)
    made = (await kubernetes.post(path, json=isvc("a"))).json()
    answer = await json_patch(
        kubernetes,
        f"{path}/a",
        {"op": "test", "path": "/metadata/uid", "value": made["metadata"]["uid"]},
        {"op": "test", "path": "/metadata/annotations", "value": None},
        {"op": "add", "path": "/metadata/annotations", "value": {STOP: "true"}},
        fieldManager="operator",
    )
    meta = answer.json()["metadata"]
    assert answer.status_code == 200
    assert (meta["generation"], meta["annotations"]) == (1, {STOP: "true"})
    assert int(meta["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
    who = next(entry for entry in meta["managedFields"] if entry["manager"] == "operator")
    assert who["operation"] == "Update"
    assert who["fieldsV1"] == {"f:metadata": {"f:annotations": {".": {}, f"f:{STOP}": {}}}}
    gone = await merge_patch(kubernetes, f"{path}/a", {"metadata": {"annotations": None}})
    assert not [entry for entry in gone.json()["metadata"]["managedFields"] if entry["manager"] == "operator"]
    assert "annotations" not in gone.json()["metadata"]


async def test_a_patch_that_changes_nothing_writes_nothing(kubernetes, namespace):
    path = ISVCS.format(namespace)
    made = (await kubernetes.post(path, json=isvc("a", annotations={"x": "y"}))).json()
    same = await merge_patch(kubernetes, f"{path}/a", {"metadata": {"annotations": {"x": "y"}}}, fieldManager="other")
    assert same.json() == made


async def test_the_generation_counts_changes_of_the_spec_and_not_of_the_status(kubernetes, namespace):
    path = ISVCS.format(namespace)
    await kubernetes.post(path, json=isvc("a"))
    status = await merge_patch(kubernetes, f"{path}/a/status", {"status": {"url": "http://a.test"}})
    assert status.json()["status"] == {"url": "http://a.test"}
    assert status.json()["metadata"]["generation"] == 1
    main = await merge_patch(kubernetes, f"{path}/a", {"status": {"url": "http://b.test"}})
    assert main.json()["status"] == {"url": "http://a.test"}
    spec = await merge_patch(kubernetes, f"{path}/a", {"spec": {"predictor": {"minReplicas": 0}}})
    assert spec.json()["metadata"]["generation"] == 2


async def test_a_put_with_an_old_resource_version_is_a_conflict(kubernetes, namespace):
    path = ISVCS.format(namespace)
    made = (await kubernetes.post(path, json=isvc("a"))).json()
    await merge_patch(kubernetes, f"{path}/a", {"metadata": {"annotations": {"x": "y"}}})
    answer = await kubernetes.put(f"{path}/a", json=made)
    assert (answer.status_code, answer.json()["reason"]) == (409, "Conflict")
    assert "the object has been modified" in answer.json()["message"]


async def test_errors_are_statuses_in_the_real_wording(kubernetes, namespace):
    path = ISVCS.format(namespace)
    await kubernetes.post(path, json=isvc("a"))
    again = await kubernetes.post(path, json=isvc("a"))
    assert (again.status_code, again.json()["reason"]) == (409, "AlreadyExists")
    assert again.json()["message"] == 'inferenceservices.serving.kserve.io "a" already exists'
    missing = await kubernetes.get(f"{path}/zz")
    assert missing.status_code == 404
    assert missing.json()["message"] == 'inferenceservices.serving.kserve.io "zz" not found'
    assert missing.json()["details"] == {"name": "zz", "group": "serving.kserve.io", "kind": "inferenceservices"}
    wrong = await kubernetes.post(path, json=isvc("A_b"))
    assert (wrong.status_code, wrong.json()["reason"]) == (422, "Invalid")
    assert wrong.json()["details"]["causes"][0]["field"] == "metadata.name"
    nowhere = await kubernetes.post(ISVCS.format("no-such-namespace"), json=isvc("a"))
    assert nowhere.json()["message"] == 'namespaces "no-such-namespace" not found'
    strategic = {"content-type": "application/strategic-merge-patch+json"}
    assert (await kubernetes.patch(f"{path}/a", content="{}", headers=strategic)).status_code == 415
    unmatched = await kubernetes.get(path, params={"fieldSelector": "spec.foo=b"})
    assert (unmatched.status_code, unmatched.json()["message"]) == (400, "field label not supported: spec.foo")


async def test_delete_preconditions_must_hold(kubernetes, namespace):
    path = ISVCS.format(namespace)
    made = (await kubernetes.post(path, json=isvc("a"))).json()
    for condition in ({"uid": "another"}, {"resourceVersion": "1"}):
        answer = await kubernetes.request("DELETE", f"{path}/a", json={"preconditions": condition})
        assert (answer.status_code, answer.json()["reason"]) == (409, "Conflict")
        assert "in the precondition" in answer.json()["message"]
    right = {"preconditions": {"uid": made["metadata"]["uid"]}}
    answer = await kubernetes.request("DELETE", f"{path}/a", json=right)
    assert (answer.status_code, answer.json()["status"]) == (200, "Success")
    assert answer.json()["details"]["uid"] == made["metadata"]["uid"]


async def test_a_finalizer_keeps_a_deleted_object_and_no_other_can_be_added(kubernetes, namespace):
    path = ISVCS.format(namespace)
    await kubernetes.post(path, json=isvc("a", finalizers=["example.com/a"]))
    deleted = (await kubernetes.delete(f"{path}/a")).json()
    assert deleted["metadata"]["deletionTimestamp"]
    assert deleted["metadata"]["generation"] == 2
    more = await merge_patch(kubernetes, f"{path}/a", {"metadata": {"finalizers": ["example.com/a", "example.com/b"]}})
    assert more.status_code == 422
    assert "no new finalizers can be added" in more.json()["message"]
    assert (await merge_patch(kubernetes, f"{path}/a", {"metadata": {"finalizers": None}})).status_code == 200
    assert (await kubernetes.get(f"{path}/a")).status_code == 404


async def test_an_llm_inference_service_is_served_in_both_versions(kubernetes, namespace):
    path = "/apis/serving.kserve.io/{}/namespaces/" + namespace + "/llminferenceservices"
    body = {"metadata": {"name": "l"}, "spec": {"model": {"uri": "hf://a/b"}}}
    kind = {"apiVersion": "serving.kserve.io/v1alpha1", "kind": "LLMInferenceService"}
    made = await kubernetes.post(path.format("v1alpha1"), json=kind | body)
    assert (made.status_code, made.json()["apiVersion"]) == (201, "serving.kserve.io/v1alpha1")
    shown = (await kubernetes.get(path.format("v1alpha2") + "/l")).json()
    assert shown["apiVersion"] == "serving.kserve.io/v1alpha2"
    assert shown["metadata"]["uid"] == made.json()["metadata"]["uid"]


async def test_server_side_apply_creates_then_merges_and_records_its_manager(kubernetes, namespace):
    path = CONFIGMAPS.format(namespace) + "/c"
    headers = {"content-type": "application/apply-patch+yaml"}
    body = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\ndata:\n  a: '1'\n"
    first = await kubernetes.patch(path, content=body, headers=headers, params={"fieldManager": "git"})
    assert first.status_code == 201
    second = await kubernetes.patch(path, content=body + "  b: '2'\n", headers=headers, params={"fieldManager": "git"})
    assert second.json()["data"] == {"a": "1", "b": "2"}
    entry = next(entry for entry in second.json()["metadata"]["managedFields"] if entry["manager"] == "git")
    assert entry["operation"] == "Apply"


async def test_a_pod_that_is_on_no_node_goes_at_once(kubernetes, namespace):
    path = PODS.format(namespace)
    body = pod("p")
    body["spec"]["nodeSelector"] = {"no": "such-node"}
    await kubernetes.post(path, json=body)
    deleted = await kubernetes.delete(f"{path}/p")
    assert deleted.json()["kind"] == "Pod"
    assert (await kubernetes.get(f"{path}/p")).status_code == 404


async def test_token_and_access_reviews_have_the_real_shapes(kubernetes):
    kind = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
    bad = await kubernetes.post(
        "/apis/authentication.k8s.io/v1/tokenreviews", json={**kind, "spec": {"token": "no-such-token"}}
    )
    assert (bad.status_code, bad.json()["status"]["user"]) == (201, {})
    assert "authenticated" not in bad.json()["status"]
    assert "invalid bearer token" in bad.json()["status"]["error"]
    reviews = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    what = {"namespace": "default", "verb": "patch", "group": "serving.kserve.io", "resource": "inferenceservices"}
    kind = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview"}
    for group, allowed in (("system:masters", True), ("system:authenticated", False)):
        spec = {"user": "nobody", "groups": [group], "resourceAttributes": what}
        answer = await kubernetes.post(reviews, json={**kind, "spec": spec})
        assert (answer.status_code, answer.json()["status"]["allowed"]) == (201, allowed)
    empty = await kubernetes.post(reviews, json={**kind, "spec": {"user": "nobody"}})
    assert empty.status_code == 422
    own = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    mine = await kubernetes.post(
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", json={**own, "spec": {"resourceAttributes": what}}
    )
    assert mine.json()["status"]["allowed"] is True
