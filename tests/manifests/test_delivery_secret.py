"""The delivery secret on its way from `make deploy` to Triggers and functions, with a kubectl that only keeps what it
is told.
"""

import json
import os
import shutil
import subprocess
import sys
import textwrap

import pytest
from rendered import KNATIVE

KUBECTL = textwrap.dedent("""\
    #!/usr/bin/env python3
    import base64, json, os, pathlib, subprocess, sys
    given, place = sys.argv[1:], pathlib.Path(os.environ["PLACE"])
    words = [word for word in given if word != "-n" and word != "modelswitch"]
    with (place / "calls").open("a") as calls:
        print(" ".join(given), file=calls)
    secret = place / "secret.json"
    if words[0] == "kustomize":
        sys.exit(subprocess.run([os.environ["KUBECTL"], *given]).returncode)
    if words[:3] == ["get", "secret", "delivery"]:
        if not secret.exists():
            sys.exit(1)
        if len(words) > 3:
            print(base64.b64encode(json.loads(secret.read_text())["DELIVERY_SECRETS"].encode()).decode(), end="")
    elif words[:3] == ["get", "secret", "redis"]:
        pass
    elif words[0] == "create":
        import yaml

        made = yaml.safe_load(sys.stdin.read())
        secret.write_text(json.dumps(made["stringData"]))
    elif words[:3] == ["patch", "secret", "delivery"]:
        secret.write_text(json.dumps(json.loads(secret.read_text()) | json.loads(sys.stdin.read())["stringData"]))
        with (place / "order").open("a") as order:
            print("secret", json.loads(secret.read_text())["DELIVERY_SECRETS"], file=order)
    elif words[0] == "get" and words[1].startswith("triggers"):
        print("trigger.eventing.knative.dev/command\\nbroker.eventing.knative.dev/modelswitch")
    elif words[0] == "get" and words[1].startswith(("trigger.", "broker.")):
        print("dead-letter", end="")
    elif words[0] == "patch" and words[1].startswith(("trigger.", "broker.")):
        with (place / "order").open("a") as order:
            print(words[1], sys.stdin.read(), file=order)
    elif words[0] == "rollout" and words[1] == "restart":
        with (place / "order").open("a") as order:
            print("restart", file=order)
    elif words[:3] == ["apply", "-f", "-"]:
        (place / "applied.yaml").write_text(sys.stdin.read())
    elif words[:2] == ["get", "--raw"]:
        print('"validatingadmissionpolicies"')
    """)


@pytest.fixture
def deploy(tmp_path):
    """Runs deploy.sh; what kubectl was told is in the folder."""
    real = shutil.which("kubectl")
    if real is None:
        pytest.skip("kubectl is not on the PATH: install it to run this test")
    (tmp_path / "bin").mkdir()
    stand_in = tmp_path / "bin" / "kubectl"
    stand_in.write_text(KUBECTL.replace("/usr/bin/env python3", sys.executable))
    stand_in.chmod(0o755)
    shutil.copytree(KNATIVE, tmp_path / "knative")
    env = os.environ | {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "PLACE": str(tmp_path),
        "KUBECTL": real,
        "IMAGE": "registry.test/modelswitch:1",
        "OVERLAY": "dev",
        "WAIT": "0",
    }

    def run(*words: str) -> str:
        command = ["bash", str(tmp_path / "knative" / "deploy.sh"), *words]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    run.place = tmp_path
    return run


def secrets(deploy) -> dict:
    return json.loads((deploy.place / "secret.json").read_text())


def test_the_secret_is_made_once_and_stands_in_the_triggers_but_in_no_file_and_no_command_line(deploy):
    said = deploy()
    made = secrets(deploy)
    assert all(len(secret) >= 32 for secret in made.values())
    assert len(set(made.values())) == 3
    applied = (deploy.place / "applied.yaml").read_text()
    assert applied.count(f"/?delivery={made['DELIVERY_SECRETS']}") >= 7
    assert "not-deployed" not in applied
    kept = [(deploy.place / "calls").read_text(), (deploy.place / ".run/deploy/rendered.yaml").read_text(), said]
    assert not any(secret in text for secret in made.values() for text in kept)
    deploy()
    assert secrets(deploy) == made


def test_rotation_lets_every_pod_accept_the_new_secret_before_the_broker_sends_it(deploy):
    deploy()
    old = secrets(deploy)
    (deploy.place / "order").unlink(missing_ok=True)
    deploy("rotate")
    new = secrets(deploy)["DELIVERY_SECRETS"].partition(",")[0]
    assert secrets(deploy) == old | {"DELIVERY_SECRETS": f"{new},{old['DELIVERY_SECRETS']}"}
    first, restart, trigger, broker, last, again = (deploy.place / "order").read_text().splitlines()
    assert (first, restart) == (f"secret {old['DELIVERY_SECRETS']},{new}", "restart")
    told = json.loads(trigger.partition(" ")[2])["spec"]
    assert told["subscriber"] == told["delivery"]["deadLetterSink"] == {"uri": f"/?delivery={new}"}
    assert json.loads(broker.partition(" ")[2])["spec"] == {"delivery": told["delivery"]}
    assert (last, again) == (f"secret {new},{old['DELIVERY_SECRETS']}", "restart")
    assert new not in (deploy.place / "calls").read_text()
