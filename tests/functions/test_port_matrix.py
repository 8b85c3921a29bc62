"""Every route of every other port against every kind of caller: the functions, the local broker, the simulated API server.

Routes are the apps' own. A function or a route without a row, or a row without one, fails. The API is in test_api_matrix.py.
"""

import contextlib
import sys
from dataclasses import dataclass

import httpx
import pytest
from function_process import ROOT, SECRET, free_port, function, running, until
from functions_framework.aio import create_asgi_app

from functions.local.broker.ingress import Ingress
from functions.local.broker.manifests import Broker
from functions.local.kubernetes.app import Api
from functions.local.supervisor.plan import FUNCTIONS

STORE = "secret-of-a-store-that-posts-itself"
HOST, ORIGIN = {"host": "evil.example"}, {"origin": "http://evil.example"}
FOREIGN = {"foreign Host": HOST, "foreign Origin": ORIGIN, "Origin null": {"origin": "null"}}


def methods_of(app):
    """What an app serves, as METHOD and path."""
    return {f"{method} {route.path}" for route in app.routes for method in route.methods}


def served(client, name, path, callers, **more):
    """By caller what is answered; a caller is its query and its headers."""
    method = name.split(" ")[0]
    found = {}
    for caller, (query, headers) in callers.items():
        address = f"{path}?delivery={query}" if query is not None else path
        found[caller] = client.request(method, address, headers=headers, **more).status_code
    return found


# --- functions -------------------------------------------------------------------------------------------------------

BY_SECRET = {
    "no secret": (None, {}),
    "a wrong secret": (f"{SECRET}x", {}),
    "a store's secret": (STORE, {}),
    "the right secret": (SECRET, {}),
    "the right secret, foreign Host": (SECRET, HOST),
    "the right secret, foreign Origin": (SECRET, ORIGIN),
    "the right secret, Origin null": (SECRET, {"origin": "null"}),
    "a token": (None, {"authorization": "Bearer root-token"}),
}
BY_TOKEN = {
    "no token": (None, {}),
    "the right secret": (SECRET, {}),
    "an unknown token": (None, {"authorization": "Bearer junk-of-the-matrix"}),
    "another account's token": (None, {"authorization": "Bearer green-token"}),
    "the broker's token": (None, {"authorization": "Bearer root-token"}),
}
MODES = {
    "secret": (BY_SECRET, {"DIRECT_SECRETS": STORE}),
    "token": (BY_TOKEN, {"DELIVERY_AUDIENCE": "modelswitch", "DELIVERY_SENDERS": "root"}),
    "laptop": (BY_SECRET, {"DIRECT_SECRETS": STORE, "AUTH": "none"}),
}
TAKEN = 400
"""What is sent is no event, so that this means that the caller was allowed to send one."""


@dataclass(frozen=True)
class Port:
    """Who may deliver to a function beside the broker. `cluster`: it may ask the API server whose a token is. `taken`: what
    one that may is answered, who sends no event.
    """

    stores: bool = False
    cluster: bool = True
    taken: int = TAKEN

    def deliveries(self, mode):
        """What a POST is answered, by caller."""
        if mode != "token":
            taken = {"the right secret"} | {caller for caller in BY_SECRET if mode == "secret" and "foreign" in caller}
            taken |= {"the right secret, Origin null"} if mode == "secret" else set()
            taken |= {"a store's secret"} if self.stores else set()
        elif self.cluster:
            taken = {"the broker's token"} | ({"another account's token"} if self.stores else set())
        else:
            taken = {"the right secret"}
        return {caller: self.taken if caller in taken else 401 for caller in MODES[mode][0]}


PORTS = {
    "command": Port(),
    "stop": Port(),
    "start": Port(),
    "reload": Port(),
    "artifact_written": Port(stores=True),
    "pod_status": Port(),
    "tick": Port(),
    "dead_letter": Port(cluster=False, taken=202),
}
"""By function. What its routes answer is the same for all, but for the deliveries."""
DELIVERY = "as delivered"
REFUSED = ("PUT", "PATCH", "DELETE", "OPTIONS")
ROWS = {
    "POST /": DELIVERY,
    "POST /{path:path}": DELIVERY,
    "GET /": 200,
    "HEAD /": 200,
    "GET /{path:path}": 200,
    "HEAD /{path:path}": 200,
    "GET /{path:path} metrics": 200,
    "GET /{path:path} healthz": 200,
    "GET /{path:path} livez": 200,
    **{f"{method} {path}": 405 for method in REFUSED for path in ("/", "/{path:path}")},
    **{f"{method} {path}": 404 for method in ("GET", "HEAD") for path in ("/robots.txt", "/favicon.ico")},
}
"""By route. A row with a word behind it is that path of the route."""


