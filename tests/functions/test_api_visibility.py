"""Who may see one namespace sees nothing of another: on no page, in no count, no event, no plan."""

import json
from datetime import UTC, datetime

import pytest
from api_rig import BOSS, READER, STRANGER, wait_for

from events.model import Kind
from events.status import Endpoints, ModelStatus, Resources, State
from functions.api.pages.rows import button_of


@pytest.fixture(scope="module")
def secret(world, token_api):
    """A model in a namespace that the stranger may not see, stopped by the boss; and one that the stranger may see."""
    hidden, shown = world.make("green", "secretive"), world.make("blue")
    for namespace, name in (("green", hidden), ("blue", shown)):
        token_api.get(f"/api/v1/namespaces/{namespace}/models/{name}/status", headers=BOSS).raise_for_status()
        token_api.post(f"/api/v1/namespaces/{namespace}/models/{name}/stop", headers=BOSS).raise_for_status()
    world.synced()
    return hidden


PAGES = [
    "/",
    "/?namespace=green",
    "/?sort=gpus&group=namespace",
    "/capacity",
    "/api/v1/capacity",
    "/audit?show=all",
    "/audit?show=commands",
    "/audit?show=all&q=stop",
]


@pytest.mark.parametrize("path", PAGES)
def test_no_page_tells_of_it(secret, token_api, path):
    seen = token_api.get(path, headers=STRANGER).text
    known = token_api.get(path, headers=BOSS).text
    assert secret in known or "capacity" in path
    assert "green" in known
    assert secret not in seen
    assert "green" not in seen.replace("namespace=green", "")


def test_counts_leave_it_out(secret, token_api):
    def count(headers):
        text = token_api.get("/", headers=headers).text
        return int(text.split('id="count-models">')[1].split("<")[0])

    mine = token_api.get("/api/v1/models?namespace=blue&limit=1000", headers=STRANGER).json()["total"]
    assert count(STRANGER) == mine < count(BOSS)


def test_its_own_page_is_refused_as_if_it_were_not_there(secret, token_api):
    answers = [token_api.get(f"/models/green/InferenceService/{name}", headers=STRANGER) for name in (secret, "nobody")]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert answers[0].text.replace(secret, "") == answers[1].text.replace("nobody", "")


def test_a_plan_and_kserves_word_leave_it_out(secret, token_api):
    asked = {"verb": "start", "models": [{"namespace": "green", "name": secret}]}
    assert secret in token_api.post("/plan", json=asked, headers=BOSS).text
    assert secret not in token_api.post("/plan", json=asked, headers=STRANGER).text
    words = token_api.get("/kserve-words", params={"model": f"green/InferenceService/{secret}"}, headers=STRANGER)
    assert words.json() == {}


def test_its_changes_are_not_sent(secret, world, token_api):
    shown = world.make("blue")
    token_api.get(f"/api/v1/namespaces/blue/models/{shown}/status", headers=BOSS).raise_for_status()
    with token_api.stream("GET", "/live", headers=STRANGER) as response:
        lines = response.iter_lines()
        assert next(lines).startswith(":")
        token_api.post(f"/api/v1/namespaces/green/models/{secret}/start", headers=BOSS, json={"queue": True})
        token_api.post(f"/api/v1/namespaces/blue/models/{shown}/stop", headers=BOSS).raise_for_status()
        found = [json.loads(line.removeprefix("data: ")) for line in _until(lines, "models")]
    assert {one["key"].split("/")[0] for one in found if "key" in one} == {"blue"}
    assert next(one for one in found if "models" in one)["models"] == len(_mine(token_api))


def _mine(api):
    return api.get("/api/v1/models?namespace=blue&limit=1000", headers=STRANGER).json()["items"]


def _until(lines, word):
    for line in lines:
        if line.startswith("data: "):
            yield line
            if f'"{word}"' in line:
                return


