"""The dashboard, the reference and the counters, as a browser or Prometheus gets them."""

import json
import re
from datetime import UTC, datetime, timedelta

from api_rig import OPERATOR, wait_for


def test_the_dashboard_has_its_data_at_first_paint(world, open_api):
    name = world.make()
    open_api.get(f"/api/v1/namespaces/blue/models/{name}/status").raise_for_status()
    world.synced()
    page = open_api.get("/")
    assert page.status_code == 200
    assert f'data-name="{name}"' in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]


def test_pages_bring_everything_themselves(open_api):
    """Scripts and pictures too, down to what a module imports."""
    seen = set()
    for path in ("/", "/docs", "/capacity", "/audit"):
        text = open_api.get(path).text
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", text)
        addresses = [address for address in re.findall(r'(?:src|href)="([^"]+)"', text) if not address.startswith("#")]
        while addresses:
            address = addresses.pop()
            if address in seen or address.startswith("/models/"):  # the audit names models that are gone, too
                continue
            seen.add(address)
            assert address.startswith("/")
            answer = open_api.get(address.replace("&amp;", "&"))
            assert answer.status_code == 200
            if address.endswith(".js"):
                addresses += [f"/static/{name}" for name in re.findall(r'from "\./([^"]+)"', answer.text)]


def test_while_the_list_is_rebuilt_the_page_says_so_and_comes_back(world, open_api):
    world.redis.client().delete("{modelswitch}:synced")
    page = open_api.get("/")
    assert (page.status_code, page.headers["refresh"]) == (503, "2")
    assert "rebuilt" in page.text
    world.synced()


def test_without_a_token_the_page_says_how_to_sign_in(token_api):
    page = token_api.get("/")
    assert page.status_code == 401
    assert "proxy" in page.text
    assert "data-name" not in page.text
    assert token_api.get("/", headers=OPERATOR).status_code in {200, 503}


def test_the_reference_shows_every_operation_of_openapi(open_api):
    document = open_api.get("/openapi.json").json()
    text = open_api.get("/docs").text
    for path, methods in document["paths"].items():
        assert path in text
        for operation in methods.values():
            assert operation["summary"]
    stop = document["paths"]["/api/v1/namespaces/{namespace}/models/{name}/stop"]["post"]
    assert {"200", "202", "401", "403", "404", "409", "413", "422", "503"} <= set(stop["responses"])
    assert "HTTPValidationError" not in str(document)


def test_requests_and_steps_are_counted(world, open_api):
    name = world.make(ready=False)
    open_api.post(f"/api/v1/namespaces/blue/models/{name}/stop")
    text = open_api.get("/metrics").text
    assert 'modelswitch_steps_total{outcome="changed",verb="stop"}' in text
    assert 'route="/api/v1/namespaces/{namespace}/models/{name}/stop"' in text


def test_capacity_counts_hours_of_models_that_were_started_again(world, open_api):
    """The simulated stops are short: the record is made as if the stop had been an hour long."""
    name = world.make()
    address = f"/api/v1/namespaces/blue/models/{name}"
    open_api.post(f"{address}/stop").raise_for_status()
    wait_for(lambda: open_api.get(f"{address}/status").json()["state"] == "stopped", "it is stopped")
    world.synced()
    key = f"{{modelswitch}}:model:namespaces/blue/inferenceservices/{name}"
    redis = world.redis.client()
    record = json.loads(redis.hget(key, "doc"))
    an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    record["receipt"] |= {"gpus": 2, "memory": "4Gi", "stopped_at": an_hour_ago}
    redis.hset(key, "doc", json.dumps(record))
    before = open_api.get("/api/v1/capacity").json()["total"]["saved"]
    open_api.post(f"{address}/start").raise_for_status()
    after = open_api.get("/api/v1/capacity").json()
    assert 1.99 < after["total"]["saved"]["gpu_hours"] < 2.2
    assert after["total"]["saved"]["stops"] >= max(1, before["stops"])
    assert "receipt" in after["how"]
    assert "deleted" in after["limits"]
    page = open_api.get("/capacity").text
    assert f"/models/blue/InferenceService/{name}" in page.split('class="plain-table savings"')[1]
    assert "2.00 GPU hours, 4.0 GiB hours, 1 stop since" in open_api.get(f"/models/blue/InferenceService/{name}").text


def test_gpus_that_could_not_be_counted_are_shown_as_unknown_on_every_page(world, open_api):
    name = world.make()
    address = f"/api/v1/namespaces/blue/models/{name}"
    open_api.post(f"{address}/stop").raise_for_status()
    wait_for(lambda: open_api.get(f"{address}/status").json()["state"] == "stopped", "it is stopped")
    world.synced()
    key = f"{{modelswitch}}:model:namespaces/blue/inferenceservices/{name}"
    redis = world.redis.client()
    record = json.loads(redis.hget(key, "doc"))
    assert "gpus_exact" not in open_api.get(f"{address}/status").json()["receipt"]
    record["receipt"] |= {"gpus": 0, "gpus_exact": False}
    redis.hset(key, "doc", json.dumps(record))
    assert open_api.get(f"{address}/status").json()["receipt"]["gpus_exact"] is False
    assert "an unknown number of GPUs" in open_api.get(f"/models/blue/InferenceService/{name}").text
    assert '<span class="freed">? freed</span>' in open_api.get("/").text
    assert "that could not be counted: there are more GPUs" in open_api.get("/capacity").text
    assert open_api.get("/api/v1/capacity").json()["total"]["gpus_exact"] is False
    open_api.post(f"{address}/start").raise_for_status()


def test_status_and_confirmation_name_the_canaries_of_standard_mode(world, open_api):
    name = world.make(canary=["v2"])
    address = f"/api/v1/namespaces/blue/models/{name}/status"
    told = "he canary v2 gets 10% of the traffic"
    wait_for(lambda: told in (open_api.get(address).json()["message"] or ""), "its canary is named")
    assert open_api.get(address).json()["reason"] == "Canary"
    asked = {"verb": "stop", "models": [{"namespace": "blue", "name": name, "kind": "InferenceService"}]}
    plan = open_api.post("/plan", json=asked)
    assert plan.status_code == 200
    assert f"t{told}. Canaries stop with it, and the next start brings them back" in plan.text
