"""On a real API server: our own accounts write what the product writes, and nothing else, with a token of their own."""

import base64
import secrets
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from kubernetes.aio.client.configuration import Configuration
from model_objects import LABELS, model, pod, replica_set, stateful_set
from real_cluster import KUBECONFIG, Caller, needs_a_cluster, wait_until

from events.model import ModelRef
from functions.adapters.cluster import Cluster
from functions.adapters.kserve.grace import Grace
from functions.adapters.kserve.handover import Handovers
from functions.lifecycle.effects import EndPods, MarkPod, PinOwners, UnpinOwners
from functions.lifecycle.observation import Handover, Owner

pytestmark = [needs_a_cluster, pytest.mark.usefixtures("in_force")]

ACCOUNTS = ["modelswitch-lifecycle", "modelswitch-api"]
STOP, OURS = "serving.kserve.io/stop", "modelswitch.dev/stop"
FOREIGN = {"app": "foreign"}
PLURALS = {"ReplicaSet": "replicasets", "StatefulSet": "statefulsets"}


@pytest.fixture(scope="module")
def places(tenant):
    return {
        "models": f"/apis/serving.kserve.io/v1beta1/namespaces/{tenant}/inferenceservices",
        "replicasets": f"/apis/apps/v1/namespaces/{tenant}/replicasets",
        "statefulsets": f"/apis/apps/v1/namespaces/{tenant}/statefulsets",
        "pods": f"/api/v1/namespaces/{tenant}/pods",
    }


@pytest.fixture(scope="module")
def in_force(admin, installation, places, token):
    """Policies and roles that were just made take the API server a moment."""
    assert admin.create(places["pods"], pod("foreign", FOREIGN)).status_code == 201
    ours = token("modelswitch-lifecycle")
    wait_until(lambda: ours.request("GET", places["models"]).status_code == 200)
    wait_until(lambda: "only pods of models" in ours.delete(f"{places['pods']}/foreign?dryRun=All").text)


@pytest.fixture(scope="module")
def tokens(admin, installation):
    """Real ones, as the pods have: what a thief would use."""

    def fetch(account):
        path = f"/api/v1/namespaces/{installation.namespace}/serviceaccounts/{account}/token"
        done = admin.create(path, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})
        assert done.status_code == 201, done.text
        return done.json()["status"]["token"]

    return fetch


@pytest.fixture(scope="module")
def token(http, tokens):
    class Thief(Caller):
        def __init__(self, account):
            super().__init__(http)
            self._headers = [("authorization", f"Bearer {tokens(account)}")]

    return Thief


@pytest.fixture(params=ACCOUNTS)
def account(request):
    return request.param


@pytest.fixture
def ours(account, token):
    return token(account)


@pytest.fixture
async def cluster(account, tokens, tmp_path):
    """The product's own client, as this account."""
    server = yaml.safe_load(Path(KUBECONFIG).read_text())["clusters"][0]["cluster"]
    (tmp_path / "ca.crt").write_bytes(base64.b64decode(server["certificate-authority-data"]))
    configuration = Configuration(host=server["server"], api_key={"BearerToken": f"Bearer {tokens(account)}"})
    configuration.ssl_ca_cert = str(tmp_path / "ca.crt")
    client = Cluster(configuration)
    yield client
    await client.close()


@pytest.fixture
def make(admin, places):
    made = []

    def create(kind, build, *arguments, **more):
        name = f"x{secrets.token_hex(4)}"
        done = admin.create(places[kind], build(name, *arguments, **more))
        assert done.status_code == 201, done.text
        made.append(f"{places[kind]}/{name}")
        return done.json()

    yield create
    for path in made:
        admin.merge(path, {"metadata": {"finalizers": None}})
        admin.delete(path, {"gracePeriodSeconds": 0})


def path_of(places, item):
    kinds = {"InferenceService": "models", "Pod": "pods", **PLURALS}
    return f"{places[kinds[item['kind']]]}/{item['metadata']['name']}"


def annotated(**annotations):
    return {"metadata": {"annotations": annotations}}


def refused(done, words):
    assert done.status_code == 403, done.text
    assert words in done.json()["message"], done.text


