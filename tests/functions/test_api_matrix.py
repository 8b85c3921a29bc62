"""Every route of the API against every kind of caller. A route without a row, or a row without a route, fails.

The ports of the functions, the local broker and the simulated API server are in test_port_matrix.py.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest
from api_rig import BOSS, wait_for
from fastapi.routing import iter_route_contexts

from functions.api.app import create_app
from functions.settings import Settings

MODEL = "matrix"
PATH = "/api/v1/namespaces/blue/models/matrix"
CALLERS = {
    "none": None,
    "junk": "junk-of-the-matrix",
    "no rights": "nobody-token",
    "get only": "getter-token",
    "view": "viewer-token",
    "operator": "stranger-token",
    "another's operator": "green-token",
    "admin": "root-token",
}
"""`view` and `operator` are of the model's namespace."""


def each(none, junk, no_rights, get_only, view, operator, other, admin):
    return dict(zip(CALLERS, (none, junk, no_rights, get_only, view, operator, other, admin), strict=True))


PUBLIC = each(*[200] * 8)
ANYBODY = each(401, 401, *[200] * 6)
GET = each(401, 401, 403, 200, 200, 200, 403, 200)
GET_BY_NAME = each(401, 401, 404, 200, 200, 200, 404, 200)
PATCH = each(401, 401, 403, 403, 403, 422, 403, 422)
PATCH_BY_NAME = each(401, 401, 404, 403, 403, 422, 404, 422)
MAY_LIST = {"view", "operator", "admin"}
SITE = {"sec-fetch-site": "same-origin"}


@dataclass(frozen=True)
class Row:
    """`status` by caller. `shows`: a text that only those who may list the namespace find in the answer.

    `each_model`: statuses of the one model of a bulk request. `body`: wrong on purpose where it would do something, so
    that 422, or 409, means that the caller was allowed to; a function makes it from what is recorded.
    """

    status: dict[str, int]
    path: str = ""
    body: Any = None
    form: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    shows: str | None = None
    each_model: dict[str, int] | None = None
    stream: bool = False


WRONG = {"nonsense": 1}
ANOTHER = {"uri": "gs://models/another", "digest": f"sha256:{'0' * 64}", "size": 1, "complete": "declared"}
BULK = {"models": [{"namespace": "blue", "name": "nobody-there"}]}
EACH_MODEL = each(0, 0, 403, 403, 403, 404, 403, 404)
PLAN = {"verb": "stop", "models": [{"namespace": "blue", "name": MODEL}]}
FILTERED = each(401, 401, 403, 403, 200, 200, 403, 200)

