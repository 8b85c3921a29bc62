"""The stand-in for ApiServerSource and PingSource, as a real process between the simulated API and a real subscriber."""

import asyncio
import contextlib
import itertools
import json
import os
from pathlib import Path

import aiohttp
import pytest
import yaml
from broker_process import ROOT, subscribing, until
from forked import Forked

from functions.local.broker.manifests import ManifestError
from functions.local.source.manifests import Watched, load
from functions.local.supervisor.ports import free_ports

LABEL = {"serving.kserve.io/inferenceservice": "m"}
_NUMBERS = itertools.count()


@contextlib.asynccontextmanager
async def process(folder, module, *arguments, **environment):
    """A module of ours; gives a function of its lines so far."""
    log = folder / f"{module}-{next(_NUMBERS)}.log"
    started = Forked(module, [*map(str, arguments)], log, {**os.environ, **environment})
    try:
        yield lambda: log.read_text().splitlines()
    finally:
        started.terminate()
        await asyncio.to_thread(started.wait)


def simulated(port: int, kubeconfig: Path):
    return process(kubeconfig.parent, "functions.local.kubernetes", "--port", port, "--kubeconfig-out", kubeconfig)


@contextlib.asynccontextmanager
async def watched_cluster(folder, sink_url):
    """(API URL, the API's lines, the source's lines) once the source watches."""
    (port,) = free_ports(1)
    kubeconfig = folder / "kubeconfig"
    async with simulated(port, kubeconfig) as api:
        await until(api, "the simulated API listens")
        environment = {"KUBECONFIG": str(kubeconfig)}
        async with process(folder, "functions.local.source", "--sink", sink_url, **environment) as source:
            await until(lambda: any("watches http" in line for line in source()), "the source watches")
            yield f"http://127.0.0.1:{port}", source


async def make_pod(api: str, name: str, labels: dict[str, str]):
    pod = {"metadata": {"name": name, "labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    body = {"apiVersion": "v1", "kind": "Pod", **pod}
    url = f"{api}/api/v1/namespaces/default/pods"
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as answer:
        assert answer.status == 201, await answer.text()


def resource_events(sink):
    return [item for item in sink.arrived if item.headers["ce-type"].startswith("dev.knative.apiserver.resource.")]


async def test_a_models_pod_becomes_the_event_that_knative_would_send(tmp_path):
    async with subscribing() as sink, watched_cluster(tmp_path, sink.url) as (api, _):
        await make_pod(api, "unrelated", {})
        await make_pod(api, "m-1", LABEL)
        await until(lambda: resource_events(sink), "the pod's event")
        event = resource_events(sink)[0]
        expected = {
            "ce-specversion": "1.0",
            "ce-type": "dev.knative.apiserver.resource.add",
            "ce-source": api,
            "ce-subject": "/apis/v1/namespaces/default/pods/m-1",
            "ce-kind": "Pod",
            "ce-apiversion": "v1",
            "ce-name": "m-1",
            "ce-namespace": "default",
            "content-type": "application/json",
        }
        assert {name: event.headers.get(name) for name in expected} == expected
        assert json.loads(event.body)["metadata"]["labels"] == LABEL
        async with aiohttp.ClientSession() as session:
            await session.delete(f"{api}/api/v1/namespaces/default/pods/m-1")
        types = lambda: [item.headers["ce-type"].rsplit(".", 1)[1] for item in resource_events(sink)]  # noqa: E731
        await until(lambda: types()[-1] == "delete", "the deletion's event")
        assert "update" in types()
        assert not any("unrelated" in item.headers["ce-name"] for item in resource_events(sink))


async def test_pings_come_on_schedule(tmp_path):
    async with subscribing() as sink, watched_cluster(tmp_path, sink.url):
        pings = lambda: [item for item in sink.arrived if item.headers["ce-type"] == "dev.knative.sources.ping"]  # noqa: E731
        await until(lambda: len(pings()) >= 3, "the first one at once, then two on schedule")
        first, second = pings()[1:3]
        assert first.headers["ce-source"] == "/apis/v1/namespaces/modelswitch/pingsources/tick"
        assert first.body == b"{}"
        assert second.at - first.at == pytest.approx(5, abs=0.5)
        assert first.headers["ce-id"] != second.headers["ce-id"]


async def test_it_goes_on_after_the_api_and_the_sink_were_away(tmp_path):
    (port,) = free_ports(1)
    kubeconfig = tmp_path / "kubeconfig"
    async with subscribing() as early:
        sink_port = int(early.url.rsplit(":", 1)[1])
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(contextlib.AsyncExitStack())
        await until_listens(await first.enter_async_context(simulated(port, kubeconfig)))
        source = await stack.enter_async_context(
            process(tmp_path, "functions.local.source", "--sink", early.url, KUBECONFIG=str(kubeconfig))
        )
        await until(lambda: any("watches http" in line for line in source()), "the source watches")
        await first.aclose()
        await until(lambda: any("can't watch" in line for line in source()), "it says that the API is away")
        await until_listens(await stack.enter_async_context(simulated(port, kubeconfig)))
        await until(lambda: any("watches again" in line for line in source()), "it says that the API is back")
        async with subscribing(sink_port) as sink:
            number = 0
            while not resource_events(sink):
                number += 1
                await make_pod(f"http://127.0.0.1:{port}", f"m-{number}", LABEL)
                await asyncio.sleep(0.2)


async def until_listens(lines):
    await until(lines, "the simulated API listens")


async def test_a_resource_that_the_cluster_lacks_is_said_once(tmp_path):
    sources = {
        "apiVersion": "sources.knative.dev/v1",
        "kind": "ApiServerSource",
        "metadata": {"name": "some"},
        "spec": {"mode": "Resource", "resources": [{"apiVersion": "none.example/v1", "kind": "Nothing"}]},
    }
    (tmp_path / "sources.yaml").write_text(yaml.safe_dump(sources))
    (port,) = free_ports(1)
    async with simulated(port, tmp_path / "kubeconfig") as api:
        await until_listens(api)
        arguments = ("functions.local.source", "--sink", "http://127.0.0.1:9", "--manifests", tmp_path / "sources.yaml")
        async with process(tmp_path, *arguments, KUBECONFIG=str(tmp_path / "kubeconfig")) as source:
            await until(lambda: any("watches http" in line for line in source()), "it goes on")
            assert sum("no such resource" in line for line in source()) == 1


def test_the_repositorys_own_sources_are_read():
    watched, (ping,) = load([ROOT / "knative/base"])
    assert Watched("v1", "Pod", "serving.kserve.io/inferenceservice") in watched
    assert Watched("v1", "Pod", "app.kubernetes.io/part-of=llminferenceservice") in watched
    assert {item.kind for item in watched} == {"Pod", "InferenceService", "LLMInferenceService", "InferenceGraph"}
    assert ping.every == 5


@pytest.mark.parametrize("schedule", ["0 * * * *", "*/90 * * * * *", "*/5 * * * * MON"])
def test_a_schedule_that_can_not_be_kept_is_refused(tmp_path, schedule):
    ping = {"apiVersion": "sources.knative.dev/v1", "kind": "PingSource", "metadata": {"name": "p"}}
    (tmp_path / "p.yaml").write_text(yaml.safe_dump({**ping, "spec": {"schedule": schedule}}))
    with pytest.raises(ManifestError, match="schedule"):
        load([tmp_path])
