"""On a real cluster, overlay per-namespace: our accounts list and change what opted in, and nothing else."""

import os
import secrets
import subprocess
from datetime import UTC, datetime

import pytest
from model_objects import LABELS, model, replica_set
from real_cluster import KUBECONFIG, Caller, Rights, configuration_of, connect, kubectl, needs_a_cluster, wait_until
from rendered import KNATIVE

from events.model import Kind, ModelRef
from functions.adapters.kserve.grace import Grace
from functions.adapters.kserve.handover import Handovers
from functions.adapters.kserve.observer import Observer
from functions.adapters.kserve.resources import Resources
from functions.adapters.probe import Probe
from functions.adapters.selected_cluster import SelectedCluster

pytestmark = needs_a_cluster

PLACE = "/apis/serving.kserve.io/v1beta1/namespaces"
STOP = {"metadata": {"annotations": {"serving.kserve.io/stop": "true", "modelswitch.dev/stop": "{}"}}}


def opt(way, models, installation):
    environment = {**os.environ, "KUBECONFIG": KUBECONFIG, "MODELS": models, "NAMESPACE": installation}
    return subprocess.run(
        [str(KNATIVE / "opt-in.sh"), way], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture(scope="module")
def scene():
    """An installation, a namespace that opted in and one that did not, each with a model."""
    run = secrets.token_hex(3)
    with connect() as http:
        admin = Caller(http)
        rights = Rights(admin, f"rights-some-{run}", "per-namespace").put()
        inside, outside = f"rights-in-{run}", f"rights-out-{run}"
        for name in (inside, outside):
            assert admin.create("/api/v1/namespaces", {"metadata": {"name": name}}).status_code == 201
            assert admin.create(f"{PLACE}/{name}/inferenceservices", model()).status_code == 201
        assert opt("in", inside, rights.namespace).returncode == 0
        lifecycle = Caller(http, rights.account("modelswitch-lifecycle"))
        wait_until(lambda: lifecycle.request("GET", f"{PLACE}/{inside}/inferenceservices").status_code == 200)
        wait_until(lambda: lifecycle.request("GET", "/api/v1/namespaces").status_code == 200)
        yield http, rights, inside, outside
        for name in (inside, outside):
            admin.delete(f"/api/v1/namespaces/{name}")
        rights.remove()


@pytest.fixture(params=["modelswitch-lifecycle", "modelswitch-api"])
async def cluster(scene, request, tmp_path):
    """The product's own client with a real token of the account."""
    http, rights, _, _ = scene
    client = SelectedCluster(configuration_of(http, rights, request.param, tmp_path))
    client.select(f"modelswitch.dev/installation={rights.namespace}")
    yield client
    await client.close()


async def test_what_opted_in_is_listed_and_looked_at_and_nothing_else(scene, cluster):
    _, _, inside, outside = scene
    resources, grace = Resources(cluster), Grace(cluster)
    observer = Observer(cluster, resources, grace, Probe(None), lambda: datetime.now(UTC))
    for kind in Kind:
        pages = [page async for page in observer.pages(kind, "", lambda: True)]
        found = [seen.ref.namespace for page in pages for seen in page.observations]
        assert found == ([inside] if kind is Kind.INFERENCE_SERVICE else [])
    assert [ref.namespace for ref in await observer.find("scorer", Kind.INFERENCE_SERVICE)] == [inside]
    assert await grace.pinned_models() == []
    assert await Handovers(cluster).models_left() == []
    assert await cluster.list_all("/api/v1/resourcequotas") == []
    assert (await observer.observe(ModelRef(namespace=inside, name="scorer"))).exists
    assert not (await observer.observe(ModelRef(namespace=outside, name="scorer"))).exists


def test_a_model_is_stopped_only_where_its_namespace_opted_in(scene):
    http, rights, inside, outside = scene
    for account in ("modelswitch-lifecycle", "modelswitch-api"):
        ours = Caller(http, rights.account(account))
        assert ours.merge(f"{PLACE}/{inside}/inferenceservices/scorer", STOP).status_code == 200
        assert ours.merge(f"{PLACE}/{outside}/inferenceservices/scorer", STOP).status_code == 403


async def test_a_namespace_with_the_label_and_without_the_rights_hides_no_other(scene, cluster):
    """Only an administrator can label a Namespace, and may forget to bind the roles."""
    http, rights, inside, outside = scene
    admin = Caller(http)
    label = {"metadata": {"labels": {"modelswitch.dev/installation": rights.namespace}}}
    assert admin.merge(f"/api/v1/namespaces/{outside}", label).status_code == 200
    try:
        found = await cluster.list_all("/apis/serving.kserve.io/v1beta1/inferenceservices")
        assert [item["metadata"]["namespace"] for item in found] == [inside]
    finally:
        admin.merge(f"/api/v1/namespaces/{outside}", {"metadata": {"labels": {"modelswitch.dev/installation": None}}})


def test_opting_out_takes_the_rights_back(scene):
    http, rights, _, outside = scene
    lifecycle = Caller(http, rights.account("modelswitch-lifecycle"))
    path = f"{PLACE}/{outside}/inferenceservices"
    assert opt("in", outside, rights.namespace).returncode == 0
    wait_until(lambda: lifecycle.request("GET", path).status_code == 200)
    assert opt("out", outside, rights.namespace).returncode == 0
    wait_until(lambda: lifecycle.request("GET", path).status_code == 403)
    bindings = kubectl("-n", outside, "get", "rolebindings", "-o", "name").stdout
    assert "modelswitch" not in bindings


def test_opting_out_waits_for_a_stop_in_progress(scene):
    """Nothing could remove the pin without rights, and the pods would stay."""
    http, rights, inside, _ = scene
    admin, workloads = Caller(http), f"/apis/apps/v1/namespaces/{inside}/replicasets"
    made = replica_set("pinned", {**LABELS, "modelswitch.dev/pinned": "true"})
    assert admin.create(workloads, made).status_code == 201
    done = opt("out", inside, rights.namespace)
    assert (done.returncode, "replicaset.apps/pinned" in done.stderr) == (1, True)
    lifecycle = Caller(http, rights.account("modelswitch-lifecycle"))
    assert lifecycle.request("GET", f"{PLACE}/{inside}/inferenceservices").status_code == 200
    admin.delete(f"{workloads}/pinned")


def test_undeploy_takes_the_bindings_of_every_namespace_along(scene):
    """Last: the installation is gone then."""
    _, rights, inside, _ = scene
    with connect() as http:
        other = Rights(Caller(http), f"rights-other-{secrets.token_hex(3)}").put()  # so that no pins are cleared
        try:
            done = subprocess.run(
                [str(KNATIVE / "undeploy.sh")],
                env={**os.environ, "KUBECONFIG": KUBECONFIG, "NAMESPACE": rights.namespace},
                capture_output=True, text=True, check=False, timeout=300,
            )  # fmt: skip
        finally:
            other.remove()
    assert done.returncode == 0, done.stderr
    assert "modelswitch" not in kubectl("-n", inside, "get", "rolebindings", "-o", "name").stdout
    assert "modelswitch.dev/installation" not in kubectl("get", "namespace", inside, "-o", "yaml").stdout
