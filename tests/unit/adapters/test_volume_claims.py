"""Before a reload: which claims of a model's pods keep a new pod from running beside the old one."""

from datetime import UTC, datetime

import pytest
from aiohttp import web

from events.model import ModelRef
from functions.adapters.kserve.grace import Grace
from functions.adapters.kserve.observer import Observer
from functions.adapters.kserve.resources import Resources
from functions.adapters.probe import Probe, ProxyLine
from functions.lifecycle.observation import NarrowClaim

REF = ModelRef(namespace="ml", name="scorer")
MODEL = {
    "metadata": {"name": "scorer", "namespace": "ml", "uid": "m"},
    "spec": {"predictor": {}},
    "status": {"deploymentMode": "Standard"},
}
POD = {
    "metadata": {
        "name": "scorer-1",
        "uid": "u1",
        "labels": {"serving.kserve.io/inferenceservice": "scorer", "component": "predictor"},
    },
    "spec": {
        "nodeName": "n",
        "containers": [{"name": "kserve-container"}],
        "volumes": [{"name": "a", "persistentVolumeClaim": {"claimName": "models"}}, {"name": "b", "emptyDir": {}}, 3],
    },
}


@pytest.fixture
def look(cluster, api_server):
    observer = Observer(
        cluster, Resources(cluster), Grace(cluster), Probe(ProxyLine(cluster)), lambda: datetime.now(UTC)
    )

    async def look(claim, status=200, verb="reload"):
        def answer(request):
            if request.path == "/api/v1/namespaces/ml/persistentvolumeclaims/models":
                return web.json_response(claim, status=status)
            if request.path.endswith("/inferenceservices/scorer"):
                return web.json_response(MODEL)
            if request.path.endswith("/pods"):
                return web.json_response({"items": [POD]})
            return web.json_response({}, status=404)

        api_server.answers = answer
        return (await observer.observe(REF, verb=verb)).narrow_claims

    return look


def claim(*modes):
    return {"spec": {"accessModes": list(modes)}}


async def test_claims_of_one_node_or_one_pod_are_found(look):
    assert await look(claim("ReadWriteOnce")) == (NarrowClaim("models"),)
    assert await look(claim("ReadWriteOncePod")) == (NarrowClaim("models", one_pod=True),)
    assert await look(claim("ReadWriteOnce"), verb="stop") == ()


@pytest.mark.parametrize(
    ("found", "status"),
    [
        (claim("ReadWriteMany"), 200),
        (claim("ReadWriteOnce", "ReadOnlyMany"), 200),
        ({"spec": {"accessModes": 3}}, 200),
        ([], 200),
        ({}, 403),
        ({}, 404),
        ({}, 500),
    ],
)
async def test_others_and_what_can_t_be_read_are_no_obstacle(look, found, status):
    assert await look(found, status) == ()
