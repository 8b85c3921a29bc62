"""Which runtimes want a hook that lets their pods leave before they end."""

import yaml
from verify_seen import MISSING, RUNTIME, a_pod, sighting

from functions.admin.verify.judging import judge
from functions.admin.verify.leaving import leaving
from functions.admin.verify.table import as_json, hooks
from functions.lifecycle.observation import Mode


def test_a_server_without_a_hook_is_given_one():
    found = leaving(sighting(a_pod()))
    assert found.runtime == RUNTIME
    (container,) = yaml.safe_load(found.yaml)
    assert container == {"name": "kserve-container", "lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}


def test_one_that_has_a_hook_is_left_alone():
    assert leaving(sighting(a_pod(), lifecycle={"preStop": {"exec": {"command": ["sleep", "15"]}}})) is None
    assert leaving(sighting(a_pod(), lifecycle={"postStart": {"sleep": {"seconds": 1}}})) is not None


def test_in_knative_mode_queue_proxy_waits():
    assert leaving(sighting(a_pod(), mode=Mode.KNATIVE)) is None


def test_a_model_without_a_pod_shows_nothing():
    assert leaving(sighting()) is None


def test_each_runtime_is_told_of_once_as_text_and_for_each_model_as_data():
    rows = [judge(sighting(a_pod())), judge(sighting(a_pod(MISSING))), judge(sighting(a_pod(), mode=Mode.KNATIVE))]
    assert sum("preStop" in line for line in hooks(rows)) == 1
    added = [row["pre_stop"] for row in as_json(rows)["items"]]
    assert [bool(one) for one in added] == [True, True, False]
    assert added[0]["runtime"] == RUNTIME
