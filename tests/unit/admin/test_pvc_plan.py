"""The plan: from what is wanted and what is there to checks and changes, without a cluster."""

import json
from dataclasses import replace

import pytest
from pvc_objects import DIGEST, claim, isvc, runtime, seen, storage_class, wish

from functions.admin.pvc import manifests, showing
from functions.admin.pvc.planning import make_plan
from functions.admin.pvc.seen import UNREADABLE
from functions.admin.pvc.verdicts import Verdict
from functions.admin.pvc.volumes import record_key


def said(plan, verdict):
    return [f"{check.about}: {check.message}" for check in plan.checks if check.verdict is verdict]


def refusals(plan):
    return said(plan, Verdict.REFUSED)


def kinds(plan):
    return [change.after["kind"] for change in plan.changes]


def test_everything_is_made_in_the_order_in_which_it_is_needed():
    plan = make_plan(wish(new_name="granite-pvc", runtime_copy="granite-rt"), seen(served=None))
    assert refusals(plan) == []
    assert kinds(plan) == ["StorageClass", "PersistentVolumeClaim", "Job", "ServingRuntime", "InferenceService"]


def test_the_clone_of_a_class_differs_in_its_policy_and_is_never_the_default():
    plan = make_plan(wish(), seen(classes=(storage_class(default=True, parameters={"type": "gp3"}),)))
    clone = plan.storage_class.after
    assert clone["metadata"] == {"name": "gp3-retain", "labels": {"app.kubernetes.io/managed-by": "modelswitch"}}
    assert (clone["reclaimPolicy"], clone["provisioner"], clone["parameters"]) == (
        "Retain",
        "ebs.csi.aws.com",
        {"type": "gp3"},
    )
    assert plan.claim.after["spec"]["storageClassName"] == "gp3-retain"


def test_a_clone_that_is_there_is_used():
    classes = (storage_class(default=True), storage_class("gp3-retain", "Retain"))
    plan = make_plan(wish(), seen(classes=classes))
    assert plan.storage_class is None
    assert plan.claim.after["spec"]["storageClassName"] == "gp3-retain"


def test_something_else_of_the_clone_s_name_is_refused():
    classes = (storage_class(default=True), storage_class("gp3-retain", "Retain", parameters={"type": "io2"}))
    (refusal,) = refusals(make_plan(wish(), seen(classes=classes)))
    assert "gp3-retain is something else than gp3 with Retain" in refusal


def test_who_may_not_make_a_class_is_told_that_an_administrator_must():
    plan = make_plan(wish(), seen(denied=frozenset({("create", "storageclasses")})))
    (refusal,) = refusals(plan)
    assert "belongs to the whole cluster, and you may not create one" in refusal
    assert any("+kind: StorageClass" in line for line in showing.lines(plan)), "what the administrator is to apply"


@pytest.mark.parametrize(
    ("classes", "options", "expected"),
    [
        ((), {}, "none is named and the cluster has no default"),
        ((storage_class(),), {"storage_class": "gold"}, "there is no gold"),
        (UNREADABLE, {}, "you may not read StorageClasses, and none is named"),
    ],
)
def test_without_a_class_nothing_is_guessed(classes, options, expected):
    (refusal,) = refusals(make_plan(wish(**options), seen(classes=classes)))
    assert expected in refusal


@pytest.mark.parametrize(
    ("found", "options", "expected"),
    [
        (claim(size="1Gi"), {"size": "20Gi"}, "size 1Gi, wanted 20Gi"),
        (claim(size="1Gi"), {"size": None, "artifact_size": 2 * 1024**3}, "too small: 1Gi for an artifact of 2Gi"),
        (claim(class_name="nfs"), {"storage_class": "gp3"}, "StorageClass nfs, wanted gp3"),
        (claim(), {"access_mode": "ReadWriteMany"}, "access modes ReadWriteOnce, wanted ReadWriteMany"),
        (claim(volumeMode="Block"), {}, "raw block device"),
    ],
)
def test_a_claim_that_does_not_fit_is_refused(found, options, expected):
    (refusal,) = refusals(make_plan(wish(**options), seen(claim=found)))
    assert expected in refusal


def test_a_new_claim_that_is_too_small_is_refused():
    (refusal,) = refusals(make_plan(wish(size="1Gi", artifact_size=2 * 1024**3), seen()))
    assert "too small" in refusal


def test_the_size_of_a_new_claim_is_not_guessed_for_what_is_on_s3():
    (refusal,) = refusals(make_plan(wish(size=None), seen()))
    assert "the size that the claim needs is unknown" in refusal


