"""Server-sent events: what is sent, to whom, and where a lost connection goes on."""

import pytest
from api_rig import BOSS, STRANGER, listening, wait_for


def stop(api, name, namespace="blue", **headers):
    return api.post(f"/api/v1/namespaces/{namespace}/models/{name}/stop", headers=headers)


def heard(stream, name):
    """The next event about this model."""
    while True:
        event = stream.next()
        if event[2].get("name") == name:
            return event


def test_a_change_is_sent_with_the_models_status(world, open_api):
    name = world.make()
    with listening(open_api) as stream:
        stop(open_api, name)
        event, entry, data = heard(stream, name)
    assert (event, data["namespace"], data["kind"]) == ("model", "blue", "InferenceService")
    assert data["change"]["actor"]
    assert entry.count("-") == 1


def test_a_lost_connection_goes_on_where_it_was(world, open_api):
    one, two = world.make(), world.make()
    with listening(open_api) as stream:
        stop(open_api, one)
        _, entry, _ = heard(stream, one)
    stop(open_api, two)
    with listening(open_api, headers={"last-event-id": entry}) as stream:
        seen = []
        while two not in seen:
            seen.append(stream.next()[2]["name"])


def test_what_was_trimmed_away_means_starting_over(open_api):
    with listening(open_api, headers={"last-event-id": "5-0"}) as stream:
        assert stream.next()[0] == "reset"


@pytest.mark.parametrize("entry", ["yesterday", "1", "1-1-1", "99999999999999999999999-0"])
def test_an_id_of_another_stream_is_refused(open_api, entry):
    answer = open_api.get("/api/v1/events", headers={"last-event-id": entry})
    assert (answer.status_code, answer.json()["code"]) == (400, "Malformed")


def test_only_models_that_the_caller_may_read_are_sent(world, token_api):
    hidden, shown = world.make("green"), world.make("blue")
    with listening(token_api, headers=STRANGER) as stream:
        stop(token_api, hidden, "green", **BOSS)
        stop(token_api, shown, "blue", **BOSS)
        assert stream.next()[2]["name"] == shown


def test_a_deleted_model_is_said_to_be_gone(world, open_api):
    name = world.make()
    open_api.get(f"/api/v1/namespaces/blue/models/{name}/status").raise_for_status()
    with listening(open_api) as stream:
        world.cluster.delete(f"/apis/serving.kserve.io/v1beta1/namespaces/blue/inferenceservices/{name}")
        wait_for(
            lambda: open_api.get(f"/api/v1/namespaces/blue/models/{name}/status").status_code == 404, "it is deleted"
        )
        while (event := heard(stream, name))[0] != "deleted":
            pass
    assert event[2]["change"]["action"] == "deleted"


def test_open_streams_do_not_hold_up_the_end(world):
    with world.api(AUTH="none") as api, listening(api) as stream:
        assert stream.lines
    # World.api fails where the process does not end within 10 s of SIGTERM.
