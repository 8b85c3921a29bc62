"""What of a name that a pod's owner chose arrives at a server: one segment of a path, directly and through the API
server.
"""

from dataclasses import replace

import pytest
from hostile_server import MISSING, NOT_FOUND, serving
from kubernetes.aio.client.configuration import Configuration

from functions.adapters.cluster import Cluster, Forbidden
from functions.adapters.kserve.served import Protocol, Server
from functions.adapters.listings import LISTINGS
from functions.adapters.probe import DirectLine, Probe, ProxyLine
from functions.lifecycle.errors import ClusterRefused, StepError
from functions.lifecycle.observation import Answered

PROXIED = "/api/v1/namespaces/tenant/pods/pod-1:{port}/proxy"
HOSTILE = [
    "../../../../../../kube-system/services/http:admin:80/proxy/drain?x=",
    "..",
    ".",
    "%2e%2e/%2e%2e/secrets",
    "..%2f..%2fsecrets",
    "..\\..\\secrets",
    "a/../../../x",
    "a\r\nX-Remote-User: admin",
    "a b",
    "a?x=1#y",
    "//evil.example/x",
    "@evil.example",
    "a" * 10_000,
    "\ud800",
]


def a_server(port, *names):
    protocols = (Protocol.V1, Protocol.V2, Protocol.OPENAI)
    return Server("1", "pod-1", "tenant", "127.0.0.1", port, False, names, False, protocols)


@pytest.fixture(params=["direct", "proxied"])
async def probe_for(request):
    clusters = []

    def made(port):
        if request.param == "direct":
            clusters.append(DirectLine())
            return Probe(clusters[0]), ""
        settings = Configuration()
        settings.host = f"http://127.0.0.1:{port}"
        clusters.append(Cluster(settings))
        return Probe(ProxyLine(clusters[0])), PROXIED.format(port=port)

    yield made
    for one in clusters:
        await one.close()


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
async def test_a_name_stays_within_its_own_segment(probe_for, name):
    async with serving(otherwise=MISSING) as (port, tally):
        probe, prefix = probe_for(port)
        await probe.ask([a_server(port, name, "m")])
    assert f"{prefix}/v1/models/m" in tally.asked
    for path in tally.asked:
        lists = {f"{prefix}{listing.path}" for listing in LISTINGS[Protocol.V1]}
        assert path.startswith(f"{prefix}/v1/models") or path in lists
        assert not {".", ".."} & set(path.split("/"))
        assert "drain" not in path
        assert "secrets" not in path
        assert "?" not in path
    assert not [head for head in tally.heads if "x-remote-user" in head.lower()]


async def test_a_name_with_a_slash_arrives_quoted(probe_for):
    async with serving(otherwise=NOT_FOUND) as (port, tally):
        probe, prefix = probe_for(port)
        await probe.ask([a_server(port, "meta-llama/Llama-3.1")])
    assert f"{prefix}/v1/models/meta-llama%2FLlama-3.1" in tally.asked
    assert f"{prefix}/v2/models/meta-llama%2FLlama-3.1/ready" in tally.asked


async def test_what_is_said_to_be_unusable_is_not_asked(probe_for):
    async with serving(otherwise=MISSING) as (port, tally):
        probe, _ = probe_for(port)
        found = await probe.ask([replace(a_server(port, "m"), unusable="its address is not a pod's")])
    assert found["1"].what is Answered.UNASKABLE
    assert found["1"].detail == "pod-1: its address is not a pod's"
    assert tally.asked == []


@pytest.mark.parametrize("pod", ["../../secrets/x", "a/b?c", "..", ""])
async def test_the_name_of_a_pod_stays_within_its_own_segment_too(pod):
    settings = Configuration()
    async with serving(otherwise=MISSING) as (port, tally):
        settings.host = f"http://127.0.0.1:{port}"
        cluster = Cluster(settings)
        await Probe(ProxyLine(cluster)).ask([replace(a_server(port, "m"), pod=pod)])
        await cluster.close()
    assert all(path.startswith("/api/v1/namespaces/tenant/pods/") for path in tally.asked)
    assert all("/secrets" not in path and "?" not in path for path in tally.asked)


@pytest.mark.parametrize("step", ["..", ".", "%2e%2e", "%252e%252e", "..%2f..", "..\\..", ""])
@pytest.mark.parametrize("verb", ["get", "create", "merge_patch", "delete", "raw"])
async def test_the_api_server_is_asked_for_no_path_with_a_step_in_it(step, verb):
    settings = Configuration()
    async with serving(otherwise=NOT_FOUND) as (port, tally):
        settings.host = f"http://127.0.0.1:{port}"
        cluster = Cluster(settings)
        path = f"/apis/apps/v1/namespaces/tenant/replicasets/{step}/kube-system/secrets/x"
        with pytest.raises(StepError) as refused:
            match verb:
                case "get":
                    await cluster.get(path)
                case "raw":
                    await cluster.raw("GET", path, None, seconds=1, most=1)
                case _:
                    await getattr(cluster, verb)(path, {})
        await cluster.close()
    assert isinstance(refused.value, ClusterRefused)
    assert not isinstance(refused.value, Forbidden)
    assert tally.asked == []