def test_one_node_at_a_time_is_said_where_there_are_several():
    plan = make_plan(wish(), seen(nodes=3))
    assert any("on a cluster of 3 nodes" in note and "one node" in note for note in said(plan, Verdict.NOTE))
    assert not any(
        "3 nodes" in note for note in said(make_plan(wish(access_mode="ReadWriteMany"), seen(nodes=3)), Verdict.NOTE)
    )


def test_one_pod_at_a_time_is_refused_for_a_model_of_two():
    model = isvc(predictor={"minReplicas": 2})
    (refusal,) = refusals(make_plan(wish(access_mode="ReadWriteOncePod"), seen(model)))
    assert "lets one pod mount it, the model wants 2" in refusal


def test_a_volume_that_goes_with_its_claim_is_said_with_the_way_to_keep_it():
    volume = {"metadata": {"name": "pv-1"}, "spec": {"persistentVolumeReclaimPolicy": "Delete"}}
    plan = make_plan(wish(), seen(claim=claim(), volume=volume))
    (check,) = [check for check in plan.checks if check.about == "reclaim policy"]
    assert check.verdict is Verdict.NOTE
    assert "kubectl patch pv pv-1" in check.next


@pytest.mark.parametrize(
    ("storage", "expected"),
    [
        ({"storageUri": "ftp://models/x"}, "has no scheme that KServe loads from"),
        ({"storageUri": "gs://models/x"}, "only s3:// is copied"),
        ({"storageUri": "pvc://other/x"}, "served from pvc://other/x already"),
        ({"storageUri": "s3://models/../x"}, "must not have . or .. in it"),
        ({"storage": {"key": "minio", "path": "x"}}, "wants key 'minio' of the storage secret, which has no entry"),
        ({"modelFormat": {"name": "y"}}, "names no artifact"),
    ],
)
def test_what_can_t_be_copied_from_is_refused(storage, expected):
    (refusal,) = refusals(make_plan(wish(), seen(isvc(**storage))))
    assert expected in refusal


def test_key_and_path_are_put_together_with_the_secret_s_bucket():
    model = isvc(storage={"key": "minio", "path": "/granite-7b/", "parameters": {"region": "eu"}})
    plan = make_plan(wish(), seen(model, storage_secret={"minio": {"type": "s3", "bucket": "models"}}))
    copying = plan.loader.after["spec"]["template"]["spec"]["initContainers"][1]
    assert copying["args"][0] == "s3://models/granite-7b"
    assert copying["env"] == [
        {"name": "STORAGE_CONFIG", "valueFrom": {"secretKeyRef": {"name": "storage-config", "key": "minio"}}},
        {"name": "STORAGE_OVERRIDE_CONFIG", "value": '{"region": "eu"}'},
    ]
    assert "storage" not in plan.service.after["spec"]["predictor"]["model"]


