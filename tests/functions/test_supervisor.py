"""`make run` as a whole: everything comes up, a part that is killed comes back, and nothing is left at the end."""

import asyncio
import contextlib
import os
import signal
import socket
import time
from itertools import product as product_of

import httpx
import pytest
import pytest_asyncio
from broker_process import until
from supervised import MakeRun, is_gone, parent_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
EVERYBODY = {"redis", "kubernetes", "kserve", "broker", "source", "api"} | {
    "command",
    "artifact_written",
    "pod_status",
    "tick",
    "dead_letter",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(tmp_path_factory):
    async with MakeRun(tmp_path_factory.mktemp("run")) as running:
        await running.up()
        yield running


async def test_everything_is_up_and_said_so_once(product):
    assert await product.healthy()
    assert product.pids().keys() == EVERYBODY
    assert product.text().count("modelswitch is up") == 1
    for word in (product.url, "/modelswitch/modelswitch", "KUBECONFIG=", "modelswitch stop", "ce-type:"):
        assert word in product.text()


async def test_the_sample_models_are_listed_at_once(product):
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{product.url}/api/v1/models")
        end = time.monotonic() + 2  # the list is there after the first tick, which the source asks for when it starts
        while answer.status_code == 503 and time.monotonic() < end:
            await asyncio.sleep(0.05)
            answer = await client.get(f"{product.url}/api/v1/models")
    assert answer.status_code == 200
    assert "anomaly-detector" in answer.text


async def test_every_port_refuses_what_another_sites_page_asks_for(product):
    ports = product.ports()
    assert set(ports.values()) == EVERYBODY - {"kserve", "source"} | {"supervisor"}
    async with httpx.AsyncClient(trust_env=False) as client:
        for port, part in ports.items():
            if part == "redis":
                assert not await redis_obeys_a_browser(port)
                continue
            foreign = [{"host": f"evil.example:{port}"}, {"origin": f"http://evil.example:{port}"}, {"origin": "null"}]
            for path, headers in product_of(("/", "/healthz", "/metrics", "/robots.txt"), foreign):
                for method in ("GET", "POST"):
                    answer = await client.request(method, f"http://127.0.0.1:{port}{path}", headers=headers)
                    assert answer.status_code == 403, (part, method, path, headers)


async def redis_obeys_a_browser(port):
    """Whether a command in the body of a form post is carried out: a Redis server ends the connection at `POST` or
    `Host:`.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST / HTTP/1.1\r\nHost: evil.example\r\n\r\nSET stolen yes\r\n")
    answer = await reader.read()
    writer.close()
    return b"OK" in answer


async def test_every_line_carries_its_writers_name(product):
    assert product.said("kubernetes       | simulated Kubernetes API listens")
    assert product.said("broker           | http://")


async def test_a_second_run_in_the_same_folder_is_refused(product):
    async with MakeRun(product.folder) as second:
        assert await second.ended() == 1
    assert second.said("already at work in this folder")
    assert second.said(str(product.process.pid))


@pytest.mark.parametrize("name", ["command", "broker", "source", "redis", "api"])
async def test_a_killed_part_comes_back_and_it_is_said(product, name):
    before = product.pids()[name]
    os.kill(before, signal.SIGKILL)
    await until(lambda: product.pids().get(name) not in {None, before}, f"{name} has a new process")
    await until(lambda: is_gone(before), "the old one's workers are gone")
    assert product.said(f"{name} ended (killed by SIGKILL); it starts again")
    end = time.monotonic() + 20
    while not await product.healthy():
        assert time.monotonic() < end, product.text()
        await asyncio.sleep(0.1)


async def test_the_samples_are_made_again_when_the_simulated_cluster_was_killed(product):
    made = product.text().count("sample objects made")
    os.kill(product.pids()["kubernetes"], signal.SIGKILL)
    await until(lambda: product.text().count("sample objects made") > made, "the samples are made again", 30)


async def test_everything_comes_back_when_the_process_that_forks_it_was_killed(product):
    before = product.pids()
    os.kill(parent_of(before["command"]), signal.SIGKILL)
    await until(lambda: not set(before.values()) & set(product.pids().values()), "everybody has a new process", 30)
    assert all(is_gone(pid) for pid in before.values())
    end = time.monotonic() + 30
    while not await product.healthy():
        assert time.monotonic() < end, product.text()
        await asyncio.sleep(0.1)


async def test_an_interrupt_ends_everything_within_seconds(tmp_path):
    async with MakeRun(tmp_path) as running:
        await running.up()
        pids = running.pids()
        begun = time.monotonic()
        running.process.send_signal(signal.SIGINT)
        assert await running.ended() == 0
    assert time.monotonic() - begun < 8
    assert not [name for name, pid in pids.items() if not is_gone(pid)]
    assert running.said("modelswitch has ended")


@pytest.mark.parametrize("text", ["simulated Kubernetes API listens", "takes events"])
async def test_an_interrupt_while_everything_starts_is_heard(tmp_path, text):
    async with MakeRun(tmp_path) as running:
        await until(lambda: running.said(text), "the first parts are there")
        pids = running.pids()
        begun = time.monotonic()
        running.process.send_signal(signal.SIGTERM)
        assert await running.ended() == 0
    assert time.monotonic() - begun < 5
    assert not [name for name, pid in pids.items() if not is_gone(pid)]
    assert "Traceback" not in running.text()


async def test_nothing_outlives_a_killed_supervisor(tmp_path):
    async with MakeRun(tmp_path) as running:
        await running.up()
        pids = running.pids()
        running.process.kill()
        await running.process.wait()
    try:
        await until(lambda: all(is_gone(pid) for pid in pids.values()), "every part has ended", 10)
    finally:
        for pid in pids.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


async def test_what_is_missing_is_said_when_it_does_not_come_up(tmp_path):
    """It is said again and again; the first time the machine may still be busy with other parts too."""

    def told():
        return running.said("api says") and running.said("still waiting for api;")

    async with MakeRun(tmp_path, REDIS_URL="redis://127.0.0.1:9/0") as running:
        try:
            await until(told, "what is missing is said, and why", 40)
        except AssertionError as error:
            raise AssertionError(f"{error}; it said:\n{running.text()}") from error
    assert "Redis does not answer" in running.text()


@pytest.mark.parametrize("which", ["PORT", "BROKER_PORT"])
async def test_a_taken_port_is_said_with_the_way_out_before_anything_starts(tmp_path, which):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        async with MakeRun(tmp_path, **{which: port}) as running:
            assert await running.ended() == 1
    assert running.said(f"port {port}")
    assert running.said(f"{which}=")
    assert not (tmp_path / "processes.json").exists()


async def test_a_kubeconfig_that_does_not_exist_is_said(tmp_path):
    async with MakeRun(tmp_path, KUBECONFIG=str(tmp_path / "nowhere")) as running:
        assert await running.ended() == 1
    assert running.said("does not exist")
