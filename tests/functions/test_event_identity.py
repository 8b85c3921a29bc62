"""Against `make run` as it is: no event acts, or is recorded, as another sender's."""

import asyncio
import itertools
import re
import time

import httpx
import pytest
import pytest_asyncio
from supervised import MakeRun

pytestmark = pytest.mark.asyncio(loop_scope="module")
STOP = "dev.modelswitch.model.stop-requested.v1"
_IDS = itertools.count()


class Product:
    def __init__(self, run: MakeRun, client: httpx.AsyncClient) -> None:
        self.run, self.client = run, client
        self.broker = f"http://127.0.0.1:{run.environment['BROKER_PORT']}/modelswitch/modelswitch"
        config = (run.folder / "simulated" / "kubeconfig").read_text()
        self.cluster = re.search(r"server: (\S+)", config)[1]

    async def send(self, model: str, data: dict | None = None, headers: dict | None = None, **attributes: str) -> int:
        namespace, name = model.split("/")
        named = {
            "specversion": "1.0",
            "id": f"id-{next(_IDS)}",
            "source": "/cron",
            "type": STOP,
            "subject": f"namespaces/{namespace}/inferenceservices/{name}",
            **attributes,
        }
        sent = {f"ce-{key}": value for key, value in named.items()} | (headers or {})
        return (await self.client.post(self.broker, json=data or {}, headers=sent)).status_code

    async def stop(self, model: str, key: str) -> httpx.Response:
        namespace, name = model.split("/")
        url = f"{self.run.url}/api/v1/namespaces/{namespace}/models/{name}/stop"
        return await self.client.post(url, json={}, headers={"idempotency-key": key})

    async def is_stopped(self, model: str) -> bool:
        namespace, name = model.split("/")
        path = f"/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices/{name}"
        found = (await self.client.get(self.cluster + path)).json()
        return (found["metadata"].get("annotations") or {}).get("serving.kserve.io/stop") == "true"

    async def allow(self, namespace: str, label: str | None) -> None:
        body = {"metadata": {"labels": {"modelswitch.dev/events": label}}}
        headers = {"content-type": "application/merge-patch+json"}
        await self.client.patch(f"{self.cluster}/api/v1/namespaces/{namespace}", json=body, headers=headers)

    async def audited(self, event_id: str) -> dict:
        """The entry of that event, once it is there."""

        async def look():
            answer = await self.client.get(f"{self.run.url}/api/v1/audit?limit=1000")
            items = answer.json()["items"] if answer.is_success else []
            return next((item for item in items if item["event_id"] == event_id), None)

        return await eventually(look, f"the audit has an entry of {event_id}")


async def eventually(condition, what: str, seconds: float = 60):
    """What `condition` answers once that is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := await condition():
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(tmp_path_factory):
    async with (
        MakeRun(tmp_path_factory.mktemp("run")) as running,
        httpx.AsyncClient(trust_env=False, timeout=20) as client,
    ):
        await running.up()
        yield Product(running, client)


@pytest.mark.parametrize("source", ["rest:alice@example.com", "external:kubectl", "/modelswitch", "event:/cron"])
async def test_a_sender_that_takes_another_s_name_is_refused_and_shown_for_what_it_is(product, source):
    """The event reaches the dead letters; its entry names the source as an event's, and whom it claims to be as a
    claim.
    """
    event_id = f"posed-{next(_IDS)}"
    data = {"actor": "alice@example.com", "reason": "x"}
    assert await product.send("fraud/card-fraud", data, source=source, id=event_id) == 202
    entry = await product.audited(event_id)
    assert (entry["actor"], entry["claimed_actor"]) == (f"event:{source}", "alice@example.com")
    assert entry["code"]
    assert not await product.is_stopped("fraud/card-fraud")


@pytest.mark.parametrize("source", ["rest:local", "/cron"])
async def test_a_refused_event_uses_up_nobody_s_idempotency_key(product, source):
    model = {"rest:local": "search/embeddings", "/cron": "search/answers-llm"}[source]
    if await product.is_stopped(model):
        pytest.fail(f"{model} has to run first")
    await product.allow("search", None)
    key = f"incident-{next(_IDS)}"
    assert await product.send(model, source=source, id=key) == 202
    await product.audited(key)
    answer = await product.stop(model, key)
    assert (answer.status_code, answer.json()["changed"]) == (202, True)
    assert await product.is_stopped(model)
    await product.allow("search", "allow")


async def test_two_tenants_whose_jobs_chose_the_same_source_and_id_are_both_served(product):
    models = ("fraud/device-risk", "fraud/chargeback")
    for model in models:
        assert await product.send(model, id="night-1") == 202
    for model in models:
        await eventually(lambda model=model: product.is_stopped(model), f"{model} is stopped")


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example:8081", "origin": "http://evil.example:8081"},
        {"host": "evil.example"},
        {"origin": "http://evil.example"},
        {"sec-fetch-site": "cross-site"},
    ],
)
async def test_a_page_of_another_site_sends_no_event(product, headers):
    event_id = f"evil-{next(_IDS)}"
    assert await product.send("fraud/card-fraud", source="/e", id=event_id, headers=headers) == 403
    assert not await product.is_stopped("fraud/card-fraud")


async def test_no_secret_of_the_run_is_printed(product):
    state = product.run.folder / "simulated"
    for file in ("delivery-secret", "note-key"):
        assert (state / file).stat().st_mode & 0o077 == 0
        assert (state / file).read_text() not in product.run.text()
    assert "delivery=" not in product.run.text()
