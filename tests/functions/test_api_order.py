"""Commands of one caller over several connections: they take their places in the order in which they arrived, whatever
is slow about one of them; and a request that never ends delays no other caller.
"""

import contextlib
import json
import socket
from urllib.parse import urlsplit

import pytest


class Held:
    """A POST whose body is held back: the API has read its head, and waits for the rest."""

    def __init__(self, api, path, body, headers):
        self.body = json.dumps(body).encode()
        place = urlsplit(str(api.base_url))
        self.connection = socket.create_connection((place.hostname, place.port), timeout=30)
        lines = [
            f"POST {path} HTTP/1.1",
            f"host: {place.netloc}",
            "content-type: application/json",
            f"content-length: {len(self.body)}",
            "expect: 100-continue",
            "connection: close",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        self.connection.sendall("\r\n".join([*lines, "", ""]).encode())
        self.file = self.connection.makefile("rb")
        assert self.file.readline().startswith(b"HTTP/1.1 100 ")
        assert self.file.readline() == b"\r\n"

    def send(self):
        self.connection.sendall(self.body)

    def answer(self):
        head, _, body = self.file.read().partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)


@pytest.fixture
def hold(token_api):
    """Sends the head of a command; `hold(path, body, token)`."""
    with contextlib.ExitStack() as stack:

        def made(path, body, token):
            held = Held(token_api, path, body, {"authorization": f"Bearer {token}"})
            stack.callback(held.connection.close)
            return held

        yield made


def path(name, verb):
    return f"/api/v1/namespaces/blue/models/{name}/{verb}"


def let_it_work(api, name):
    """So much that a command which waits for nothing is done by then."""
    for _ in range(20):
        api.get(path(name, "status"), headers={"authorization": "Bearer operator-token"}).raise_for_status()


@pytest.mark.parametrize("later", ["by its namespace", "by its name alone", "in bulk"])
def test_a_command_whose_body_comes_late_keeps_its_place_before_the_callers_next_one(world, token_api, hold, later):
    name = world.make(name=f"late-{later.replace(' ', '-')}")
    path_and_body = {
        "by its namespace": (path(name, "stop"), {"reason": "night"}),
        "by its name alone": (f"/api/v1/models/{name}/stop?namespace=blue", {"reason": "night"}),
        "in bulk": ("/api/v1/models:stop", {"models": [{"namespace": "blue", "name": name}]}),
    }
    start = hold(path(name, "start"), {"queue": True}, "operator-token")
    stop = hold(*path_and_body[later], "operator-token")
    stop.send()
    let_it_work(token_api, name)
    start.send()
    status, body = start.answer()
    assert (status, body["changed"]) == (200, False), "the start arrived first, and found the model running"
    assert stop.answer()[0] in {200, 202}
    assert world.annotations("blue", name)["serving.kserve.io/stop"] == "true"


@pytest.mark.parametrize("whose", ["operator", "stranger"], ids=["the same caller's", "another caller's"])
def test_a_request_that_never_ends_keeps_no_command_from_being_done(world, token_api, hold, whose):
    name = world.make()
    hold(path(name, "start"), {"queue": True}, f"{whose}-token")
    answer = token_api.post(path(name, "stop"), headers={"authorization": "Bearer operator-token"})
    assert (answer.status_code, answer.json()["changed"]) == (202, True)
    assert world.annotations("blue", name)["serving.kserve.io/stop"] == "true"


def test_who_may_not_is_refused_before_the_body_is_read(token_api):
    head = {"authorization": "Bearer reader-token"}
    with pytest.raises(AssertionError, match="403 Forbidden"):
        Held(token_api, path("any", "start"), {}, head)