# --- what the product writes, by its own adapters ---------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "build"), [("ReplicaSet", replica_set), ("StatefulSet", stateful_set)])
async def test_a_models_workload_may_be_pinned_and_unpinned(admin, make, places, tenant, cluster, kind, build):
    made = make(PLURALS[kind], build)
    owner = Owner(kind, made["metadata"]["name"], made["metadata"]["uid"])
    ref, grace = ModelRef(namespace=tenant, name="scorer"), Grace(cluster)
    await grace.pin(PinOwners(ref, (owner,)))
    assert admin.get(path_of(places, made))["metadata"]["finalizers"] == ["modelswitch.dev/grace"]
    assert [pin.owner for pin in await grace.pins_of(ref)] == [owner]
    await grace.unpin(UnpinOwners(ref, (owner,)))
    assert "finalizers" not in admin.get(path_of(places, made))["metadata"]


async def test_pods_of_a_pinned_workload_may_be_ended(admin, make, places, tenant, cluster):
    made = make("replicasets", replica_set, replicas=1)
    owner = Owner("ReplicaSet", made["metadata"]["name"], made["metadata"]["uid"])
    listed = lambda: admin.get(f"{places['pods']}?labelSelector=serving.kserve.io/inferenceservice=scorer")["items"]  # noqa: E731
    owned = lambda: [p for p in listed() if p["metadata"].get("ownerReferences", [{}])[0].get("uid") == owner.uid]  # noqa: E731
    wait_until(owned)
    ref, grace = ModelRef(namespace=tenant, name="scorer"), Grace(cluster)
    await grace.pin(PinOwners(ref, (owner,)))
    admin.delete(path_of(places, made))
    await grace.end_pods(EndPods(ref, (owner,), grace=1))
    wait_until(lambda: not owned() and admin.request("GET", path_of(places, made)).status_code == 404)


async def test_an_old_pod_may_be_kept_leave_its_service_and_be_taken_back(admin, make, places, tenant, cluster):
    made = make("pods", pod)
    name, uid, now = made["metadata"]["name"], made["metadata"]["uid"], datetime.now(UTC)
    ref, handovers = ModelRef(namespace=tenant, name="scorer"), Handovers(cluster)
    for mark in (Handover.KEPT, None, Handover.KEPT, Handover.LEAVING):
        await cluster.merge_patch(f"{path_of(places, made)}/status", {})
        await handovers.mark(MarkPod(ref, name, uid, mark, now))
        labels = admin.get(path_of(places, made))["metadata"]["labels"]
        assert labels.get("modelswitch.dev/handover") == mark
        assert ("app" in labels) == (mark is not Handover.LEAVING)


def test_a_stop_a_digest_and_a_start_may_be_written_on_a_model(ours, make, places):
    path = path_of(places, make("models", model))
    for change in (
        {STOP: "true", OURS: "{}", "serving.kserve.io/autoscalerClass": None},
        {STOP: None, OURS: None, "serving.kserve.io/autoscalerClass": "external"},
        {"modelswitch.dev/artifact-digest": "sha256:1"},
        {"serving.kserve.io/deploymentMode": "Standard"},  # as KServe's webhook adds it to the update of another
    ):
        done = ours.merge(path, annotated(**change))
        assert done.status_code == 200, done.text


def test_a_large_model_can_be_stopped(ours, admin, make, places):
    """A policy's expressions have a budget, and what exceeds it is refused."""
    path = path_of(places, make("models", model))
    env = [{"name": f"VARIABLE_{number}", "value": "x" * 200} for number in range(2000)]
    many = {f"example.com/annotation-{number}": "x" * 100 for number in range(500)}
    change = {"metadata": {"annotations": many, "labels": many_labels()}}
    spec = {"predictor": {"containers": [{"name": "kserve-container", "image": "docker.io/local/none:1", "env": env}]}}
    assert admin.merge(path, {**change, "spec": spec}).status_code == 200
    done = ours.merge(path, annotated(**{STOP: "true", OURS: "{}"}))
    assert done.status_code == 200, done.text


def test_a_pod_and_a_workload_with_many_labels_can_be_marked_and_pinned(ours, make, places):
    labels, notes = {**LABELS, **many_labels()}, {f"example.com/{number}": "x" * 100 for number in range(300)}
    old = path_of(places, make("pods", pod, labels, notes))
    done = ours.merge(f"{old}/status", {"metadata": {"labels": {"modelswitch.dev/handover": "kept"}}})
    assert done.status_code == 200, done.text
    workload = path_of(places, make("replicasets", replica_set, labels))
    done = ours.merge(workload, {"metadata": {"finalizers": ["modelswitch.dev/grace"]}})
    assert done.status_code == 200, done.text


