"""Model servers that answer nobody without credentials: that is said, and nothing else is made of it."""

import base64
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from hostile_server import NOT_FOUND, READY, answer, serving

from functions.adapters.answers import NoCredentials
from functions.adapters.cluster import Forbidden, Missing
from functions.adapters.kserve.pod_credentials import PodCredentials
from functions.adapters.kserve.served import Protocol, Server
from functions.adapters.kserve.smoke_tests import SmokeTests
from functions.adapters.probe import DirectLine, Probe
from functions.lifecycle.errors import ClusterUnavailable
from functions.lifecycle.observation import Answered, PodAnswer
from functions.lifecycle.prediction import Outcome

pytestmark = pytest.mark.timeout(60)

V1_FIRST = (Protocol.V1, Protocol.V2, Protocol.OPENAI)
V2_FIRST = (Protocol.V2, Protocol.V1, Protocol.OPENAI)
LOCKED = {
    "vLLM": answer(401, {"error": "Unauthorized"}),
    "a proxy": answer(403, b"RBAC: access denied"),
    "a page": answer(401, b"<html>model server: sign in</html>", WWW_Authenticate="Basic"),
    "an error about a model": answer(403, {"error": "access to model m not found in your grants"}),
}


def a_server(port, protocols=V1_FIRST, **changes):
    made = Server("1", "pod-1", "ml", "127.0.0.1", port, False, ("m",), True, protocols)
    return replace(made, **changes)


async def asked(server, **serves):
    probe = Probe(DirectLine())
    async with serving(**serves) as (port, tally):
        found = (await probe.ask([replace(server, port=port)]))["1"]
    await probe.close()
    return found, tally


@pytest.mark.parametrize("protocols", [V1_FIRST, V2_FIRST, (Protocol.OPENAI,)], ids=["v1", "v2", "llm"])
@pytest.mark.parametrize("case", LOCKED)
async def test_a_server_that_wants_credentials_can_not_be_asked_and_that_is_said(case, protocols):
    found, tally = await asked(a_server(1, protocols), otherwise=LOCKED[case])
    assert found.what is Answered.UNASKABLE
    assert "wants credentials" in found.detail
    assert case != "vLLM" or "401 Unauthorized" in found.detail
    assert not [head for head in tally.heads if "authorization" in head.lower()]


class Secrets:
    """An API server that has these Secrets, or raises `error`."""

    def __init__(self, error=None, **data):
        self.error, self.data, self.paths = error, data, []

    async def get(self, path, **_):
        self.paths.append(path)
        if self.error:
            raise self.error
        return {"data": {key: base64.b64encode(value.encode()).decode() for key, value in self.data.items()}}


@asynccontextmanager
async def guarded(key):
    """A vLLM that lists its model to who has the key; yields its port and the keys that it was shown."""
    shown = []

    async def listed(writer):
        shown.append(next((line for line in tally.heads[-1].splitlines() if "authorization" in line.lower()), None))
        fits = shown[-1] == f"Authorization: {key}"
        writer.write(answer(200, {"object": "list", "data": [{"id": "m"}]}) if fits else LOCKED["vLLM"])
        await writer.drain()

    async with serving({"/v1/models": listed}) as (port, tally):
        yield port, shown


async def asked_with(secrets, key="Bearer s3cret", **changes):
    line = DirectLine(PodCredentials(secrets))
    probe = Probe(line)
    async with guarded(key) as (port, shown):
        server = a_server(port, (Protocol.OPENAI,), secret="api-key", **changes)
        found = [(await probe.ask([server]))["1"] for _ in range(2)]
    await probe.close()
    assert found[0] == found[1]
    return found[0], shown