def expected(port, mode, row):
    status = ROWS[row]
    answers = port.deliveries(mode) if status == DELIVERY else dict.fromkeys(MODES[mode][0], status)
    foreign = {caller for caller in answers if "foreign" in caller or "null" in caller}
    return {caller: 403 if mode == "laptop" and caller in foreign else answer for caller, answer in answers.items()}


def path_of(row):
    _, path, *word = row.split(" ")
    return path.replace("{path:path}", word[0] if word else "any/where")


def test_every_function_has_a_row():
    assert {file.parent.name for file in (ROOT / "functions").glob("*/main.py")} == PORTS.keys()
    assert set(FUNCTIONS) < PORTS.keys()


@pytest.mark.parametrize("name", PORTS)
def test_every_route_of_a_function_has_a_row_and_every_row_a_route(name):
    app = create_asgi_app(name, str(ROOT / f"functions/{name}/main.py"))
    assert {" ".join(row.split(" ")[:2]) for row in ROWS} == methods_of(app)


@pytest.mark.parametrize(
    ("name", "mode"),
    [(name, mode) for name in PORTS for mode in MODES if mode == "secret" or name in FUNCTIONS],
)
def test_the_matrix_of_a_function(world, tmp_path, name, mode):
    callers, settings = MODES[mode]
    env = {"KUBECONFIG": str(world.kubeconfig), "REDIS_URL": world.redis_url, **settings}
    with function(name, tmp_path / "log", env) as process, httpx.Client(base_url=process.url, timeout=15) as client:
        found = {row: served(client, row, path_of(row), callers) for row in ROWS}
        assert SECRET not in client.get("/metrics").text
    assert found == {row: expected(PORTS[name], mode, row) for row in ROWS}


# --- the local broker ------------------------------------------------------------------------------------------------

PROGRAM = {"a program": (None, {})}
PAGES = {caller: (None, headers) for caller, headers in FOREIGN.items()}
BROKER = "/test/default"
BROKER_ROWS = {
    "GET /healthz": 200,
    "HEAD /healthz": 200,
    "GET /metrics": 200,
    "HEAD /metrics": 200,
    "POST /{path:path}": 400,
    "OPTIONS /{path:path}": 200,
    **{f"{method} /{{path:path}}": 405 for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE")},
}
"""What a program of this machine is answered; it is asked for no secret. The POST brings no event, so 400: it may send one."""
MANIFESTS = """
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: default, namespace: test}
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    folder, port = tmp_path_factory.mktemp("broker"), free_port()
    (folder / "manifests.yaml").write_text(MANIFESTS)
    files = ["--db", str(folder / "queue.db"), "--manifests", str(folder / "manifests.yaml")]
    command = [sys.executable, "-m", "functions.local.broker", "--port", str(port), *files]
    with running(command, folder / "log", {}), httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        until(lambda: _is_up(client), f"the broker is up; see {folder / 'log'}")
        yield client


def _is_up(client):
    with contextlib.suppress(httpx.TransportError):
        return client.get("/healthz").status_code == 200
    return False


def test_every_route_of_the_broker_has_a_row_and_every_row_a_route():
    assert methods_of(Ingress([Broker(BROKER, ())], None).app()) == BROKER_ROWS.keys()


@pytest.mark.parametrize("row", BROKER_ROWS)
def test_the_matrix_of_the_broker(broker, row):
    path = row.split(" ")[1].replace("/{path:path}", BROKER)
    found = served(broker, row, path, PROGRAM | PAGES)
    assert found == {"a program": BROKER_ROWS[row], **dict.fromkeys(PAGES, 403)}


# --- the simulated API server ----------------------------------------------------------------------------------------

CLUSTER_ROWS = {
    "POST /_sim/faults": 400,
    "DELETE /_sim/faults": 204,
    "GET /_sim/audit": 200,
    "HEAD /_sim/audit": 200,
    "DELETE /_sim/audit": 204,
    "GET /{path:path}": 200,
    "HEAD /{path:path}": 405,
    **{f"{method} /{{path:path}}": 404 for method in ("POST", "PUT", "PATCH", "DELETE")},
}
"""What a program of this machine is answered, which here is everybody. What is sent is no fault, and nothing of the last
four's name is there: 400 and 404 mean that it may.
"""


def test_every_route_of_the_simulated_api_server_has_a_row_and_every_row_a_route():
    class Nothing:
        store = None

    assert methods_of(Api(Nothing(), {}).app()) == CLUSTER_ROWS.keys()


@pytest.mark.parametrize("row", CLUSTER_ROWS)
def test_the_matrix_of_the_simulated_api_server(world, row):
    method, path = row.split(" ")
    there = "/api/v1/namespaces" if method in {"GET", "HEAD"} else "/apis/nothing.example/v1/things/one"
    found = served(world.cluster, row, path.replace("/{path:path}", there), PROGRAM | PAGES)
    assert found == {"a program": CLUSTER_ROWS[row], **dict.fromkeys(PAGES, 403)}
