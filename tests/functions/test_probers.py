"""Two processes over one Redis, of which one reaches the pods: what it heard is the state for both."""

from api_rig import SERVING, wait_for


def test_who_can_not_reach_the_pods_does_not_turn_the_state_over(world):
    container = {"name": "kserve-container", "image": "local/model:1"}
    annotations = {"serving.kserve.io/deploymentMode": "Standard", "sim.modelswitch.dev/model": "missing"}
    body = {
        "metadata": {"name": "empty", "annotations": annotations},
        "spec": {"predictor": {"containers": [container]}},
    }
    path = f"{SERVING}/v1beta1/namespaces/blue/inferenceservices"
    world.cluster.post(path, json=body).raise_for_status()
    with world.api(AUTH="none", PROBE="apiserver") as reaches, world.api(AUTH="none", PROBE="pods") as reaches_not:

        def said(api):
            found = api.get("/api/v1/namespaces/blue/models/empty/status").json()
            return found.get("state"), found.get("reason")

        wait_for(lambda: said(reaches) == ("error", "ModelMissing"), "it is found to be without its model")
        answers = [said(api) for _ in range(3) for api in (reaches_not, reaches)]
        audit = reaches.get("/api/v1/audit", params={"namespace": "blue", "name": "empty"}).json()["items"]
    assert set(answers) == {("error", "ModelMissing")}
    assert [entry["state"] for entry in audit if entry["action"] == "state"].count("running") == 0