def test_without_a_token_no_page_shows_anything(secret, token_api):
    for path in [*PAGES, f"/models/green/InferenceService/{secret}"]:
        answer = token_api.get(path)
        assert answer.status_code == 401
        assert secret not in answer.text
    assert token_api.get("/live").status_code == 401
    assert token_api.post("/plan", json={"verb": "stop", "models": [{"name": secret}]}).status_code == 401


def test_a_row_of_someone_elses_right_has_its_button_off():
    """The simulated cluster knows no read-only users; what the row says then is checked where it is made."""
    status = ModelStatus(
        name="iris",
        namespace="ml",
        kind=Kind.INFERENCE_SERVICE,
        state=State.RUNNING,
        desired="running",
        resource_allocation=Resources(),
        endpoints=Endpoints(),
        observed_at=datetime.now(UTC),
    )
    assert button_of(status, may_patch=True).off is None
    assert "An administrator of ml" in (button_of(status, may_patch=False).off or "")
    deleting = status.model_copy(update={"state": State.STOPPING, "reason": "Deleting"})
    assert "being deleted" in (button_of(deleting, may_patch=True).off or "")


def test_the_overview_follows_what_is_recorded(world, open_api):
    name = world.make("blue")
    open_api.get(f"/api/v1/namespaces/blue/models/{name}/status").raise_for_status()
    world.synced()
    assert f'data-name="{name}"' in open_api.get(f"/?q={name}").text
    world.cluster.delete(f"/apis/serving.kserve.io/v1beta1/namespaces/blue/inferenceservices/{name}")
    wait_for(lambda: open_api.get(f"/api/v1/namespaces/blue/models/{name}/status").status_code == 404, "it is deleted")
    assert f'data-name="{name}"' not in open_api.get(f"/?q={name}").text


def test_a_redis_that_lost_its_data_is_read_anew(world):
    """Nothing that this process remembered may outlive what it was read from."""
    with world.api(AUTH="none") as api:
        name = world.make("blue")
        api.get(f"/api/v1/namespaces/blue/models/{name}/status").raise_for_status()
        world.synced()
        assert f'data-name="{name}"' in api.get(f"/?q={name}").text
        world.redis.client().flushall()
        world.redis.client().set("{modelswitch}:synced", "another")
        assert f'data-name="{name}"' not in api.get(f"/?q={name}").text
        world.synced()


def test_without_any_model_the_page_teaches_how_to_begin(world):
    with world.api(AUTH="none", REDIS_URL=world.redis_url.replace("/0", "/1")) as api:
        assert api.get("/").status_code == 503
        world.redis.client(db=1).set("{modelswitch}:synced", "1")
        page = api.get("/").text
        assert "No models yet" in page
        assert "kind: InferenceService" in page
        assert "Nothing to count yet" in api.get("/capacity").text
        assert "Nothing was refused" in api.get("/audit").text


def test_who_may_only_read_is_told_so_by_the_plan_and_by_rest_and_gets_rows_without_working_buttons(world, token_api):
    name = world.make("blue")
    address = f"/api/v1/namespaces/blue/models/{name}"
    assert token_api.get(f"{address}/status", headers=READER).status_code == 200
    world.synced()
    asked = {"verb": "stop", "models": [{"namespace": "blue", "name": name}]}
    plan = token_api.post("/plan", json=asked, headers=READER).text
    assert "Nothing can be stopped now" in plan
    assert "An administrator of blue" in plan
    assert token_api.post(f"{address}/stop", headers=READER).json()["code"] == "Forbidden"
    with token_api.stream("GET", "/live", headers=READER) as response:
        lines = response.iter_lines()
        assert next(lines).startswith(":")
        token_api.post(f"{address}/stop", headers=BOSS).raise_for_status()
        row = next(json.loads(line.removeprefix("data: ")) for line in lines if '"html"' in line)
    assert 'aria-disabled="true"' in row["html"]
    assert "An administrator of blue" in row["html"]
