"""Objects that other people's objects name, such as the owner of a pod: only what can be called so is asked for."""

import pytest
from hostile_server import NOT_FOUND, answer, serving
from kubernetes.aio.client.configuration import Configuration

from events.location import Location
from events.model import ModelRef
from functions.adapters.cluster import Cluster
from functions.adapters.kserve.grace import Grace
from functions.adapters.kserve.runtimes import Runtimes
from functions.admin.pvc.reading import read
from functions.admin.pvc.wish import Wish
from functions.lifecycle.effects import PinOwners
from functions.lifecycle.observation import Owner

REF = ModelRef(namespace="tenant", name="m")
NAMES = ["../../../other/replicasets/x", "x/scale", "x?fieldManager=y", "x#y", "..", "%2e%2e%2fx", "x" * 300, ""]


@pytest.fixture
async def asked():
    """An API server that finds nothing but the tenant's model; what it was asked for, and a Cluster for it."""
    settings = Configuration()
    async with serving(paths := {}, otherwise=NOT_FOUND) as (port, tally):
        settings.host = f"http://127.0.0.1:{port}"
        cluster = Cluster(settings)
        yield cluster, tally, paths
        await cluster.close()


def within(tally, *places):
    for target in tally.asked:
        path = target.partition("?")[0]
        assert any(path.startswith(place) and "/" not in path.removeprefix(place) for place in places), target
        assert "?fieldManager=y" not in target


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
async def test_a_pods_owner_leads_to_no_other_object(asked, name):
    cluster, tally, _ = asked
    await Grace(cluster).pin(PinOwners(REF, (Owner("ReplicaSet", name, "uid"),)))
    within(tally, "/apis/apps/v1/namespaces/tenant/replicasets/")


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
async def test_a_models_runtime_leads_to_no_other_object(asked, name):
    cluster, tally, _ = asked
    await Runtimes(cluster).find("tenant", name)
    places = "namespaces/tenant/servingruntimes/", "clusterservingruntimes/"
    within(tally, *(f"/apis/serving.kserve.io/v1alpha1/{place}" for place in places))


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
async def test_what_a_model_names_leads_a_plan_of_pvc_to_no_other_object(asked, name):
    cluster, tally, paths = asked
    account = "/api/v1/namespaces/tenant/serviceaccounts/default"
    model = "/apis/serving.kserve.io/v1beta1/namespaces/tenant/inferenceservices/m"
    claim = "/api/v1/namespaces/tenant/persistentvolumeclaims/c"
    annotations = {"serving.kserve.io/storageSecretName": name}
    metadata = {"name": "m", "namespace": "tenant", "uid": "u", "annotations": annotations}
    paths[model] = answer(200, {"metadata": metadata, "spec": {"predictor": {"model": {"runtime": name}}}})
    paths[claim] = answer(200, {"metadata": {"name": "c"}, "spec": {"volumeName": name}})
    paths[account] = answer(200, {"metadata": {"name": "default"}, "secrets": [{"name": name}]})
    paths["/api/v1/nodes"] = answer(200, {"metadata": {}, "items": []})
    paths["/api/v1/namespaces/tenant/pods"] = answer(200, {"metadata": {}, "items": []})
    await read(cluster, Wish("tenant", "m", Location.parse("pvc://c/m")))
    named = [target for target in tally.asked if target.startswith(("/api/v1/namespaces/tenant/secrets", "/api/v1/p"))]
    assert all(target.count("/") <= 6 and "?" not in target for target in named), named
    assert not [target for target in tally.asked if "/other/" in target or "scale" in target.split("/")]
