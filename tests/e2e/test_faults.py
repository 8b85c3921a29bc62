"""Parts that die or do not answer, while models are being stopped."""

import random
import signal
import time

import httpx
import pytest
from deadlines import eventually
from kserve_models import IRIS, inference_service
from place import took
from request_under_way import RequestUnderWay

SEED = 20260801
MODELS = 50
KILLS = 12
VICTIMS = ("stop", "pod_status", "tick", "api", "redis", "broker", "source")


@pytest.mark.timeout(300)
def test_fifty_stops_survive_the_death_of_every_part(place, product, stop_patches):
    names = [f"model-{number:02d}" for number in range(MODELS)]
    for name in names:
        place.make(inference_service(name))
    eventually(lambda: _count(place, "running") == MODELS, lambda: f"{MODELS} run: {_counts(place)}", 150)
    dead_before = len(_dead_letters(product))
    dice = random.Random(SEED)
    kills = sorted(dice.sample(range(1, MODELS), KILLS))
    victims = [*VICTIMS, *dice.choices(VICTIMS, k=KILLS - len(VICTIMS))]
    dice.shuffle(victims)
    killed = []
    for number, name in enumerate(names):
        if number in kills:
            victim = victims.pop()
            killed.append(victim if product.signal(victim, signal.SIGKILL) else f"{victim} (down already)")
        place.send("stop", name, reason="night")
    eventually(product.is_up, "everything is up again", 60)
    eventually(lambda: _count(place, "stopped") == MODELS, lambda: f"all stopped: {_counts(place)}; killed {killed}", 120)
    print(f"killed: {', '.join(killed)}")

    patched = stop_patches.stops(place.namespace)
    assert patched == dict.fromkeys(names, 1), killed
    statuses = place.product.shown(place.namespace).values()
    incomplete = [status for status in statuses if not _is_complete(status["receipt"])]
    assert incomplete == [], killed
    assert {status["holds"][0]["reason"] for status in statuses} == {"night"}
    assert len(_dead_letters(product)) == dead_before


def _is_complete(receipt):
    whole = receipt and receipt["complete"] and receipt["seconds"] is not None
    return whole and (receipt["pods"], receipt["memory"], receipt["actor"]) == (1, "16Mi", "event:/e2e")


def test_a_stop_works_while_redis_does_not_answer_and_is_adopted_later(place, product):
    place.running(inference_service("model"), inference_service("other"))
    place.stop("other")
    place.until("other", "stopped")
    with product.paused("redis"):
        answer = place.post("stop", "model", reason="broken")
        assert (answer.status_code, answer.json()["recorded"]) == (202, False)
        assert place.stop_is_set("model")
        refused = place.post("start", "other")
        assert (refused.status_code, refused.json()["code"]) == (503, "StoreUnavailable")
        assert int(refused.headers["retry-after"]) >= 1
        assert place.stop_is_set("other")
        eventually(lambda: not place.pods("model"), "its pods are gone", 33)
    stopped = place.until("model", "stopped", seconds=30)
    assert [hold["reason"] for hold in stopped["holds"]] == ["broken"]
    assert stopped["receipt"]["pods"] == 1
    eventually(lambda: place.post("start", "other").status_code in {200, 202}, "a start works again", 30)
    place.until("other", "running")


def test_commands_by_event_wait_for_redis(place, product):
    place.running(inference_service("model"))
    with product.paused("redis"):
        place.send("stop", "model")
        assert not place.stop_is_set("model")
    place.until("model", "stopped", seconds=60)


def test_a_stop_is_shown_although_every_event_is_lost(place, product):
    """Nobody takes the hints: only the tick is left."""
    place.running(inference_service("model", IRIS))
    place.answers("model")
    recorder = place.record("model")
    RequestUnderWay(place.pod_address("model"), "model", 3)
    with product.paused("pod_status"):
        place.stop("model")
        eventually(lambda: recorder.all_gone, "no pod is left", 33)
        stopped = place.until("model", "stopped", seconds=8)
        assert took(recorder.last_gone) < 8
        assert stopped["receipt"]["pods"] == 1


def test_rest_works_while_the_broker_is_away(place, product):
    place.running(inference_service("model"))
    with product.paused("broker"):
        asked = time.monotonic()
        place.stop("model")
        assert took(asked) < 1
        eventually(lambda: place.product.rest.get(_status(place)).json()["state"] == "stopped", "stopped", 15)
    place.until("model", "stopped")


def _status(place):
    return f"/api/v1/namespaces/{place.namespace}/models/model/status"


def _counts(place):
    counted = {}
    try:
        statuses = place.product.shown(place.namespace).values()
    except httpx.HTTPError as error:
        return repr(error)
    for status in statuses:
        key = f"{status['state']} {status['reason'] or ''}"
        counted[key] = counted.get(key, 0) + 1
    return counted


def _count(place, state):
    try:
        return sum(status["state"] == state for status in place.product.shown(place.namespace).values())
    except httpx.HTTPError:
        return None


def _dead_letters(product):
    answer = product.rest.get("/api/v1/audit", params={"limit": 1000})
    answer.raise_for_status()
    return [entry for entry in answer.json()["items"] if "dead" in entry["action"]]