@pytest.mark.parametrize(
    ("data", "key"),
    [({"token": "s3cret\n"}, "Bearer s3cret"), ({"authorization": "Basic dTpw"}, "Basic dTpw")],
)
async def test_a_secret_that_the_owner_names_opens_it_once_it_has_asked_for_credentials(data, key):
    secrets = Secrets(**data)
    found, shown = await asked_with(secrets, key)
    assert found.what is Answered.LOADED
    assert shown == [None, f"Authorization: {key}"] * 2
    assert secrets.paths == ["/api/v1/namespaces/ml/secrets/api-key"], "it is read once a minute"
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(
    ("secrets", "said"),
    [
        (Secrets(token="wrong"), "refuses the credentials of Secret api-key"),
        (Secrets(password="s3cret"), "no usable key"),
        (Secrets(token="s3cret\r\nX-Remote-User: admin"), "no usable key"),
        (Secrets(token="x" * 10_000), "no usable key"),
        (Secrets(error=Missing()), "is not there"),
        (Secrets(error=Forbidden("secrets is forbidden")), "model-credentials.yaml has the Role"),
        (Secrets(error=ClusterUnavailable("away")), "could not be read"),
    ],
    ids=["wrong", "other key", "two lines", "too long", "missing", "forbidden", "away"],
)
async def test_a_secret_that_opens_nothing_is_told_apart(secrets, said):
    found, shown = await asked_with(secrets)
    assert found.what is Answered.UNASKABLE
    assert said in found.detail
    assert "wrong" not in found.detail and "s3cret" not in found.detail
    assert set(shown) <= {None, "Authorization: Bearer wrong"}


@pytest.mark.parametrize("name", ["../../kube-system/secrets/x", "a/b", "..", "A b", "x" * 300])
async def test_only_a_name_of_a_secret_is_read(name):
    secrets = Secrets(token="s3cret")
    with pytest.raises(NoCredentials):
        await PodCredentials(secrets).authorization("ml", name)
    assert secrets.paths == []


async def test_a_server_that_wants_none_is_shown_none():
    secrets = Secrets(token="s3cret")
    probe = Probe(DirectLine(PodCredentials(secrets)))
    async with serving(otherwise=READY) as (port, tally):
        found = (await probe.ask([a_server(port, secret="api-key")]))["1"]
    await probe.close()
    assert (found.what, secrets.paths) == (Answered.LOADED, [])
    assert "authorization" not in tally.heads[0].lower()


async def test_a_smoke_test_carries_the_credentials_of_the_owner_too():
    async def predicted(writer):
        fits = "Authorization: Bearer s3cret" in tally.heads[-1]
        writer.write(answer(200, {"choices": []}) if fits else LOCKED["vLLM"])
        await writer.drain()

    line = DirectLine(PodCredentials(Secrets(token="s3cret")))
    loaded = PodAnswer(Answered.LOADED, predict_path="/v1/completions")
    metadata = {"name": "m", "namespace": "ml", "annotations": {"modelswitch.dev/smoke-test": '{"payload": {}}'}}
    async with serving({"/v1/completions": predicted}) as (port, tally):
        tests = SmokeTests(None, line)
        told = [await tests.ask(metadata, [(a_server(port, secret=name), loaded)]) for name in ("api-key", "")]
    await line.close()
    assert [one["1"].outcome for one in told] == [Outcome.GOOD, Outcome.BAD]


async def test_it_is_said_also_where_only_the_list_wants_them():
    """As vLLM with an API key, which guards only what is under /v1."""
    paths = {"/v1/models/m": NOT_FOUND, "/v2/models/m/ready": NOT_FOUND, "/v1/models": LOCKED["vLLM"]}
    found, _ = await asked(a_server(1), paths=paths)
    assert (found.what, found.own_protocol) == (Answered.UNASKABLE, True)
    assert "GET /v1/models: 401" in found.detail


async def test_a_model_whose_name_is_unknown_may_be_in_a_list_that_wants_them():
    paths = {
        "/v2/models/m/ready": answer(404, {"error": "Model m not found"}),
        "/v2/repository/index": LOCKED["vLLM"],
    }
    found, _ = await asked(a_server(1, V2_FIRST, told=False), paths=paths)
    assert found.what is Answered.UNASKABLE
    assert "POST /v2/repository/index: 401" in found.detail
