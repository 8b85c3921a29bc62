"""Nobody acts, or is recorded, as somebody else: events at the functions' own ports, and what is left of them."""

# ruff: noqa: F811 - fixtures of another file
import httpx
import pytest
import redis
from function_process import SECRET, START, STOP, function
from test_functions import (  # noqa: F401 - fixtures
    WRITTEN,
    audit,
    cluster,
    facts,
    functions,
    ping,
    record,
    requests_for,
    until,
    written,
)

ALL = ("command", "stop", "start", "reload", "artifact_written", "pod_status", "tick", "dead_letter")
TYPES = {
    "command": STOP,
    "stop": STOP,
    "start": START,
    "reload": "dev.modelswitch.model.reload-requested.v1",
    "artifact_written": WRITTEN,
    "pod_status": "dev.knative.apiserver.resource.update",
    "tick": "dev.knative.sources.ping",
    "dead_letter": STOP,
}


def subject_of(name: str, namespace: str = "fraud") -> str:
    return f"namespaces/{namespace}/inferenceservices/{name}"


def as_event(event_type: str, subject: str = "", **more: str) -> dict[str, str]:
    named = {"specversion": "1.0", "id": "e1", "source": "/forger", "type": event_type, "subject": subject, **more}
    return {f"ce-{name}": value for name, value in named.items() if value}


def counted(function, metric: str, *labels: str) -> float:
    text = httpx.get(f"{function.url}/metrics").text
    lines = [
        line for line in text.splitlines() if line.startswith(f"{metric}{{") and all(one in line for one in labels)
    ]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


@pytest.fixture
def keys(redis_url):
    """Everything that is in Redis."""
    with redis.from_url(redis_url, decode_responses=True) as client:
        yield lambda: sorted(client.scan_iter("*"))


# --- deliveries ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query", ["", "?delivery=", "?delivery=not-deployed", f"?delivery={SECRET}x", f"?other={SECRET}"]
)
@pytest.mark.parametrize("name", ALL)
def test_an_unverified_delivery_is_401_and_nothing_is_left_of_it_but_a_count(cluster, functions, keys, name, query):
    function = functions[name]
    before, logged = counted(function, "modelswitch_deliveries_refused_total"), function.log.read_text()
    headers = as_event(TYPES[name], subject_of("scorer"), source="/forger")
    answer = httpx.post(f"{function.url}/{query}", headers=headers, json={"reason": "forged"})
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    problem = answer.json()
    assert (problem["code"], SECRET in answer.text) == ("Unauthenticated", False)
    assert problem["next_action"]
    assert counted(function, "modelswitch_deliveries_refused_total") == before + 1
    assert (keys(), function.log.read_text()) == ([], logged)


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/metrics"])
@pytest.mark.parametrize("name", ALL)
def test_health_and_metrics_ask_for_no_secret_and_show_none(functions, name, path):
    answer = httpx.get(f"{functions[name].url}{path}")
    assert (answer.status_code, SECRET in answer.text) == (200, False)


def test_no_function_logs_the_secret_that_it_is_called_with(functions, cluster):
    for name in ALL:
        functions[name].send("com.example.unknown", None, id="logged")
        assert SECRET not in functions[name].log.read_text(), name


def test_a_function_that_is_told_no_secret_takes_nothing_and_says_what_to_set(cluster, redis_url, tmp_path, keys):
    env = {"KUBECONFIG": str(cluster.kubeconfig), "REDIS_URL": redis_url, "DELIVERY_SECRETS": "too-short"}
    with function("command", tmp_path / "log", env, path="/livez") as command:
        answer = command.send(STOP, subject_of("scorer"))
        health = httpx.get(f"{command.url}/healthz")
    assert (answer.status_code, answer.json()["code"]) == (503, "NotConfigured")
    assert "DELIVERY_SECRETS" in answer.json()["next_action"]
    assert health.status_code == 503
    assert keys() == []
