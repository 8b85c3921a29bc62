"""On a real API server: the account of the API reads whether the policy of the stop annotation is in force, and no other."""

import secrets

import pytest
from real_cluster import RIGHTS, Caller, Rights, configuration_of, connect, needs_a_cluster, wait_until

from functions.adapters.cluster import Cluster, Forbidden
from functions.adapters.kserve.note_policy import POLICIES, NotePolicy, PolicyState
from functions.adapters.kserve.resources import STOP_ANNOTATION_POLICY

pytestmark = needs_a_cluster

POLICY, BINDING = (RIGHTS[f"ValidatingAdmissionPolicy{end}"] for end in ("", "Binding"))


@pytest.fixture(params=["dev", "per-namespace"])
def rights(request):
    """An installation of its own, whose policy a test may change."""
    with connect() as http:
        made = Rights(Caller(http), f"rights-policy-{secrets.token_hex(3)}", request.param)
        try:
            made.put()
            made.policy = f"{STOP_ANNOTATION_POLICY}.{made.namespace}"
            made.label = f"modelswitch.dev/installation={made.namespace}" if request.param == "per-namespace" else ""
            api = Caller(http, made.account("modelswitch-api"))
            wait_until(lambda: api.request("GET", f"{POLICY}/{made.policy}").status_code == 200)
            yield made
        finally:
            made.remove()


@pytest.fixture
async def cluster(rights, tmp_path):
    """The product's own client, as the API has it."""
    with connect() as http:
        client = Cluster(configuration_of(http, rights, "modelswitch-api", tmp_path))
    yield client
    await client.close()


async def read(cluster, rights):
    """Anew each time: what was read before is kept for a minute."""
    return await NotePolicy(cluster, rights.namespace).status()


async def test_as_deployed_the_api_finds_it_in_force(rights, cluster):
    status = await read(cluster, rights)
    assert (status.state, status.message, status.only_in) == (PolicyState.IN_FORCE, "", rights.label)


async def test_a_binding_that_only_audits_is_not_enforced_and_one_that_is_gone_is_missing(rights, cluster):
    with connect() as http:
        admin = Caller(http)
        audits = {"spec": {"validationActions": ["Audit"]}}
        assert admin.merge(f"{BINDING}/{rights.policy}", audits).status_code == 200
        assert (await read(cluster, rights)).state is PolicyState.NOT_ENFORCED
        assert admin.delete(f"{BINDING}/{rights.policy}").status_code == 200
        status = await read(cluster, rights)
        assert (status.state, "PolicyBinding" in status.message) == (PolicyState.MISSING, True)
        assert admin.delete(f"{POLICY}/{rights.policy}").status_code == 200
        assert (await read(cluster, rights)).state is PolicyState.MISSING


async def test_another_policy_and_the_list_of_them_may_not_be_read(rights, cluster):
    assert (await NotePolicy(cluster, "another").status()).state is PolicyState.UNKNOWN
    with pytest.raises(Forbidden):
        await cluster.get(POLICIES)


async def test_an_account_without_the_right_is_told_unknown_and_never_missing(rights, tmp_path):
    with connect() as http:
        client = Cluster(configuration_of(http, rights, "modelswitch-lifecycle", tmp_path))
    try:
        status = await read(client, rights)
    finally:
        await client.close()
    assert (status.state, "may not be read" in status.message) == (PolicyState.UNKNOWN, True)
