"""Commands as events through the broker, and the events that come back."""

import json
import re
import threading

import httpx
import pytest
from deadlines import eventually
from kserve_models import IRIS, inference_service, knative
from request_in_flight import RequestInFlight


def test_a_start_that_comes_while_stopping_is_kept_until_the_last_pod_is_gone(place):
    place.running(inference_service("model", IRIS))
    place.answers("model")
    recorder = place.record("model")
    RequestInFlight(place.pod_address("model"), "model", 8)
    place.send("stop", "model", reason="night")
    place.until("model", "stopping")
    place.send("start", "model", reason="morning")
    queued = eventually(lambda: _queued(place), "the start is kept", 5)
    assert queued["desired"] == "stopped"
    eventually(lambda: recorder.extra, "the model starts again", 45)
    first = next(iter(recorder.before))
    assert recorder.gone[first] <= min(moment for uid, moment in recorder.came.items() if uid != first)
    place.until("model", "running")
    assert [entry["action"] for entry in place.history("model") if entry["action"] in {"stop", "start"}].count(
        "stop"
    ) == 1


def _queued(place):
    status = place.shown("model")
    return status if status["queued"] else None


def test_repeats_change_nothing_and_a_stop_that_comes_late_does_not_undo_the_start(place, stop_patches):
    place.running(inference_service("model"))
    first = place.send("stop", "model")
    for _ in range(5):
        place.send("stop", "model", event_id=first)
    place.until("model", "stopped")
    for _ in range(5):
        place.send("stop", "model")
    eventually(lambda: len([e for e in place.history("model") if e["action"] == "stop"]) >= 6, "all were heard", 20)
    assert stop_patches.stops(place.namespace) == {"model": 1}
    place.send("start", "model")
    place.until("model", "running")
    place.send("stop", "model", event_id=first)
    last = place.send("start", "model")
    eventually(lambda: any(e["event_id"] == last for e in place.history("model")), "the last was heard", 20)
    assert place.shown("model")["desired"] == "running"
    assert not place.stop_is_set("model")
    assert stop_patches.stops(place.namespace) == {"model": 1}


def test_every_change_is_streamed_with_who_asked(place):
    place.running(knative("model"))
    with _Changes(place.product, place.namespace) as changes:
        place.send("stop", "model", actor="nightly", reason="night")
        place.until("model", "stopped")
        place.send("start", "model", actor="nightly")
        place.until("model", "running")
        states = ["stopping", "stopped", "starting", "running"]
        eventually(lambda: changes.states() == states, lambda: f"{states}, heard was {changes.states()}", 10)
    commands = [entry for entry in place.history("model") if entry["action"] in {"stop", "start"}]
    assert {(entry["actor"], entry["claimed_actor"]) for entry in commands} == {("event:/e2e", "nightly")}


@pytest.mark.alone
def test_facts_reach_the_broker(place, product):
    """With the source silent, events are all that anybody posts there."""
    place.running(inference_service("model"))
    with product.paused("source"):
        before = _produced(product)
        place.stop("model")
        look = f"/api/v1/namespaces/{place.namespace}/models/model/status"
        eventually(lambda: product.rest.get(look).json()["state"] == "stopped", "stopped", 33)
        eventually(lambda: _produced(product) >= before + 2, "stopping and stopped were posted", 10)


def _produced(product):
    text = httpx.get(product.broker.removesuffix("/modelswitch/modelswitch") + "/metrics", trust_env=False).text
    found = re.search(r'^modelswitch_broker_requests_total\{status="202"\} ([0-9.e+]+)$', text, re.MULTILINE)
    return float(found[1])


def test_a_command_that_can_not_be_done_is_said_and_not_repeated(place):
    place.send("stop", "nobody")
    found = eventually(lambda: [e for e in place.history("nobody") if e["code"]], "the refusal in the history", 15)
    assert [(entry["action"], entry["code"]) for entry in found] == [("stop", "NotFound")]


def test_a_namespace_that_has_not_opted_in_takes_no_events(place):
    place.running(inference_service("model"))
    place.api.merge(f"/api/v1/namespaces/{place.namespace}", {"metadata": {"labels": {"modelswitch.dev/events": None}}})
    place.send("stop", "model")
    found = eventually(lambda: [e for e in place.history("model") if e["code"]], "the refusal in the history", 15)
    assert found[0]["code"] == "EventsNotAllowed"
    assert not place.stop_is_set("model")
    place.stop("model")


class _Changes:
    """The server-sent events of a namespace, from before the block on."""

    def __init__(self, product, namespace):
        self._url, self._namespace = f"{product.url}/api/v1/events", namespace
        self._open, self.seen = threading.Event(), []
        self._client = httpx.Client(timeout=httpx.Timeout(10, read=60), trust_env=False)

    def __enter__(self):
        threading.Thread(target=self._read, daemon=True).start()
        assert self._open.wait(10)
        return self

    def __exit__(self, *_):
        self._client.close()

    def _read(self):
        try:
            with self._client.stream("GET", self._url, params={"namespace": self._namespace}) as answer:
                for line in answer.iter_lines():
                    self._open.set()
                    if line.startswith("data: "):
                        self.seen.append(json.loads(line[6:]))
        except (httpx.HTTPError, RuntimeError):
            return

    def states(self):
        """Each once, in order."""
        order = []
        for status in self.seen:
            if "state" in status and (not order or order[-1] != status["state"]):
                order.append(status["state"])
        return order