def many_labels():
    return {f"example.com/label-{number}": "x" * 50 for number in range(300)}


# --- what a stolen token can't do -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "build"), [("replicasets", replica_set), ("statefulsets", stateful_set)])
def test_a_stolen_token_changes_no_pod_template_and_no_replicas(ours, make, places, kind, build):
    path = path_of(places, make(kind, build))
    image = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "evil:1"}]
    account = [{"op": "add", "path": "/spec/template/spec/serviceAccountName", "value": "cluster-admin"}]
    replicas = [{"op": "replace", "path": "/spec/replicas", "value": 5}]
    for operations in (image, account, replicas):
        refused(ours.patch(path, *operations), "never change a workload's spec")


@pytest.mark.parametrize(
    "change",
    [
        {"finalizers": ["example.com/other"]},
        {"finalizers": ["modelswitch.dev/grace", "example.com/other"]},
        {"labels": {"app": "other"}},
        {"labels": {"app": None}},
        {"labels": {"new": "label"}},
        {"annotations": {"new": "annotation"}},
        {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "x"}]},
    ],
)
def test_a_stolen_token_changes_only_our_marks_on_a_workload(ours, make, places, change):
    refused(
        ours.merge(path_of(places, make("replicasets", replica_set)), {"metadata": change}), "change only the finalizer"
    )


def test_a_stolen_token_removes_no_foreign_finalizer(ours, admin, make, places):
    path = path_of(places, make("replicasets", replica_set))
    assert admin.merge(path, {"metadata": {"finalizers": ["example.com/other"]}}).status_code == 200
    refused(ours.merge(path, {"metadata": {"finalizers": None}}), "change only the finalizer")


def test_a_stolen_token_pins_no_workload_that_is_no_models(ours, make, places):
    path = path_of(places, make("replicasets", replica_set, {"app": "its-own"}))
    refused(ours.merge(path, {"metadata": {"finalizers": ["modelswitch.dev/grace"]}}), "pin only workloads of models")


def test_a_stolen_token_deletes_no_pod_that_is_no_models(ours, make, places):
    refused(ours.delete(path_of(places, make("pods", pod, FOREIGN))), "only pods of models")


@pytest.mark.parametrize(
    "labels",
    [
        LABELS,
        {"serving.kserve.io/inferencegraph": "g"},
        {"app.kubernetes.io/part-of": "llminferenceservice", "app.kubernetes.io/name": "a"},
    ],
)
def test_pods_of_every_kind_of_model_may_be_deleted_but_not_by_force(ours, make, places, labels):
    on_a_node = path_of(places, make("pods", pod, labels, node="rights-none"))
    refused(ours.delete(on_a_node, {"gracePeriodSeconds": 0}), "grace 0")
    pending = path_of(places, make("pods", pod, labels))  # which the API server always deletes with grace 0
    for path in (on_a_node, pending):
        done = ours.delete(path, {"gracePeriodSeconds": 1})
        assert done.status_code == 200, done.text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"metadata": {"labels": {"serving.kserve.io/inferenceservice": "x"}}}, "change only the label"),
        ({"metadata": {"labels": {"app": None}}}, "change only the label"),
        (
            {"metadata": {"labels": {"modelswitch.dev/handover": "leaving", "app": "another-service"}}},
            "change only the label",
        ),
        ({"metadata": {"labels": {"modelswitch.dev/handover": "other"}}}, "change only the label"),
        ({"metadata": {"annotations": {"new": "annotation"}}}, "change only the label"),
        ({"status": {"phase": "Succeeded"}}, "never change a pod's spec or status"),
        ({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}, "never change a pod's spec or status"),
        ({"status": {"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}]}}, "never change a pod's spec or status"),
    ],
)
def test_a_stolen_token_changes_only_our_marks_on_a_pod(ours, make, places, change, words):
    refused(ours.merge(f"{path_of(places, make('pods', pod))}/status", change), words)


def test_a_stolen_token_makes_no_foreign_pod_a_models(ours, make, places):
    path = f"{path_of(places, make('pods', pod, FOREIGN))}/status"
    for labels in ({"serving.kserve.io/inferenceservice": "x"}, {"modelswitch.dev/handover": "kept"}):
        refused(ours.merge(path, {"metadata": {"labels": labels}}), "only pods of models")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"spec": {"predictor": {"serviceAccountName": "cluster-admin"}}}, "never change a model's spec"),
        ({"spec": {"predictor": {"minReplicas": 9}}}, "never change a model's spec"),
        ({"metadata": {"labels": {"team": "other"}}}, "labels, finalizers or owners"),
        ({"metadata": {"labels": {"new": "label"}}}, "labels, finalizers or owners"),
        ({"metadata": {"finalizers": ["example.com/other"]}}, "labels, finalizers or owners"),
        (annotated(**{"serving.kserve.io/storageSecretName": "x"}), "serving.kserve.io/storageSecretName"),
        (annotated(owner=None), "this request changes owner"),
        (annotated(**{"serving.kserve.io/deploymentMode": "ModelMesh"}), "serving.kserve.io/deploymentMode"),
    ],
)
def test_a_stolen_token_changes_only_our_annotations_of_a_model(ours, make, places, change, words):
    there = {"owner": "a", "serving.kserve.io/deploymentMode": "Standard"}
    refused(ours.merge(path_of(places, make("models", model, there)), change), words)


