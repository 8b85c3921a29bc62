"""When a model counts as serving from its claim."""

import pytest
from pvc_objects import isvc, wish

from functions.admin.pvc.verifying import answered, stands
from functions.lifecycle.observation import Answered, PodAnswer

READY = {"status": {"deploymentMode": "Standard", "conditions": [{"type": "Ready", "status": "True"}]}}


def pod(name, *, ready=True, claim="cache", deleting=False, **status):
    volumes = (
        [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}] if claim else [{"name": "v", "emptyDir": {}}]
    )
    metadata = {"name": name, "uid": name, "labels": {"component": "predictor"}}
    if deleting:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {
        "metadata": metadata,
        "spec": {"volumes": volumes, "containers": []},
        "status": {"conditions": conditions, **status},
    }


@pytest.mark.parametrize(
    ("pods", "verified"),
    [
        ([pod("new")], True),
        ([pod("new"), pod("second", ready=False)], True),
        ([pod("new"), pod("old", claim=None, deleting=True)], True),
        ([pod("new"), pod("old", claim=None)], False),
        ([pod("new", ready=False), pod("old", claim=None)], False),
        ([pod("new", claim="another")], False),
        ([pod("new", deleting=True)], False),
        ([], False),
    ],
)
def test_only_ready_pods_with_the_claim_count_and_no_other_may_serve_beside(pods, verified):
    assert stands(wish(), {**isvc(), **READY}, pods).verified is verified


def test_kserve_must_say_ready_too():
    assert not stands(wish(), isvc(), [pod("new")]).verified


def test_scaled_to_zero_says_what_it_does_not_know():
    model = {**isvc(predictor={"minReplicas": 0}), **READY}
    standing = stands(wish(), model, [])
    assert standing.verified
    assert "shows at its first request" in standing.says


def test_a_pod_s_own_trouble_is_told():
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    status = [{"name": "kserve-container", "ready": False, "restartCount": 0, "state": {"waiting": waiting}}]
    standing = stands(wish(), isvc(), [pod("new", ready=False, containerStatuses=status)])
    assert "no such image" in standing.trouble


@pytest.mark.parametrize(
    ("answers", "verified", "said"),
    [
        (["loaded"], True, "have the model loaded"),
        (["missing", "loaded"], True, "have the model loaded"),
        (["missing"], False, "Ready without its model"),
        (["loading"], False, "not loaded yet"),
        (["unanswered", "unaskable"], False, "not loaded yet"),
        (["unaskable"], True, "could not be asked"),
        ([], True, "could not be asked"),
    ],
)
def test_what_the_pods_say_of_their_model_goes_before_kserve_s_ready(answers, verified, said):
    ready = stands(wish(), {**isvc(), **READY}, [pod("new")])
    standing = answered(ready, [PodAnswer(Answered(what), "GET /v1/models/x") for what in answers])
    assert standing.verified is verified
    assert said in f"{standing.says} {standing.trouble}"
