"""Where the admission policy of the stop annotation is missing, and where a note is not ours: a model's page and `verify` say so."""

import json

import pytest
from api_rig import OPERATOR, SERVING, wait_for
from cli_process import command
from function_process import SECRET
from policy_server import policies

NOTE = '{"holds":[{"kind":"user","actor":"ceo"}],"source":"rest:ceo","command":"1","since":"2026-01-01T00:00:00Z"}'
UNSIGNED = "Annotation modelswitch.dev/stop: this note is not signed by this installation: treat it as a claim."
MISSING = "ValidatingAdmissionPolicy modelswitch-stop-annotation.modelswitch is missing"


@pytest.fixture
def guarded(world):
    with policies(world) as made:
        yield made


def stopped(world, api, headers=OPERATOR):
    """A model that modelswitch has stopped, and signed so."""
    name = world.make("blue")
    api.post(f"/api/v1/namespaces/blue/models/{name}/stop", headers=headers).raise_for_status()
    return name


def forged(world, stop="true"):
    """A model stopped by another client, in the name of the CEO."""
    name = world.make("blue")
    annotations = {"serving.kserve.io/stop": stop, "modelswitch.dev/stop": NOTE}
    world.cluster.patch(
        f"{SERVING}/v1beta1/namespaces/blue/inferenceservices/{name}",
        content=json.dumps({"metadata": {"annotations": annotations}}),
        headers={"content-type": "application/merge-patch+json"},
    ).raise_for_status()
    return name


