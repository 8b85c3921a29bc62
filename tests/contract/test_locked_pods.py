"""Model servers that answer nobody without credentials: that is said, and nothing else is made of it."""

from dataclasses import replace

import pytest
from hostile_server import NOT_FOUND, answer, serving

from functions.adapters.kserve.served import Protocol, Server
from functions.adapters.probe import DirectLine, Probe
from functions.lifecycle.observation import Answered

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
