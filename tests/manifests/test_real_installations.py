"""On a real cluster:

`make undeploy` takes one installation off and leaves every other, and what merely looks like ours.
"""

import os
import secrets
import subprocess

import pytest
from real_cluster import KUBECONFIG, RIGHTS, Caller, Rights, connect, kubectl, needs_a_cluster, wait_until
from rendered import KNATIVE

pytestmark = needs_a_cluster


@pytest.fixture
def two_installations():
    with connect() as http:
        admin = Caller(http)
        made = [Rights(admin, f"rights-{color}-{secrets.token_hex(3)}").put() for color in ("blue", "green")]
        yield admin, made
        for one in made:
            one.remove()


@pytest.fixture
def look_alike(two_installations):
    """What merely carries our label: another team's, or an older release's."""
    admin, _ = two_installations
    name = f"look-alike-{secrets.token_hex(3)}"
    labels = {"app.kubernetes.io/part-of": "modelswitch"}
    roles = RIGHTS["ClusterRole"]
    assert admin.create(roles, {"metadata": {"name": name, "labels": labels}, "rules": []}).status_code == 201
    yield f"{roles}/{name}"
    admin.delete(f"{roles}/{name}")


def undeploy(namespace):
    return subprocess.run(
        [str(KNATIVE / "undeploy.sh")],
        env={**os.environ, "KUBECONFIG": KUBECONFIG, "NAMESPACE": namespace},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def made_of(installation):
    """What was made for the whole cluster."""
    return {path for path in installation.made if "/namespaces" not in path}


def left_of(admin, installation):
    return {path for path in made_of(installation) if admin.request("GET", path).status_code == 200}


def test_undeploy_deletes_one_installation_and_leaves_the_other_whole(two_installations, look_alike):
    admin, (blue, green) = two_installations
    before = left_of(admin, green)
    assert before == made_of(green)
    assert made_of(blue)
    done = undeploy(blue.namespace)
    assert done.returncode == 0, done.stderr
    assert left_of(admin, blue) == set()
    assert left_of(admin, green) == before
    assert admin.request("GET", look_alike).status_code == 200
    others = done.stdout.partition("are left to the installation in: ")[2].partition("\n")[0]
    assert green.namespace in others.split()


def test_undeploy_leaves_a_namespace_that_it_did_not_make_with_all_in_it(two_installations):
    admin, (blue, _) = two_installations
    config_maps = f"/api/v1/namespaces/{blue.namespace}/configmaps"
    ours = {"app.kubernetes.io/part-of": "modelswitch"}
    assert admin.create(config_maps, {"metadata": {"name": "theirs"}}).status_code == 201
    assert admin.create(config_maps, {"metadata": {"name": "ours", "labels": ours}}).status_code == 201
    done = undeploy(blue.namespace)
    assert done.returncode == 0, done.stderr
    assert admin.request("GET", f"{config_maps}/theirs").status_code == 200
    assert admin.request("GET", f"{config_maps}/ours").status_code == 404


def test_undeploy_deletes_the_namespace_that_deploy_made(two_installations):
    admin, (blue, green) = two_installations
    place = f"/api/v1/namespaces/{blue.namespace}"
    assert (
        admin.merge(place, {"metadata": {"annotations": {"modelswitch.dev/made-by": "make-deploy"}}}).status_code == 200
    )
    done = undeploy(blue.namespace)
    assert done.returncode == 0, done.stderr
    wait_until(lambda: admin.request("GET", place).status_code == 404)
    assert admin.request("GET", f"/api/v1/namespaces/{green.namespace}").status_code == 200


def test_undeploy_can_be_repeated(two_installations):
    _, (blue, _) = two_installations
    assert undeploy(blue.namespace).returncode == 0
    again = undeploy(blue.namespace)
    assert again.returncode == 0, again.stderr
    assert kubectl("get", "clusterrole", f"modelswitch-watch.{blue.namespace}").returncode == 1
