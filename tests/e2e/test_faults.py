"""Parts that die or do not answer, while models are being stopped."""

import os
import random
import signal
import threading
import time

import httpx
import pytest
from api_server import models
from deadlines import eventually
from kserve_models import IRIS, STOP, inference_service
from place import took
from request_in_flight import RequestInFlight

SEED = int(os.environ.get("E2E_SEED", "20260801"))
MODELS = 50
KILLS = 12
ATTEMPTS = 5
VICTIMS = ("command", "command", "command", "pod_status", "tick", "api", "redis", "broker", "source")
pytestmark = pytest.mark.alone


@pytest.mark.timeout(300)
def test_fifty_stops_survive_the_death_of_every_part(place, product, stop_patches):
    """Whenever so many stops have reached the cluster, the next part is killed: between, before and behind PATCHes."""
    names = [f"model-{number:02d}" for number in range(MODELS)]
    for name in names:
        place.make(inference_service(name))
    eventually(lambda: _count(place, "running") == MODELS, lambda: f"{MODELS} run: {_counts(place)}", 150)
    begun = time.monotonic()
    sending = threading.Thread(target=lambda: [place.send("stop", name, reason="night") for name in names])
    sending.start()
    killed = _kill_on_the_way(place, product)
    sending.join()
    eventually(product.is_up, "everything is up again", 60)
    eventually(lambda: _count(place, "stopped") == MODELS, lambda: f"all stopped: {_counts(place)}; {killed}", 120)
    print(f"killed {', '.join(killed)}; {took(begun):.0f} s from the first command to the last model stopped")

    assert stop_patches.stops(place.namespace) == dict.fromkeys(names, 1), killed
    statuses = place.product.shown(place.namespace).values()
    incomplete = [status["receipt"] for status in statuses if not _is_complete(status["receipt"])]
    assert incomplete == [], killed
    assert {status["holds"][0]["reason"] for status in statuses} == {"night"}
    assert _dead_commands(product, place.namespace) == []


def _kill_on_the_way(place, product):
    """Every victim once, the rest drawn; `api at 7`: killed when 7 models carried the stop."""
    dice = random.Random(SEED)
    victims = [*VICTIMS, *dice.choices(VICTIMS, k=KILLS - len(VICTIMS))]
    dice.shuffle(victims)
    killed = []
    for threshold, victim in zip(sorted(dice.sample(range(MODELS // 2), KILLS)), victims, strict=True):
        eventually(
            lambda least=threshold: _asked(place) >= least, f"{threshold} models carry the stop; {killed}", 90, 0.02
        )
        eventually(lambda one=victim: product.signal(one, signal.SIGKILL), f"{victim} runs and can be killed", 30, 0.02)
        killed.append(f"{victim} at {_asked(place)}")
    return killed


def _asked(place):
    found = place.api.items(models(place.namespace))
    return sum((model["metadata"].get("annotations") or {}).get(STOP) == "true" for model in found)


def _is_complete(receipt):
    whole = receipt and receipt["complete"] and receipt["seconds"] is not None
    return whole and (receipt["pods"], receipt["memory"], receipt["actor"]) == (1, "16Mi", "event:/e2e")


def test_a_stop_killed_between_its_patch_and_its_commit_is_finished_by_the_next_delivery(place, product, stop_patches):
    """A forced stop waits for the ReplicaSet's end between the two, which leaves time to hit it."""
    for attempt in range(ATTEMPTS):
        name = f"model-{attempt}"
        place.running(inference_service(name))
        sent = place.send("stop", name, graceful=False, reason="night")
        eventually(lambda one=name: place.stop_is_set(one), "the PATCH was accepted", 30, 0.005)
        former = product.pid("command")
        product.signal("command", signal.SIGKILL)
        hit = all(entry["event_id"] != sent for entry in place.history(name))
        product.restarted("command", former)
        stopped = place.until(name, "stopped")
        assert _is_complete(stopped["receipt"])
        assert stopped["holds"][0]["reason"] == "night"
        eventually(lambda: not place.pinned(), "nothing is left pinned", 15)
        assert stop_patches.stops(place.namespace)[name] == 1
        if hit:
            return
    pytest.fail(f"{ATTEMPTS} kills came too late, after the commit: none was between the PATCH and the commit")


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
    """No function takes the notifications: only the tick is left."""
    place.running(inference_service("model", IRIS))
    place.answers("model")
    recorder = place.record("model")
    RequestInFlight(place.pod_address("model"), "model", 3)
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


def _dead_commands(product, namespace):
    """What was given up of this namespace. A notification may be: the next one looks anyway."""
    entries = product.history(namespace)
    return [
        entry["message"] for entry in entries if entry["action"] == "dead-letter" and "-requested." in entry["message"]
    ]
