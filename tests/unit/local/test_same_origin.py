"""What a browser's headers give away: requests that a page of another site asked for are refused."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from functions.same_origin import SameOrigin, is_loopback, refusal

PORT = 8081
OWN = f"127.0.0.1:{PORT}"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "127.8.8.8", "broker.localhost", "LOCALHOST"])
def test_this_machines_names_are_served(host):
    headers = {"host": f"{host}:{PORT}", "origin": f"http://{host}:{PORT}", "sec-fetch-site": "same-origin"}
    assert refusal("POST", headers) is None
    assert refusal("GET", {"host": host}) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8081",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil@localhost",
        "127.0.0.256",
        "127.1",
        "0.0.0.0",
        "[::]",
        "10.0.0.1",
        "[",
        "localhost:1:2",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "DELETE", "BREW"])
def test_another_host_is_refused_for_every_method(host, method):
    why, next_action = refusal(method, {"host": host})
    assert "this machine" in why
    assert next_action


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        f"http://evil.example:{PORT}",
        "null",
        "http://[evil",
        "http://localhost:3000",
        "file://",
        "",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_another_sites_origin_is_refused(origin, method):
    assert refusal(method, {"host": OWN, "origin": origin})


@pytest.mark.parametrize("site", ["cross-site", "same-site", "nonsense"])
def test_what_another_site_sends_without_an_origin_is_refused(site):
    assert refusal("POST", {"host": OWN, "sec-fetch-site": site})
    assert refusal("GET", {"host": OWN, "sec-fetch-site": site}) is None, "a link from elsewhere opens the page"


def test_programs_send_none_of_these_headers_and_are_served():
    for method in ("GET", "POST", "PATCH", "DELETE"):
        assert refusal(method, {"host": OWN}) is None
        assert refusal(method, {}) is None


def test_by_a_browser_a_change_needs_proof_that_this_site_asks_for_it():
    host = "modelswitch.apps.example"
    for headers, passes in [
        ({}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"origin": f"https://{host}"}, True),
        ({"origin": "https://other.apps.example"}, False),
        ({"origin": f"https://{host}", "sec-fetch-site": "cross-site"}, False),
    ]:
        refused = refusal("POST", {"host": host, **headers}, local_only=False, by_browser=True)
        assert (refused is None) is passes, headers


def test_names_that_only_look_like_this_machines_are_not():
    assert not any(map(is_loopback, ["", ".", "localhost.", "127.0.0", "127.0.0.-1", "xlocalhost", "::2"]))


@pytest.fixture
async def port():
    """A listener's application as the local ports are made, and what reached it."""
    reached = []

    async def answer(request):
        reached.append(request.method)
        return PlainTextResponse("ok")

    app = Starlette(routes=[Route("/", answer, methods=["GET", "POST"])], middleware=[Middleware(SameOrigin)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{OWN}") as client:
        yield client, reached


async def test_what_is_refused_goes_no_further(port):
    client, reached = port
    for headers in ({"host": "evil.example"}, {"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}):
        answer = await client.post("/", headers=headers, content=b"{}")
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:modelswitch:problem:Forbidden")
        assert answer.headers["content-type"] == "application/problem+json"
    assert reached == []
    assert (await client.post("/")).status_code == 200
    assert reached == ["POST"]
