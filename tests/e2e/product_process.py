"""modelswitch as a user runs it: one process with all its parts, asked over REST, by events, by command line."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import httpx
from deadlines import eventually

from functions.local.supervisor.ports import free_ports

ROOT = Path(__file__).parents[2]
UP_SECONDS = 60
LINES_SHOWN = 120
DIRECT_SECRET = "direct-secret-of-the-tests"
_numbers = itertools.count(1)


class Product:
    """`python -m functions.local`, its state in `folder`.

    Who starts it ends it. Others ask the same one, given its `ports`: of REST and of the broker.
    """

    def __init__(self, kubeconfig, folder, ports=None):
        self.ports = ports or free_ports(2)
        self._process = None
        port, broker_port = self.ports
        self.url = f"http://127.0.0.1:{port}"
        self.broker = f"http://127.0.0.1:{broker_port}/modelswitch/modelswitch"
        self._folder, self.log = folder / "run", folder / "log"
        own = {"PORT": str(port), "BROKER_PORT": str(broker_port), "RUN_FOLDER": str(self._folder)}
        self._environment = {**os.environ, **own, "KUBECONFIG": str(kubeconfig), "AUTH": "none", "NO_COLOR": "1"}
        self._environment["DIRECT_SECRETS"] = DIRECT_SECRET
        for name in ("REDIS_URL", "K_SINK"):
            self._environment.pop(name, None)
        self.rest = httpx.Client(base_url=self.url, timeout=20, trust_env=False)

    def start(self):
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "functions.local"]
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=self._environment, stdout=log, stderr=subprocess.STDOUT
            )
        eventually(self.is_up, lambda: "modelswitch is up; it said:\n" + self.said(), UP_SECONDS)
        eventually(self._lists, lambda: "every model was looked at; it said:\n" + self.said(), UP_SECONDS)
        return self

    def _lists(self):
        return self.rest.get("/api/v1/models").is_success

    def is_up(self):
        if self._process and self._process.poll() is not None:
            raise AssertionError(f"modelswitch ended with {self._process.returncode}:\n{self.said()}")
        try:
            return self.rest.get("/healthz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def end(self):
        """As Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(20)
        finally:
            self._process.kill()
            self.rest.close()

    def said(self, lines=LINES_SHOWN):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    # --- commands ---------------------------------------------------------------------------------------------

    def send(self, verb, ref, *, event_id=None, source="/e2e", **data):
        """A command event to the broker; answers its id. `ref`: the CloudEvents subject."""
        event_id = event_id or f"e2e-{next(_numbers)}-{uuid.uuid4().hex[:8]}"
        headers = {
            "ce-specversion": "1.0",
            "ce-id": event_id,
            "ce-source": source,
            "ce-type": f"dev.modelswitch.model.{verb}-requested.v1",
            "ce-subject": ref,
            "content-type": "application/json",
        }

        def accepted():
            try:
                return httpx.post(self.broker, headers=headers, content=json.dumps(data), trust_env=False).is_success
            except httpx.TransportError:
                return False

        eventually(accepted, f"the broker takes {verb} {ref}", 30)
        return event_id

    def publish(self, event_type, data):
        """Any event, its data as it is; answers its id."""
        event_id = f"e2e-{next(_numbers)}-{uuid.uuid4().hex[:8]}"
        headers = {"ce-specversion": "1.0", "ce-id": event_id, "ce-source": "/e2e", "ce-type": event_type}
        answer = httpx.post(self.broker, headers=headers, json=data, trust_env=False)
        assert answer.is_success, answer.text
        return event_id

    def audited(self, event_id):
        """What was said of an event that named no model, None while there is nothing."""
        answer = self.rest.get("/api/v1/audit", params={"limit": 1000})
        answer.raise_for_status()
        said = [item["message"] for item in answer.json()["items"] if item["event_id"] == event_id]
        return "; ".join(said) or None

    def cli(self, *arguments, timeout=90):
        """The command line as a user has it."""
        environment = {**self._environment, "MODELSWITCH_URL": self.url, "K_SINK": self.broker}
        program = Path(sys.executable).parent / "modelswitch"
        return subprocess.run(
            [program, *arguments], env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )

    # --- what it shows ----------------------------------------------------------------------------------------

    def shown(self, namespace, **filters):
        """From the records, as a list shows them: nothing is looked at for the asking. By (name, kind)."""
        answer = self.rest.get("/api/v1/models", params={"namespace": namespace, "limit": 1000, **filters})
        answer.raise_for_status()
        return {(item["name"], item["kind"]): item for item in answer.json()["items"]}

    def history(self, namespace, name=None):
        """Oldest first."""
        params = {"namespace": namespace, "limit": 1000, **({"name": name} if name else {})}
        answer = self.rest.get("/api/v1/audit", params=params)
        answer.raise_for_status()
        return answer.json()["items"][::-1]

    # --- its parts --------------------------------------------------------------------------------------------

    def pid(self, part):
        """Of the part's newest process."""
        return json.loads((self._folder / "processes.json").read_text())[part]

    def signal(self, part, number):
        try:
            os.kill(self.pid(part), number)
        except (ProcessLookupError, KeyError, ValueError):
            return False
        return True

    def restarted(self, part, former):
        eventually(lambda: self._other_pid(part, former), f"{part} runs again", 30)
        eventually(self.is_up, f"everything is up after the end of {part}", 30)

    def _other_pid(self, part, former):
        try:
            return self.pid(part) != former
        except (KeyError, ValueError):
            return False

    def paused(self, part):
        return _Paused(self, part)


class _Paused:
    """The part is stopped by SIGSTOP inside the block: there, but without an answer."""

    def __init__(self, product, part):
        self._product, self._part = product, part

    def _children(self):
        pid = self._product.pid(self._part)
        found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout
        return [pid, *map(int, found.split())]

    def __enter__(self):
        self._pids = self._children()
        for pid in self._pids:
            os.kill(pid, signal.SIGSTOP)
        self.since = time.monotonic()
        return self

    def __exit__(self, *_):
        for pid in self._pids:
            os.kill(pid, signal.SIGCONT)
