"""Whether another installation manages the same models, as the bindings of admission policies show."""

import pytest
import structlog
from aiohttp import web

from functions.adapters.kserve.installations import SAID_AGAIN_SECONDS, Installations, OtherInstallations
from functions.adapters.kserve.note_policy import KEPT_SECONDS

EVERYWHERE = object()


def binding(name, opted_in=EVERYWHERE, policy="modelswitch-stop-annotation", **match):
    spec = {"policyName": policy, "validationActions": ["Deny"]}
    if opted_in is not EVERYWHERE:
        match["namespaceSelector"] = {"matchLabels": {"modelswitch.dev/installation": opted_in}}
    return {"metadata": {"name": f"{policy}.{name}"}, "spec": {**spec, **({"matchResources": match} if match else {})}}


class Bindings:
    def __init__(self, server):
        self.items, self.status, self.now, self.server = [], 200, 1000.0, server
        server.answers = self.answer

    def answer(self, _):
        return web.json_response({"items": self.items}) if self.status == 200 else web.Response(status=self.status)


@pytest.fixture
def bindings(api_server):
    return Bindings(api_server)


@pytest.fixture
def installations(cluster, bindings):
    return Installations(cluster, "modelswitch", lambda: bindings.now)


@pytest.mark.parametrize(
    ("items", "names"),
    [
        ([], ()),
        ([binding("modelswitch")], ()),
        ([binding("modelswitch"), binding("blue"), binding("ames")], ("ames", "blue")),
        ([binding("modelswitch", "modelswitch"), binding("blue", "blue")], ()),
        ([binding("modelswitch", "modelswitch"), binding("blue", "modelswitch")], ("blue",)),
        ([binding("modelswitch", "modelswitch"), binding("blue")], ("blue",)),
        ([binding("modelswitch"), binding("blue", "blue")], ("blue",)),
        ([binding("blue")], ("blue",)),
        (
            [binding("modelswitch", "modelswitch"), binding("blue", namespaceSelector={"matchLabels": {"a": "b"}})],
            ("blue",),
        ),
        ([binding("modelswitch"), binding("blue", policy="modelswitch-handover"), binding("x", policy="other")], ()),
        ([binding("modelswitch"), {"metadata": "?"}, {"spec": None}, binding("")], ()),
    ],
)
async def test_those_are_named_that_may_share_a_namespace_with_this_one(installations, bindings, items, names):
    bindings.items = items
    assert (await installations.others()).names == names


async def test_what_is_said_names_them_and_the_way_out():
    one, two = OtherInstallations(("blue",)), OtherInstallations(("ames", "blue"))
    assert one.message.startswith("Another installation of modelswitch (namespace blue) may manage the same models")
    assert two.message.startswith("2 other installations of modelswitch (namespaces ames, blue) may manage")
    assert "make undeploy NAMESPACE=blue" in one.next_action
    assert "OVERLAY=per-namespace" in one.next_action
    assert (OtherInstallations().message, OtherInstallations(None).next_action) == ("", "")


async def test_it_is_asked_once_a_minute(installations, bindings, api_server):
    await installations.others()
    bindings.items = [binding("blue")]
    assert (await installations.others()).names == ()
    assert len(api_server.asked) == 1
    bindings.now += KEPT_SECONDS
    assert (await installations.others()).names == ("blue",)


async def test_what_may_not_be_read_is_unknown_and_an_api_server_without_policies_has_none(installations, bindings):
    bindings.status = 403
    assert (await installations.others()).names is None
    bindings.status, bindings.now = 404, bindings.now + KEPT_SECONDS
    assert (await installations.others()).names == ()


async def test_while_the_api_server_is_away_what_it_said_counts(installations, bindings):
    bindings.items = [binding("blue")]
    await installations.others()
    bindings.status, bindings.now = 500, bindings.now + KEPT_SECONDS
    assert (await installations.others()).names == ("blue",)


async def test_the_log_says_so_when_one_appears_and_each_hour(installations, bindings):
    with structlog.testing.capture_logs() as lines:
        await installations.say()
        bindings.items, bindings.now = [binding("blue")], bindings.now + KEPT_SECONDS
        for _ in range(3):
            await installations.say()
            bindings.now += KEPT_SECONDS
        assert [(line["action"], line["installations"]) for line in lines] == [("other-installation", ("blue",))]
        bindings.now += SAID_AGAIN_SECONDS
        await installations.say()
    assert len(lines) == 2
