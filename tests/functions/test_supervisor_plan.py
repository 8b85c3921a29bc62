"""What `make run` starts, and what it leaves out where a cluster or a Redis is given."""

from pathlib import Path

import pytest

from functions.local.supervisor import plan
from functions.local.supervisor.settings import Refused, read

ROOT = Path(__file__).parents[2]
SIMULATED = {"kubernetes", "kserve", "samples"}


def planned(tmp_path, **environment):
    settings = read(environment, tmp_path)
    return plan.make(settings, environment, ROOT, list(range(20000, 20000 + plan.PORTS_NEEDED)))


def by_name(made):
    return {part.name: part for part in made.parts}


def test_without_a_cluster_one_is_simulated(tmp_path):
    assert by_name(planned(tmp_path)).keys() >= SIMULATED | {"redis", "broker", "source", "api", *plan.FUNCTIONS}


def test_with_a_cluster_nothing_is_simulated_and_its_data_are_kept_apart(tmp_path):
    config = tmp_path / "config"
    config.touch()
    parts = by_name(planned(tmp_path, KUBECONFIG=str(config)))
    assert not parts.keys() & SIMULATED
    assert all(part.environment["KUBECONFIG"] == str(config) for name, part in parts.items() if name != "redis")
    assert read({"KUBECONFIG": str(config)}, tmp_path).state != read({}, tmp_path).state


def test_a_given_redis_is_used_and_none_is_started(tmp_path):
    parts = by_name(planned(tmp_path, REDIS_URL="redis://elsewhere:6379/3"))
    assert "redis" not in parts
    assert parts["command"].environment["REDIS_URL"] == "redis://elsewhere:6379/3"


def test_only_port_is_fixed_and_the_broker_takes_the_next_one(tmp_path):
    made = planned(tmp_path, PORT="9000")
    assert made.broker_url == "http://127.0.0.1:9001/modelswitch/modelswitch"
    parts = by_name(made)
    assert parts["api"].environment["PORT"] == "9000"
    assert parts["api"].environment["K_SINK"] == made.broker_url
    assert parts["api"].environment["HEALTH_PEERS"] == f"http://127.0.0.1:{made.watched_port}/"


def test_every_function_is_a_subscriber_of_the_broker(tmp_path):
    parts = by_name(planned(tmp_path))
    for name in plan.FUNCTIONS:
        port = parts[name].arguments[parts[name].arguments.index("--port") + 1]
        assert f"--subscriber={name.replace('_', '-')}=http://127.0.0.1:{port}" in parts["broker"].arguments


@pytest.mark.parametrize("name", ["kserve", "source"])
def test_a_warning_about_watching_does_not_make_a_part_ready(tmp_path, name):
    ready = by_name(planned(tmp_path))[name].ready
    assert ready.text not in "can't watch Pods, tries again; watches http://127.0.0.1:1 again"


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1"])
def test_a_port_that_is_none_is_refused(tmp_path, port):
    with pytest.raises(Refused, match="is no port"):
        read({"PORT": port}, tmp_path)
