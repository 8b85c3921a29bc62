"""A stop that KServe would ignore, or that would do harm, is refused with the way out."""

import contextlib

import pytest
from api_server import ApiError, models
from deadlines import eventually
from kserve_models import IRIS, LIGHT, MODE, inference_service, knative
from request_in_flight import RequestInFlight


def _refused(place, name, code, *words, **body):
    answer = place.post("stop", name, **body)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, code), answer.text
    said = f"{problem['detail']} {problem['next_action']}"
    assert all(word in said for word in words), said
    assert not place.stop_is_set(name)


def test_where_auto_update_is_disabled(place):
    place.running(inference_service("model"))
    place.annotate("model", disable_auto_update="true")
    _refused(place, "model", "StopUnsupported", "disable-auto-update", "kubectl annotate")
    place.annotate("model", disable_auto_update=None)
    place.stop("model")
    place.until("model", "stopped")


def test_where_a_policy_of_the_cluster_denies_it(place):
    """A change freeze, with a policy that names no reason: the API server answers 422."""
    place.running(inference_service("model"))
    with change_freeze(place):
        answer = place.post("stop", "model", graceful=True, timeout="5s")
        assert (answer.status_code, answer.json()["code"]) == (403, "PolicyRefused"), answer.text
        assert "change freeze until Monday" in answer.json()["detail"]
        place.send("stop", "model")
        refused = eventually(
            lambda: [entry for entry in place.history("model") if entry["code"] == "PolicyRefused"][1:], "both told", 20
        )
        assert all("change freeze until Monday" in entry["message"] for entry in refused)
        assert place.pinned() == []
        assert not place.stop_is_set("model")
    place.stop("model")
    place.until("model", "stopped")


@contextlib.contextmanager
def change_freeze(place):
    """Until a dry run of a change is denied, and after it until one is not."""
    name, group = f"change-freeze-{place.namespace}", "/apis/admissionregistration.k8s.io/v1"
    rule = {"apiGroups": ["serving.kserve.io"], "apiVersions": ["*"], "operations": ["UPDATE"]}
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place.namespace}}}
    policy = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [{**rule, "resources": ["inferenceservices"]}]},
        "validations": [{"expression": "false", "message": "change freeze until Monday"}],
    }
    binding = {"policyName": name, "validationActions": ["Deny"], "matchResources": here}
    made = {"ValidatingAdmissionPolicy": policy, "ValidatingAdmissionPolicyBinding": binding}
    plurals = {"ValidatingAdmissionPolicy": "validatingadmissionpolicies"}
    plurals["ValidatingAdmissionPolicyBinding"] = "validatingadmissionpolicybindings"
    for kind, spec in made.items():
        body = {"apiVersion": group.removeprefix("/apis/"), "kind": kind, "metadata": {"name": name}, "spec": spec}
        place.api.create(f"{group}/{plurals[kind]}", body)
    try:
        eventually(lambda: not _may_change(place), "the freeze is in force", 20)
        yield
    finally:
        for kind in reversed(made):
            place.api.delete(f"{group}/{plurals[kind]}/{name}")
    eventually(lambda: _may_change(place), "the freeze is over", 20)


def _may_change(place):
    try:
        place.api.merge(models(place.namespace, name="model"), {"metadata": {"labels": {"frozen": "no"}}}, dryRun="All")
    except ApiError:
        return False
    return True


def test_where_the_serving_runtime_is_missing(place):
    place.running(inference_service("model"))
    place.delete_runtime(LIGHT)
    _refused(place, "model", "StopUnsupported", LIGHT, "Create ServingRuntime")


def test_where_models_share_pods(place):
    place.make(inference_service("model", mode="ModelMesh"))
    _refused(place, "model", "StopUnsupported", "ModelMesh", MODE)


def test_a_canary_unless_its_promotion_is_accepted(place):
    place.running(knative("model"))
    canary = {"predictor": {"canaryTrafficPercent": 20, "model": {"env": [{"name": "VERSION", "value": "2"}]}}}
    place.api.merge(models(place.namespace, name="model"), {"spec": canary})
    _until_traffic_is_split(place)
    _refused(place, "model", "CanaryInProgress", "20%", "promote_canary")
    place.stop("model", promote_canary=True)
    place.until("model", "stopped")
    place.start("model")
    place.until("model", "running")


def _until_traffic_is_split(place):
    def split():
        status = place.get("model")["status"]["components"]["predictor"]
        return len({target.get("revisionName") for target in status.get("traffic", [])}) > 1

    eventually(split, "the canary has its share", 60)


def test_a_start_while_it_is_stopping_unless_it_may_wait(place):
    place.running(inference_service("model", IRIS))
    place.answers("model")
    RequestInFlight(place.pod_address("model"), "model", 6)
    place.stop("model")
    answer = place.post("start", "model")
    assert (answer.status_code, answer.json()["code"]) == (409, "StopInProgress")
    assert int(answer.headers["retry-after"]) >= 1
    place.start("model", queue=True)
    assert place.shown("model")["queued"]
    place.until("model", "running")


@pytest.mark.parametrize(("restore", "status"), [(True, 202), (False, 409)])
def test_a_start_without_the_autoscaler_where_the_mode_has_no_such_thing(place, restore, status):
    place.running(knative("model"))
    place.stop("model")
    place.until("model", "stopped")
    answer = place.post("start", "model", restore_autoscaling=restore)
    assert answer.status_code == status
    assert answer.json().get("code") in {None, "StartUnsupported"}
