"""Every function and the API as real processes, over a simulated cluster and a real Redis, with secrets planted."""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[2] / "functions"))
from api_rig import BOSS, World, free_port, wait_for, world
from function_process import SECRET as DELIVERY_SECRET
from function_process import function

FUNCTIONS = ("stop", "start", "reload", "artifact_written", "pod_status", "tick", "dead_letter")
REDIS_SECRET, SINK_SECRET, TOKEN_SECRET = "redis-sesame-4711", "sink-sesame-4712", "token-sesame-4713"
SECRETS = (REDIS_SECRET, SINK_SECRET, TOKEN_SECRET, DELIVERY_SECRET, "root-token")
NAMESPACE = "fuzz"
MODELS = ("scorer", "ranker")


@dataclass
class Rig:
    """`ports` of the functions and of "api"; `logs`, and when each worker was started, by the same names."""

    world: World
    ports: dict[str, int] = field(default_factory=dict)
    logs: dict[str, Path] = field(default_factory=dict)
    workers: dict[str, str] = field(default_factory=dict)

    def dead(self) -> list[str]:
        """Functions whose worker process is another one than at the start."""
        return [name for name, began in self.workers.items() if _started(self.ports[name]) != began]

    def leaks(self) -> list[str]:
        """Log lines with a secret in them."""
        found = []
        for name, log in self.logs.items():
            for line in log.read_text(errors="replace").splitlines():
                found += [f"{name} logs {secret}: {line[:300]}" for secret in SECRETS if secret in line]
        return found

    def tracebacks(self) -> list[str]:
        """What the functions themselves call unexpected."""
        found = []
        for name, log in self.logs.items():
            for line in log.read_text(errors="replace").splitlines():
                if "Traceback" in line:
                    last = line.replace("\\n", "\n").strip('"} \n').splitlines()[-1]
                    found.append(f"{name} logs a traceback: {last[-200:]}")
        return found

    def lose_redis(self) -> None:
        """Its user is deleted, which also ends the connections."""
        self.world.redis.client().execute_command("ACL", "DELUSER", "fuzz")


@contextlib.contextmanager
def rig(folder: Path) -> Iterator[Rig]:
    with world(folder) as made, contextlib.ExitStack() as stack:
        _place(made)
        made.redis.client().execute_command("ACL", "SETUSER", "fuzz", "on", f">{REDIS_SECRET}", "~*", "&*", "+@all")
        env = {
            "KUBECONFIG": str(made.kubeconfig),
            "REDIS_URL": f"redis://fuzz:{REDIS_SECRET}@127.0.0.1:{made.redis.port}/0",
            "K_SINK": f"http://sender:{SINK_SECRET}@127.0.0.1:{free_port()}",
        }
        ready = Rig(made)
        for name in FUNCTIONS:
            running = stack.enter_context(function(name, folder / f"{name}.log", env))
            ready.ports[name], ready.logs[name] = int(running.url.rpartition(":")[2]), running.log
        api = stack.enter_context(made.api(AUTH="token", **env))
        ready.ports["api"] = api.base_url.port
        ready.logs["api"] = folder / f"api-{api.base_url.port}.log"
        ready.workers = {name: _started(port) for name, port in ready.ports.items()}
        wait_for(lambda: _ticked(ready), "the first tick has seen the models")
        yield ready


def _place(made: World) -> None:
    for name, labels in ((NAMESPACE, {"modelswitch.dev/events": "allow"}), ("closed", {})):
        body = {"metadata": {"name": name, "labels": labels}}
        made.cluster.post("/api/v1/namespaces", json=body).raise_for_status()
    for name in MODELS:
        made.make("blue", name)
    for name in MODELS:
        _model(made, name)


def _model(made: World, name: str) -> None:
    container = {"name": "kserve-container", "image": "local/model:1"}
    body = {
        "metadata": {"name": name, "annotations": {"serving.kserve.io/deploymentMode": "Standard"}},
        "spec": {"predictor": {"containers": [container]}},
    }
    path = f"/apis/serving.kserve.io/v1beta1/namespaces/{NAMESPACE}/inferenceservices"
    made.cluster.post(path, json=body).raise_for_status()
    wait_for(lambda: made.ready(NAMESPACE, name), f"{name} is ready")


def _ticked(ready: Rig) -> bool:
    headers = {"ce-specversion": "1.0", "ce-id": "0", "ce-source": "/ping", "ce-type": "dev.knative.sources.ping"}
    httpx.post(f"http://127.0.0.1:{ready.ports['tick']}/?delivery={DELIVERY_SECRET}", headers=headers, timeout=20)
    listed = httpx.get(f"http://127.0.0.1:{ready.ports['api']}/api/v1/models", headers=BOSS, timeout=20)
    return listed.status_code == 200


def _started(port: int) -> str:
    """When the worker process that answers was started."""
    metrics = httpx.get(f"http://127.0.0.1:{port}/metrics", headers=BOSS, timeout=20).text
    return next((line for line in metrics.splitlines() if line.startswith("process_start_time_seconds")), "unknown")