@pytest.mark.parametrize("verb", ["create", "delete"])
def test_wider_rights_by_mistake_let_our_accounts_create_and_delete_no_model(
    admin, http, installation, tenant, make, places, verb
):
    """A cluster's admin who binds more to them than rbac.yaml does still has the policies."""
    group = "rbac.authorization.k8s.io"
    body = {
        "metadata": {"generateName": "too-much-"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "modelswitch-watch", "namespace": installation.namespace}],
    }
    assert admin.create(f"/apis/{group}/v1/namespaces/{tenant}/rolebindings", body).status_code == 201
    caller = Caller(http, installation.account("modelswitch-watch"))
    path = path_of(places, make("models", model))
    send = {"create": lambda: caller.create(places["models"], model("new")), "delete": lambda: caller.delete(path)}[
        verb
    ]
    wait_until(lambda: "create and delete nothing of KServe's" in send().text)


def test_nobody_else_is_held_to_them(admin, alice, make, places):
    workload, one = make("replicasets", replica_set, {"app": "its-own"}), make("pods", pod, FOREIGN)
    assert alice.merge(path_of(places, workload), {"spec": {"replicas": 1}}).status_code == 200
    assert alice.delete(path_of(places, one), {"gracePeriodSeconds": 0}).status_code == 200


# --- marks of a handover ----------------------------------------------------------------------------------------------


def test_a_tenant_can_mark_no_pod_so_that_its_replicaset_could_not_delete_it(alice, make, places):
    path = path_of(places, make("pods", pod))
    marked = {"metadata": {"labels": {"modelswitch.dev/handover": "kept"}}}
    refused(alice.merge(path, marked), "only modelswitch marks pods")
    refused(alice.merge(f"{path}/status", marked), "only modelswitch marks pods")
    refused(
        alice.create(places["pods"], pod("new", {**LABELS, "modelswitch.dev/handover": "kept"})),
        "only modelswitch marks",
    )


def test_a_tenant_may_remove_a_mark_and_change_a_marked_pod(alice, ours, make, places):
    path = path_of(places, make("pods", pod))
    assert (
        ours.merge(f"{path}/status", {"metadata": {"labels": {"modelswitch.dev/handover": "kept"}}}).status_code == 200
    )
    assert alice.merge(path, {"metadata": {"labels": {"other": "label"}}}).status_code == 200
    assert alice.merge(path, {"metadata": {"labels": {"modelswitch.dev/handover": None}}}).status_code == 200


@pytest.mark.parametrize(("mark", "status"), [("kept", 422), ("leaving", 422), ("other", 200)])
def test_only_an_old_pod_of_a_reload_withstands_its_replicaset(admin, http, make, places, mark, status):
    """A ReplicaSet that was refused tries again, for a moment from a cache in which a leaving pod is still its own."""
    path = path_of(places, make("pods", pod, {**LABELS, "modelswitch.dev/handover": mark}))
    controller = Caller(http, "system:serviceaccount:kube-system:replicaset-controller")
    done = controller.delete(f"{path}?dryRun=All")
    assert done.status_code == status, done.text
    assert admin.delete(f"{path}?dryRun=All").status_code == 200