def test_where_the_secret_may_not_be_read_the_pod_says_what_it_copied():
    initializer = {"name": "storage-initializer", "image": "i:1", "args": ["s3://b/granite", "/mnt/models"]}
    initializer["env"] = [{"name": "STORAGE_CONFIG", "valueFrom": {"secretKeyRef": {"name": "s", "key": "minio"}}}]
    initializer["volumeMounts"] = [
        {"name": "kserve-provision-location", "mountPath": "/mnt/models"},
        {"name": "cabundle-cert", "mountPath": "/etc/ssl/custom-certs"},
        {"name": "kube-api-access-x", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
    ]
    volumes = [
        {"name": "kserve-provision-location", "emptyDir": {}},
        {"name": "cabundle-cert", "configMap": {"name": "bundle"}},
        {"name": "kube-api-access-x", "projected": {}},
    ]
    pod = {"metadata": {"name": "p"}, "spec": {"initContainers": [initializer], "volumes": volumes, "containers": []}}
    model = isvc(storage={"key": "minio", "path": "granite"})
    plan = make_plan(wish(), seen(model, storage_secret=None, pods=(pod,)))
    spec = plan.loader.after["spec"]["template"]["spec"]
    assert spec["initContainers"][1]["args"][0] == "s3://b/granite"
    assert spec["initContainers"][1]["env"] == initializer["env"]
    assert [volume["name"] for volume in spec["volumes"]] == ["claim", "cabundle-cert"]


def test_the_account_s_secret_is_used_as_kserve_uses_it():
    annotations = {"serving.kserve.io/s3-endpoint": "minio:9000", "serving.kserve.io/s3-usehttps": "0"}
    secret = {"metadata": {"name": "s3", "annotations": annotations}, "data": {"awsSecretAccessKey": ""}}
    env = make_plan(wish(), seen(account_secrets=(secret,))).loader.after["spec"]["template"]["spec"]["initContainers"][
        1
    ]["env"]
    plain = {one["name"]: one.get("value") for one in env}
    assert plain["AWS_ENDPOINT_URL"] == "http://minio:9000"
    assert "AWS_SECRET_ACCESS_KEY" in plain


def test_openshift_chooses_the_loader_s_user():
    namespace = {"metadata": {"annotations": {"openshift.io/sa.scc.uid-range": "1000620000/10000"}}}
    spec = make_plan(wish(), seen(namespace=namespace)).loader.after["spec"]["template"]["spec"]
    assert "securityContext" not in spec
    spec = make_plan(wish(), seen()).loader.after["spec"]["template"]["spec"]
    assert spec["securityContext"]["fsGroup"] == 1000


@pytest.mark.parametrize("path", ["/mnt/models", "/mnt", "/mnt/models/deep", "/mnt/models/"])
def test_a_copied_runtime_has_no_empty_dir_for_the_model(path):
    plan = make_plan(wish(runtime_copy="rt"), seen(runtime=runtime(path)))
    made = plan.runtime.after
    assert (made["kind"], made["metadata"]["namespace"]) == ("ServingRuntime", "llm")
    assert [volume["name"] for volume in made["spec"]["volumes"]] == ["shm"]
    assert [mount["name"] for mount in made["spec"]["containers"][0]["volumeMounts"]] == ["shm"]
    assert plan.service.after["spec"]["predictor"]["model"]["runtime"] == "rt"


def test_another_runtime_of_the_copy_s_name_is_refused():
    (refusal,) = refusals(make_plan(wish(runtime_copy="rt"), seen(runtime_copy={"spec": {"containers": []}})))
    assert "rt is there with other settings" in refusal


def test_a_new_model_takes_nothing_of_the_old_one_s_stop_or_history():
    marks = {"serving.kserve.io/stop": "true", "modelswitch.dev/stop": "{}", manifests.LAST_APPLIED: "{}", "team": "x"}
    made = make_plan(wish(new_name="new"), seen(isvc(annotations=marks), served=None)).service.after
    assert set(made["metadata"]["annotations"]) == {"team", manifests.DIGEST_ANNOTATION}


def test_a_name_that_is_taken_by_something_else_is_refused():
    (refusal,) = refusals(make_plan(wish(new_name="other"), seen(served=isvc("other"))))
    assert "other is there already and is something else" in refusal


def test_who_applies_the_old_object_again_is_named():
    managed = isvc()
    managed["metadata"]["managedFields"] = [{"manager": "argocd-controller"}]
    assert any("argocd-controller" in note for note in said(make_plan(wish(), seen(managed)), Verdict.NOTE))


def test_missing_rights_are_listed_before_anything_is_changed():
    denied = frozenset({("create", "jobs"), ("patch", "inferenceservices"), ("create", "pods/exec")})
    (refusal,) = refusals(make_plan(wish(), seen(denied=denied)))
    assert "you may not create jobs, patch inferenceservices" in refusal


def recorded(wanted, **more):
    note = {"source": "s3://models/granite", "digest": DIGEST, "size": 5, "files": 1, "published": True, **more}
    return claim(annotations={record_key(wanted): json.dumps(note)})


def test_what_was_copied_is_not_copied_again():
    wanted = wish()
    plan = make_plan(wanted, seen(claim=recorded(wanted)))
    assert kinds(plan) == ["InferenceService"]
    assert plan.service.after["metadata"]["annotations"][manifests.DIGEST_ANNOTATION] == DIGEST


def test_when_all_is_there_nothing_is_to_be_done_whatever_was_reloaded_since():
    wanted = wish()
    done = isvc(storageUri="pvc://cache/granite", annotations={manifests.DIGEST_ANNOTATION: "sha256:later"})
    plan = make_plan(wanted, seen(done, claim=recorded(wanted)))
    assert plan.nothing_to_do


def test_another_artifact_on_the_same_path_is_refused():
    wanted = wish()
    found = recorded(wanted, source="s3://models/other")
    (refusal,) = refusals(make_plan(wanted, seen(claim=found)))
    assert "holds something else already" in refusal


def test_all_that_is_wrong_is_said_at_once():
    broken = replace(seen(isvc(storageUri="gs://x/y")), claim=claim(size="1Gi"), nodes=2)
    assert len(refusals(make_plan(wish(size="9Gi"), broken))) == 2


def test_a_model_that_is_not_there_is_all_there_is_to_say():
    (refusal,) = refusals(make_plan(wish(), replace(seen(), model=None)))
    assert "there is no InferenceService granite in namespace llm" in refusal
