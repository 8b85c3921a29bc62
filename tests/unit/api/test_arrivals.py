"""Which requests wait for which: only for earlier ones of the same caller about the same model."""

import asyncio
import math

import pytest

from functions.api.arrivals import InOrder
from functions.command_order import Queues
from functions.settings import Settings


class Requests:
    """The middleware around an application that says which request has its turn, and ends it when it is let."""

    def __init__(self, seconds=math.inf, **settings):
        self.queues = Queues(seconds)
        self.turns = []
        self._ends = {}
        self._tasks = {}
        self._app = InOrder(self._serve, Settings(**{"auth": "token", **settings}), self.queues)

    async def _serve(self, scope, receive, send):
        arrival = scope["state"].get("arrival")
        if scope["refused"]:
            await self._ends[scope["id"]].wait()
            return
        place = arrival and (arrival.place or arrival.join("iris"))
        if place:
            await place.turn()
        self.turns.append(scope["id"])
        await self._ends[scope["id"]].wait()
        if place:
            place.leave()

    async def send(self, name, path="models/iris/stop", token="mine", *, refused=False, **headers):
        """Arrives, and gets as far as it can."""
        self._ends[name] = asyncio.Event()
        shown = {"authorization": f"Bearer {token}"} if token else {}
        scope = {
            "id": name,
            "type": "http",
            "method": "POST",
            "scheme": "http",
            "path": f"/api/v1/{path}",
            "headers": [(key.encode(), value.encode()) for key, value in (shown | headers).items()],
            "state": {},
            "refused": refused,
        }
        self._tasks[name] = asyncio.create_task(self._app(scope, None, None))
        await settled()

    async def end(self, *names):
        for name in names:
            self._ends[name].set()
            await asyncio.wait_for(self._tasks[name], 60)
        await settled()


async def settled():
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_callers_commands_of_one_model_have_their_turns_in_the_order_of_arrival():
    requests = Requests()
    for name in ("first", "second", "third"):
        await requests.send(name)
    assert requests.turns == ["first"]
    await requests.end("first")
    assert requests.turns == ["first", "second"]
    await requests.end("second", "third")
    assert requests.turns == ["first", "second", "third"]
    assert len(requests.queues) == 0


@pytest.mark.parametrize("token", ["theirs", "", "two words"])
async def test_nobody_waits_for_another_callers_request(token):
    requests = Requests()
    await requests.send("theirs", token=token)
    await requests.send("mine")
    assert "mine" in requests.turns
    await requests.end("theirs", "mine")
    assert len(requests.queues) == 0


async def test_a_request_without_a_token_waits_for_none_and_keeps_no_queue():
    requests = Requests()
    await requests.send("first", token="")
    await requests.send("second", token="")
    assert requests.turns == ["first", "second"]
    assert len(requests.queues) == 0
    await requests.end("first", "second")


async def test_nobody_waits_for_another_model():
    requests = Requests()
    await requests.send("other", "namespaces/blue/models/other/stop", refused=True)
    await requests.send("mine", "namespaces/blue/models/iris/stop")
    assert requests.turns == ["mine"]
    await requests.end("other", "mine")


@pytest.mark.parametrize(
    "path", ["models/iris/stop", "models/iris/start", "namespaces/blue/models/iris/start", "models:stop"]
)
async def test_it_is_one_order_however_the_model_is_named(path):
    requests = Requests()
    await requests.send("earlier", "namespaces/blue/models/iris/stop")
    await requests.send("later", path)
    assert requests.turns == ["earlier"]
    await requests.end("earlier", "later")
    assert requests.turns == ["earlier", "later"]


async def test_a_request_that_was_refused_is_waited_for_no_longer():
    requests = Requests()
    await requests.send("refused", refused=True)
    await requests.send("mine")
    assert requests.turns == []
    await requests.end("refused")
    assert requests.turns == ["mine"]
    await requests.end("mine")


async def test_the_second_does_not_go_when_the_one_between_has_left():
    requests = Requests()
    await requests.send("first", refused=True)
    await requests.send("between", refused=True)
    await requests.send("last")
    await requests.end("between")
    assert requests.turns == []
    await requests.end("first", "last")


async def test_a_request_that_does_not_end_delays_one_command_and_no_later_one():
    requests = Requests(seconds=0.01)
    await requests.send("stuck", refused=True)
    await requests.send("next")
    await requests.end("next")
    assert requests.turns == ["next"]
    requests.queues.seconds = math.inf
    await requests.send("and-the-next")
    assert requests.turns == ["next", "and-the-next"]
    await requests.end("and-the-next", "stuck")
    assert len(requests.queues) == 0


async def test_where_nobody_needs_a_token_all_are_one_caller():
    requests = Requests(auth="none")
    await requests.send("first", token="")
    await requests.send("second", token="some")
    assert requests.turns == ["first"]
    await requests.end("first", "second")


async def test_a_cookie_and_a_header_with_the_same_token_are_one_caller():
    requests = Requests()
    await requests.send("by a program", token="mine")
    await requests.send("by a browser", token="", cookie="modelswitch-token=mine")
    assert requests.turns == ["by a program"]
    await requests.end("by a program", "by a browser")


@pytest.mark.parametrize("path", ["models/iris/status", "models:preview", "namespaces/blue/models/a/b/stop"])
async def test_what_is_no_command_has_no_arrival(path):
    requests = Requests()
    await requests.send("one", path)
    await requests.send("two", path)
    assert requests.turns == ["one", "two"]
    await requests.end("one", "two")
