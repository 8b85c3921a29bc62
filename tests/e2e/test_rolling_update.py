"""A rolling update, and a rollback, of every function and of the api while commands come: none is refused, none is lost."""

import itertools
import json
import subprocess
import threading
import uuid
from pathlib import Path

import httpx
import pytest
from deadlines import eventually
from deployed import Deployed
from kserve_controller import find_kserve
from kserve_models import STOP, inference_service
from place import Place

pytestmark = [pytest.mark.alone, pytest.mark.long]
HERE = Path(__file__).parent
MODELS = 6


@pytest.fixture(scope="module")
def deployed(api, kubeconfig, tmp_path_factory):
    subprocess.run([HERE / "product_image/build"], check=True, stdout=subprocess.DEVNULL)
    made = Deployed(api, kubeconfig, f"e2e-deployed-{uuid.uuid4().hex[:6]}", tmp_path_factory.mktemp("deployed"))
    try:
        yield made.prepare()
    finally:
        made.remove()


@pytest.fixture(scope="module")
def namespace(api, kubeconfig, deployed, tmp_path_factory):
    """With a KServe of its own: the product of the other tests is not needed here."""
    name = f"e2e-rolling-{uuid.uuid4().hex[:6]}"
    kserve = find_kserve(api, kubeconfig, [name], tmp_path_factory.mktemp("kserve") / "log")
    place = Place(api, None, name, dict(kserve.hints)).prepare()
    try:
        for number in range(MODELS):
            place.make(inference_service(f"model-{number}"))
        yield place
    finally:
        place.leave()
        kserve.end()


class Traffic:
    """Stops and starts of every model in turn, half by REST and half by event, until `end`. What was refused is kept."""

    def __init__(self, deployed, namespace):
        self.rest = httpx.Client(
            base_url=deployed.address("api"), timeout=20, trust_env=False, headers=self._authorized(deployed)
        )
        self._broker = deployed.broker
        self._namespace = namespace
        self.sent, self.refused, self.last = 0, [], {}
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._drive, args=(number,)) for number in range(MODELS)]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _authorized(deployed):
        return {"Authorization": f"Bearer {deployed.token('modelswitch-api')}"}

    def _drive(self, number):
        name = f"model-{number}"
        for verb in itertools.cycle(("stop", "start")):
            if self._ends.wait(0.3):
                return
            self._send(number, name, verb)

    def _send(self, number, name, verb):
        send = self._by_rest if number % 2 else self._by_event
        try:
            answer = send(name, verb)
        except httpx.HTTPError as error:
            self.refused.append(f"{verb} {name}: {type(error).__name__} {error}")
            return
        self.sent += 1
        # A start that finds its model still stopping is told to wait, which is no failure of the update.
        if answer.is_success:
            self.last[name] = verb
        elif answer.status_code != 409:
            self.refused.append(f"{verb} {name}: {answer.status_code} {answer.text[:300]}")

    def _by_rest(self, name, verb):
        body = {"queue": True} if verb == "start" else {}
        return self.rest.post(f"/api/v1/namespaces/{self._namespace}/models/{name}/{verb}", json=body)

    def _by_event(self, name, verb):
        headers = {
            "ce-specversion": "1.0",
            "ce-id": uuid.uuid4().hex,
            "ce-source": "/rolling",
            "ce-type": f"dev.modelswitch.model.{verb}-requested.v1",
            "ce-subject": f"namespaces/{self._namespace}/inferenceservices/{name}",
            "ce-partitionkey": f"{self._namespace}/{name}",
        }
        return httpx.post(self._broker, headers=headers, json={}, timeout=20, trust_env=False)

    def end(self):
        self._ends.set()
        for thread in self._threads:
            thread.join()


def test_a_rolling_update_and_a_rollback_under_traffic_refuse_and_lose_no_command(deployed, namespace, kubeconfig):
    traffic = Traffic(deployed, namespace.namespace)
    try:
        eventually(lambda: traffic.sent >= 2 * MODELS, "commands are taken before anything is rolled", 60)
        for name in deployed.deployments:
            deployed.roll(name, "next")
            deployed.await_rollout(name)
        before = traffic.sent
        eventually(lambda: traffic.sent >= before + 2 * MODELS, "commands are taken after the update", 60)
        for name in deployed.deployments:
            deployed.undo(name)
            deployed.await_rollout(name)
    finally:
        traffic.end()
    assert not traffic.refused, f"{len(traffic.refused)} of {traffic.sent}: {traffic.refused[:5]}"
    for name, verb in traffic.last.items():
        wanted = "true" if verb == "stop" else None
        eventually(
            lambda name=name, wanted=wanted: namespace.annotations(name).get(STOP) == wanted,
            f"{name} is as its last command, a {verb}, wanted it",
            60,
        )
    audit = traffic.rest.get("/api/v1/audit", params={"namespace": namespace.namespace, "limit": 1000}).json()["items"]
    assert not [entry for entry in audit if entry["action"] in {"dead-letter", "poison"}]
    print(json.dumps({"sent": traffic.sent, "refused": len(traffic.refused)}))