ROWS = {
    "GET /livez": Row(PUBLIC),
    "GET /healthz": Row(PUBLIC),
    "GET /metrics": Row(PUBLIC),
    "GET /openapi.json": Row(PUBLIC),
    "GET /docs": Row(PUBLIC),
    "GET /static": Row(PUBLIC, path="/static/stream.js"),
    "GET /sign-in": Row(each(200, 401, *[200] * 6)),
    "POST /sign-in": Row(each(401, 401, *[303] * 6), form=True, headers=SITE),
    "POST /sign-out": Row(each(*[303] * 8), headers=SITE),
    "GET /": Row(ANYBODY, shows=f"/models/blue/InferenceService/{MODEL}"),
    "GET /capacity": Row(ANYBODY),
    "GET /audit": Row(ANYBODY),
    "GET /models/{namespace}/{kind}/{name}": Row(GET, path=f"/models/blue/InferenceService/{MODEL}"),
    "GET /live": Row(ANYBODY, stream=True),
    "GET /kserve-words": Row(ANYBODY, path=f"/kserve-words?model=blue/InferenceService/{MODEL}"),
    "POST /plan": Row(ANYBODY, body=PLAN, shows=MODEL),
    "POST /audit/again": Row(each(401, 401, *[404] * 6), body={"entry": "1-1"}),
    "POST /audit/again there": Row(each(401, 401, 404, 404, 403, 409, 404, 409), body=lambda entry: {"entry": entry}),
    "GET /api/v1/models": Row(ANYBODY, shows=MODEL),
    "GET /api/v1/models ?namespace": Row(FILTERED, path="/api/v1/models?namespace=blue", shows=MODEL),
    "GET /api/v1/capacity": Row(ANYBODY, shows='"blue"'),
    "GET /api/v1/audit": Row(ANYBODY, path="/api/v1/audit?limit=1000", shows=f'"{MODEL}"'),
    "GET /api/v1/audit ?namespace": Row(FILTERED, path="/api/v1/audit?namespace=blue", shows=f'"{MODEL}"'),
    "GET /api/v1/events": Row(ANYBODY, stream=True),
    "GET /api/v1/namespaces/{namespace}/models/{name}/status": Row(GET, path=f"{PATH}/status"),
    "GET /api/v1/models/{name}/status": Row(GET_BY_NAME, path=f"/api/v1/models/{MODEL}/status"),
    "POST /api/v1/namespaces/{namespace}/models/{name}/stop": Row(PATCH, path=f"{PATH}/stop", body=WRONG),
    "POST /api/v1/namespaces/{namespace}/models/{name}/start": Row(PATCH, path=f"{PATH}/start", body=WRONG),
    "POST /api/v1/models/{name}/stop": Row(PATCH_BY_NAME, path=f"/api/v1/models/{MODEL}/stop", body=WRONG),
    "POST /api/v1/models/{name}/start": Row(PATCH_BY_NAME, path=f"/api/v1/models/{MODEL}/start", body=WRONG),
    "POST /api/v1/models:stop": Row(ANYBODY, body=BULK, each_model=EACH_MODEL),
    "POST /api/v1/models:start": Row(ANYBODY, body=BULK, each_model=EACH_MODEL),
}
"""Another row of a route, with other parameters, has a word behind the path."""


def routes():
    """What the app serves, as METHOD and path; HEAD is GET without its body."""
    found = set()
    for route in iter_route_contexts(create_app(Settings()).routes):
        methods = (route.methods or {"GET"}) - {"HEAD"}
        found |= {f"{method} {route.path}" for method in methods}
    return found


def test_every_route_has_a_row_and_every_row_a_route():
    assert {" ".join(name.split(" ")[:2]) for name in ROWS} == routes()


@pytest.fixture(scope="module")
def recorded(world, token_api):
    """A model that lists, history and capacity know. Returns the place in the audit of a reload of it that was not
    delivered, and would be refused: it is of another artifact.
    """
    world.make("blue", MODEL)
    token_api.get(f"{PATH}/status", headers=BOSS).raise_for_status()
    world.synced()
    wait_for(lambda: MODEL in token_api.get("/api/v1/models", headers=BOSS).text, "it is listed")
    subject = f"namespaces/blue/inferenceservices/{MODEL}"
    return world.dead_letter("dev.modelswitch.model.reload-requested.v1", subject, {"artifact": ANOTHER})[0]


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("name", ROWS)
def test_the_matrix(token_api, recorded, name, caller):
    row, token = ROWS[name], CALLERS[caller]
    method, path = name.split(" ")[:2]
    headers = {**row.headers, **({"authorization": f"Bearer {token}"} if token and not row.form else {})}
    given = row.body(recorded) if callable(row.body) else row.body
    body = {"data": {"token": token or ""}} if row.form else {"json": given} if given is not None else {}
    with token_api.stream(method, row.path or path, headers=headers, **body) as answer:
        text = "" if row.stream and answer.status_code == 200 else answer.read().decode()
    token_api.cookies.clear()
    assert answer.status_code == row.status[caller], text[:300]
    if row.shows and answer.status_code == 200:
        assert (row.shows in text) is (caller in MAY_LIST)
    if row.each_model and answer.status_code == 200:
        assert [item["status"] for item in answer.json()["items"]] == [row.each_model[caller]]
