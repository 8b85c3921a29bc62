"""What is said of the admission policy that guards the stop annotation: in force, missing, not enforced, or unknown."""

import copy
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from functions.adapters.kserve.note_policy import BINDINGS, KEPT_SECONDS, POLICIES, NotePolicy, PolicyState

NAME = "modelswitch-stop-annotation.modelswitch"
MANIFESTS = yaml.safe_load_all((Path(__file__).parents[3] / "knative/base/stop-annotation.yaml").read_text())
DEPLOYED = {manifest["kind"]: manifest for manifest in MANIFESTS}
OPTED_IN = {"matchLabels": {"modelswitch.dev/installation": "modelswitch"}}
ABSENT, REFUSED, BROKEN = 404, 403, 500


class Objects:
    """What the API server has: `policy` and `binding` are objects, or the status of an error."""

    def __init__(self):
        self.policy, self.binding = copy.deepcopy(list(DEPLOYED.values()))
        self.asked = []

    def answer(self, request):
        self.asked.append(request.path)
        there = {f"{POLICIES}/{NAME}": self.policy, f"{BINDINGS}/{NAME}": self.binding}
        found = there.get(request.path, ABSENT)
        return web.Response(status=found) if isinstance(found, int) else web.json_response(found)


@pytest.fixture
def objects(api_server):
    made = Objects()
    api_server.answers = made.answer
    return made


@pytest.fixture
def policy(cluster, objects):
    return NotePolicy(cluster, "modelswitch", lambda: 0.0)


async def test_as_deployed_it_is_in_force_and_there_is_nothing_to_say(policy):
    status = await policy.status()
    assert (status.state, status.name, status.message, status.only_in) == (PolicyState.IN_FORCE, NAME, "", "")


async def test_per_namespace_it_says_where_it_holds(policy, objects):
    # The API server adds the defaults beside the selector.
    match = {"namespaceSelector": OPTED_IN, "objectSelector": {}, "matchPolicy": "Equivalent"}
    objects.binding["spec"]["matchResources"] = match
    status = await policy.status()
    assert (status.state, status.only_in) == (PolicyState.IN_FORCE, "modelswitch.dev/installation=modelswitch")


@pytest.mark.parametrize("part", ["policy", "binding"])
async def test_what_is_not_there_is_missing_and_what_to_do_is_said(policy, objects, part):
    setattr(objects, part, ABSENT)
    status = await policy.status()
    kind = {"policy": "ValidatingAdmissionPolicy", "binding": "ValidatingAdmissionPolicyBinding"}[part]
    assert status.state is PolicyState.MISSING
    assert f"{kind} {NAME} is missing" in status.message
    assert "is a claim" in status.message
    assert "make deploy NAMESPACE=modelswitch" in status.next_action


async def test_an_api_server_that_does_not_know_policies_has_none(policy, objects):
    objects.policy = objects.binding = ABSENT
    assert (await policy.status()).state is PolicyState.MISSING


@pytest.mark.parametrize("installation", ["other", "../x", "a/b", ""])
async def test_the_policy_of_another_installation_does_not_count(cluster, objects, installation):
    assert (await NotePolicy(cluster, installation).status()).state is PolicyState.MISSING


def changed(part, **spec):
    def change(objects):
        getattr(objects, part)["spec"].update(spec)

    return change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (changed("policy", failurePolicy="Ignore"), "failurePolicy is Ignore"),
        (changed("binding", validationActions=["Audit", "Warn"]), "Audit, Warn, expected Deny"),
        (changed("binding", validationActions=[]), "none, expected Deny"),
        (changed("binding", policyName="another"), "names the policy another"),
        (changed("binding", matchResources={"objectSelector": {"matchLabels": {"a": "b"}}}), "leave out models"),
        (changed("binding", matchResources={"excludeResourceRules": [{"resources": ["*"]}]}), "leave out models"),
        (changed("binding", matchResources={"namespaceSelector": {"matchLabels": {"a": "b"}}}), "namespaceSelector"),
    ],
)
async def test_a_policy_that_lets_requests_pass_is_not_enforced(policy, objects, change, why):
    change(objects)
    status = await policy.status()
    assert (status.state, why in status.message) == (PolicyState.NOT_ENFORCED, True), status.message
    assert "make deploy" in status.next_action


@pytest.mark.parametrize("part", ["policy", "binding"])
async def test_what_may_not_be_read_is_unknown_and_never_missing(policy, objects, part):
    setattr(objects, part, REFUSED)
    status = await policy.status()
    assert status.state is PolicyState.UNKNOWN
    assert "may not be read" in status.message
    assert "missing" not in status.message
    assert "Grant get on validatingadmissionpolicies" in status.next_action


@pytest.mark.parametrize("part", ["policy", "binding"])
@pytest.mark.parametrize(
    "answer", [BROKEN, 400, 409, {}, {"spec": None}, {"spec": {"failurePolicy": 3, "policyName": []}}]
)
async def test_what_could_not_be_read_is_unknown_and_raises_nothing(policy, objects, part, answer):
    setattr(objects, part, answer)
    status = await policy.status()
    assert (status.state, "could not be read" in status.message) == (PolicyState.UNKNOWN, True)


async def test_it_is_read_once_a_minute_however_often_it_is_asked_for(cluster, objects):
    now = [0.0]
    policy = NotePolicy(cluster, "modelswitch", lambda: now[0])
    for _ in range(5):
        assert (await policy.status()).state is PolicyState.IN_FORCE
    assert len(objects.asked) == 2
    objects.policy = ABSENT
    now[0] = KEPT_SECONDS
    assert (await policy.status()).state is PolicyState.MISSING


async def test_while_the_api_server_does_not_answer_what_it_said_before_counts(cluster, objects):
    now = [0.0]
    policy = NotePolicy(cluster, "modelswitch", lambda: now[0])
    before = await policy.status()
    objects.policy, now[0] = BROKEN, KEPT_SECONDS
    assert await policy.status() == before
    objects.policy, now[0] = REFUSED, 2 * KEPT_SECONDS
    assert (await policy.status()).state is PolicyState.UNKNOWN