def page_of(api, name, headers=OPERATOR):
    answer = api.get(f"/models/blue/InferenceService/{name}", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.text.replace("&#39;", "'").replace("&#34;", '"')


def behind(world, guarded):
    """An API whose API server has the policy, in its settings."""
    return world.api(AUTH="token", KUBECONFIG=guarded.kubeconfig(world.folder))


def test_a_stopped_models_page_says_that_the_policy_is_missing_and_a_running_ones_does_not(world, token_api):
    page = page_of(token_api, stopped(world, token_api))
    assert MISSING in page
    assert "make deploy NAMESPACE=modelswitch" in page
    assert UNSIGNED not in page
    assert "is missing" not in page_of(token_api, world.make("blue"))


def test_a_note_that_is_not_ours_is_named_on_the_page_and_its_actor_is_a_claim(world, token_api):
    page = page_of(token_api, forged(world))
    assert UNSIGNED in page
    assert "claims to be ceo" in page


def test_a_stop_without_a_note_has_none_that_could_be_forged(world, token_api):
    name = world.make("blue")
    path = f"{SERVING}/v1beta1/namespaces/blue/inferenceservices/{name}"
    patch = json.dumps({"metadata": {"annotations": {"serving.kserve.io/stop": "true"}}})
    world.cluster.patch(
        path, content=patch, headers={"content-type": "application/merge-patch+json"}
    ).raise_for_status()
    page = page_of(token_api, name)
    assert "from outside" in page or "outside modelswitch" in page
    assert UNSIGNED not in page
    assert "is missing" not in page


def test_a_note_that_is_left_on_a_model_that_runs_counts_for_nothing_and_is_not_named(world, token_api):
    name = forged(world, stop=None)
    page = page_of(token_api, name)
    assert UNSIGNED not in page
    assert "is missing" not in page
    assert told(world, name) == (None, None)


def test_with_the_policy_in_force_the_page_says_nothing_and_reads_it_once(world, guarded):
    with behind(world, guarded) as api:
        first, second = stopped(world, api), stopped(world, api)
        for name in (first, second, first):
            page = page_of(api, name)
            assert "ValidatingAdmissionPolicy" not in page
            assert UNSIGNED not in page
        assert UNSIGNED in page_of(api, forged(world))
    assert len([path for path in guarded.asked if "stop-annotation" in path]) == 2, (
        "the policy and its binding, for four pages"
    )


@pytest.mark.parametrize(("status", "said"), [(403, "may not be read"), (500, "could not be read")])
def test_where_the_policy_cannot_be_read_the_page_is_shown_and_does_not_say_missing(world, guarded, status, said):
    guarded.answers["validatingadmissionpolicies"] = status
    with behind(world, guarded) as api:
        page = page_of(api, stopped(world, api))
    assert f"ValidatingAdmissionPolicy modelswitch-stop-annotation.modelswitch {said}" in page
    assert "is missing" not in page


def test_a_policy_that_is_not_enforced_is_said(world, guarded):
    guarded.answers["validatingadmissionpolicybindings"]["spec"]["validationActions"] = ["Audit"]
    with behind(world, guarded) as api:
        assert "is not enforced (the validationActions of its binding are Audit" in page_of(api, stopped(world, api))


def test_the_policy_of_this_installation_is_looked_for(world, guarded):
    with world.api(AUTH="token", KUBECONFIG=guarded.kubeconfig(world.folder), INSTALLATION="second") as api:
        assert "modelswitch-stop-annotation.second is missing" in page_of(api, stopped(world, api))


def test_the_laptop_has_no_tenants_and_names_only_a_note_that_is_not_ours(world, open_api):
    assert "ValidatingAdmissionPolicy" not in page_of(open_api, stopped(world, open_api, None), None)
    page = page_of(open_api, forged(world), None)
    assert UNSIGNED in page
    assert "ValidatingAdmissionPolicy" not in page


# --- verify ----------------------------------------------------------------------------------------------------------


def verify(world, *words, **environment):
    settings = {"KUBECONFIG": str(world.kubeconfig), **environment}
    return command("http://127.0.0.1:9", "verify", "-n", "blue", *words, **settings)


def told(world, name, **environment):
    """The note's state and the policy's, as a program reads them."""
    done = verify(world, "--json", name, **environment)
    content = json.loads(done.stdout)
    return content["items"][0]["stop_annotation"], content["stop_annotation_policy"]


@pytest.fixture
def ours(world, token_api):
    name = stopped(world, token_api)
    wait_for(lambda: "no pod" in verify(world, name).stdout, "its pods are gone")
    return name


def test_verify_says_that_the_policy_is_missing_and_what_to_do(world, ours):
    done = verify(world, ours)
    assert done.returncode == 0, done.stderr
    assert MISSING in done.stdout
    assert "make deploy NAMESPACE=modelswitch" in done.stdout
    assert "NOTE_KEYS is not set here" in done.stdout
    assert "not signed by this installation:" not in done.stdout
    state, policy = told(world, ours)
    assert (state, policy["state"]) == ("unchecked", "missing")


def test_verify_names_a_note_that_is_not_ours(world, guarded):
    name = forged(world)
    settings = {"KUBECONFIG": guarded.kubeconfig(world.folder)}
    done = verify(world, name, **settings)
    said = f"blue/{name}: a{UNSIGNED[1:]}"
    assert said in " ".join(done.stdout.split())
    assert "ValidatingAdmissionPolicy" not in done.stdout
    state, policy = told(world, name, **settings)
    assert (state, policy["state"], policy["message"]) == ("unsigned", "in force", None)


def test_verify_checks_signatures_where_it_has_the_key(world, ours):
    assert told(world, ours, NOTE_KEYS=SECRET)[0] == "signed"
    assert told(world, ours, DELIVERY_SECRETS=SECRET)[0] == "signed"
    assert told(world, ours, NOTE_KEYS="another-key-that-is-long")[0] == "unsigned"
    assert "NOTE_KEYS" not in verify(world, ours, NOTE_KEYS=SECRET).stdout


def test_verify_without_the_right_to_read_the_policy_says_unknown_and_which_right(world, ours, guarded):
    guarded.answers["validatingadmissionpolicies"] = 403
    settings = {"KUBECONFIG": guarded.kubeconfig(world.folder)}
    done = verify(world, ours, **settings)
    assert done.returncode == 0, done.stderr
    assert "may not be read" in done.stdout
    assert "Grant get on validatingadmissionpolicies" in done.stdout
    assert "is missing" not in done.stdout
    assert told(world, ours, **settings)[1]["state"] == "unknown"


def test_verify_looks_for_the_policy_of_the_installation_that_is_named(world, ours, guarded):
    settings = {"KUBECONFIG": guarded.kubeconfig(world.folder)}
    assert (
        "modelswitch-stop-annotation.second is missing"
        in verify(world, ours, "--installation", "second", **settings).stdout
    )
    assert told(world, ours, MODELSWITCH_INSTALLATION="second", **settings)[1]["state"] == "missing"
    assert told(world, ours, **settings)[1]["state"] == "in force"


def test_verify_says_where_a_policy_of_some_namespaces_holds(world, ours, guarded):
    selector = {"matchLabels": {"modelswitch.dev/installation": "modelswitch"}}
    guarded.answers["validatingadmissionpolicybindings"]["spec"]["matchResources"] = {"namespaceSelector": selector}
    done = verify(world, ours, KUBECONFIG=guarded.kubeconfig(world.folder))
    assert "in force only in namespaces with the label modelswitch.dev/installation=modelswitch" in done.stdout


def test_verify_reads_no_policy_where_no_model_has_a_note(world, guarded):
    name = world.make("blue")
    assert told(world, name, KUBECONFIG=guarded.kubeconfig(world.folder)) == (None, None)
    assert [path for path in guarded.asked if "stop-annotation" in path] == []


OTHER = {"metadata": {"name": "modelswitch-stop-annotation.blue"}, "spec": {"validationActions": ["Deny"]}}
SECOND = "Another installation of modelswitch (namespace blue) may manage the same models"


def test_a_second_installation_is_named_on_the_pages_and_where_there_is_none_nothing_is(world, guarded):
    with behind(world, guarded) as api:
        name = world.make("blue")
        assert SECOND not in page_of(api, name)
    guarded.others = [OTHER]
    with behind(world, guarded) as api:
        assert SECOND in page_of(api, name)
        assert "make undeploy NAMESPACE=blue" in page_of(api, name)
        world.synced()
        assert SECOND in api.get("/", headers=OPERATOR).text


def test_verify_names_a_second_installation_and_where_there_is_none_says_so_in_json(world, guarded):
    name, settings = world.make("blue"), {"KUBECONFIG": guarded.kubeconfig(world.folder)}
    assert json.loads(verify(world, name, "--json", **settings).stdout)["other_installations"] == []
    guarded.others = [OTHER]
    done = verify(world, name, **settings)
    assert done.returncode == 0, done.stderr
    assert SECOND in " ".join(done.stdout.split())
    assert json.loads(verify(world, name, "--json", **settings).stdout)["other_installations"] == ["blue"]
