"""Dead letters and poison: shown with what they carried, and sent again by those who may."""

import json

import pytest
from api_rig import BOSS, OPERATOR, READER, STRANGER
from sink_stand_in import receiving

from events.model import ModelRef

ARTIFACT = {"uri": "gs://models/iris", "digest": f"sha256:{'0' * 64}", "size": 1, "complete": "declared"}


@pytest.fixture
def written(world):
    """Writes a dead letter about a model; returns its place in the history."""
    return world.dead_letter


@pytest.fixture
def model(world, token_api):
    name = world.make("green")
    token_api.get(f"/api/v1/namespaces/green/models/{name}/status", headers=BOSS).raise_for_status()
    world.synced()
    return ModelRef(namespace="green", name=name)


def audit_of(api, ref):
    return api.get(f"/api/v1/audit?namespace={ref.namespace}&name={ref.name}", headers=BOSS).json()["items"]


def test_a_dead_stop_is_shown_whole_and_its_confirmation_gets_all_that_it_carried(token_api, model, written):
    _, event_id = written(
        "dev.modelswitch.model.stop-requested.v1", model.subject, {"reason": "night <b>", "timeout": "90s"}
    )
    page = token_api.get(f"/audit?q={event_id}", headers=OPERATOR).text
    assert 'data-verb="stop"' in page
    assert 'data-correlation="run-42"' in page
    assert "&#34;timeout&#34;: &#34;90s&#34;" in page
    assert "night <b>" not in page
    mine = token_api.get(f"/audit?q={event_id}", headers=STRANGER).text
    assert "Nothing was refused" in mine or "Nothing found" in mine
    found = token_api.get("/audit?q=run-42", headers=OPERATOR).text
    assert event_id in found, "it is found by its correlation id"


def test_a_dead_reload_is_done_under_a_new_id_in_the_senders_name_with_the_same_correlation_id(
    token_api, model, written
):
    place, event_id = written("dev.modelswitch.model.reload-requested.v1", model.subject, {"artifact": ARTIFACT})
    answer = token_api.post("/audit/again", json={"entry": place}, headers=OPERATOR)
    assert answer.status_code == 200, answer.text
    done = next(entry for entry in audit_of(token_api, model) if entry["action"] == "reload")
    assert (done["actor"], done["correlation_id"], done["changed"]) == ("operator", "run-42", True)
    assert done["event_id"] != event_id


def test_who_may_not_change_the_model_cannot_send_it_again(token_api, model, written):
    place, _ = written("dev.modelswitch.model.reload-requested.v1", model.subject, {"artifact": ARTIFACT})
    assert token_api.post("/audit/again", json={"entry": place}, headers=STRANGER).status_code == 404
    answer = token_api.post("/audit/again", json={"entry": place}, headers=READER)
    assert (answer.status_code, answer.json()["code"]) == (403, "Forbidden")
    assert not [entry for entry in audit_of(token_api, model) if entry["action"] == "reload"]


def test_a_written_artifact_goes_to_the_broker_once_more(world, written):
    event_type = "dev.modelswitch.artifact.written.v1"
    place, event_id = written(event_type, "artifacts/gs://models/iris", ARTIFACT)
    with receiving() as broker, world.api(AUTH="none", K_SINK=broker.url) as api:
        assert api.post("/audit/again", json={"entry": place}).status_code == 200
        sent = next((headers, body) for headers, body in broker.arrived if headers["ce-type"] == event_type)
    headers, body = sent
    assert (headers["ce-correlationid"], headers["ce-subject"]) == ("run-42", "artifacts/gs://models/iris")
    assert headers["ce-id"] != event_id
    assert json.loads(body)["digest"] == ARTIFACT["digest"]


def test_without_a_broker_or_beyond_ones_rights_no_artifact_is_sent(open_api, token_api, written):
    place, _ = written("dev.modelswitch.artifact.written.v1", "artifacts/gs://models/iris", ARTIFACT)
    answer = open_api.post("/audit/again", json={"entry": place})
    assert (answer.status_code, "no broker" in answer.text) == (409, True)
    assert token_api.post("/audit/again", json={"entry": place}, headers=OPERATOR).status_code in {403, 404}


def test_what_cannot_be_sent_again_is_refused_with_the_reason(open_api, written):
    place, _ = written("dev.modelswitch.model.stop-requested.v1", None, {"force": True})
    answer = open_api.post("/audit/again", json={"entry": place})
    assert (answer.status_code, answer.json()["code"]) == (409, "InvalidTransition")
    assert "would be refused again" in answer.json()["detail"]
    assert open_api.post("/audit/again", json={"entry": "1-1"}).status_code == 404
    assert open_api.post("/audit/again", json={"entry": "x"}).status_code == 404
