"""Running means that it answers: an artifact that comes late, half, broken, or under load."""

import time

import pytest
from artifact_claim import CLAIM, Claim
from deadlines import eventually
from doorway import Doorway
from kserve_models import stored
from steady_load import Load

PUBLISH = (
    "python3 -m events.cli.main publish artifact pvc://{claim}/{name} --namespace {namespace} --path /claim/{name}"
)


@pytest.fixture
def claim(place):
    made = Claim(place)
    yield made
    made.remove()


@pytest.fixture(scope="module")
def doorway(api, product):
    address = api.items("/api/v1/nodes", labelSelector="!type")[0]["status"]["addresses"][0]["address"]
    opened = Doorway(product.broker, address)
    yield opened
    opened.close()


@pytest.fixture
def train(place, claim, doorway):
    """A Job that writes an artifact and, unless told otherwise, says so as its last step."""

    def run(job, what, name="scorer", version=1, *, publish=True, by_hand=()):
        told = PUBLISH.format(claim=CLAIM, name=name, namespace=place.namespace)
        steps = [f"python3 /app/train.py {what} /claim/{name} {version}", *([told] if publish else []), *by_hand]
        claim.job(job, *steps, environment={"K_SINK": doorway.url})

    return run


def kserve_says_ready(place, name="scorer"):
    conditions = (place.get(name).get("status") or {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


@pytest.mark.parametrize("mode", ["Standard", "Knative"])
def test_a_model_whose_artifact_comes_late_is_in_error_until_it_answers(place, claim, train, mode):
    place.make(stored(claim.empty("scorer"), "scorer", mode=mode, minReplicas=1))
    eventually(lambda: kserve_says_ready(place), "KServe says Ready", 90)
    ready = time.monotonic()
    shown = place.until("scorer", "error", reason="ModelMissing", seconds=10)
    assert f"pvc://{CLAIM}/scorer" in shown["message"] and "publish artifact" in shown["message"]
    noticed = time.monotonic() - ready
    before = place.get("scorer")["metadata"]["generation"]
    pods = place.record("scorer")
    train("train", "good")
    written = time.monotonic()
    place.answers("scorer")
    place.until("scorer", "running", seconds=30)
    healed = time.monotonic() - written
    assert healed < 30, f"noticed after {noticed:.1f}s, healed after {healed:.1f}s"
    loaded = eventually(lambda: place.shown("scorer")["artifact"], "the artifact is shown as loaded", 30)
    assert loaded["complete"] == "success-file"
    assert place.get("scorer")["metadata"]["generation"] == before
    assert len(pods.extra) == 1, "one restart"


def generation(place, name="scorer"):
    return place.get(name)["metadata"]["generation"]


def trained(place, claim, train, **spec):
    """A model that runs with its first artifact, told of once."""
    uri = claim.empty("scorer")
    train("train-first", "good", publish=False)
    place.running(stored(uri, "scorer", **spec))


def test_an_artifact_told_of_five_times_restarts_the_model_once(place, claim, train):
    trained(place, claim, train)
    pods, before = place.record("scorer"), generation(place)
    again = f"{PUBLISH.format(claim=CLAIM, name='scorer', namespace=place.namespace)} --id the-same"
    train("train-second", "good", version=2, publish=False, by_hand=[again] * 5)
    eventually(lambda: place.shown("scorer")["artifact"], "the reload is done", 60)
    assert (len(pods.extra), generation(place)) == (1, before)


def made_for_an_artifact(place, name="scorer"):
    pods = place.pods(name)
    return ["modelswitch.dev/artifact-digest" in (pod["metadata"].get("annotations") or {}) for pod in pods]


@pytest.mark.parametrize("replicas", [1, pytest.param(2, marks=pytest.mark.long)], ids=["one", "scaled-up-meanwhile"])
def test_under_load_no_request_fails_while_the_new_pods_load(place, claim, train, replicas):
    """A model as it is, without a hook; clients that try nothing again."""
    trained(place, claim, train, minReplicas=1, maxReplicas=3)
    deployment = f"/apis/apps/v1/namespaces/{place.namespace}/deployments/scorer-predictor"
    before = len(place.history("scorer"))
    with Load(place, "scorer", per_second=10) as load:
        train("train-second", "good", version=2)
        place.api.merge(f"{deployment}/scale", {"spec": {"replicas": replicas}})
        eventually(lambda: place.shown("scorer")["artifact"], "the reload is done", 60)
        eventually(lambda: made_for_an_artifact(place) == [True] * replicas, "only new pods are left", 60)
    print(f"{load.asked} requests, failed: {load.failed}")
    assert load.failed == [], f"of {load.asked} requests"
    assert load.asked > 30
    since = place.history("scorer")[before:]
    assert {entry["state"] for entry in since} == {"running"}, since


def test_half_an_artifact_restarts_nothing(place, claim, train):
    trained(place, claim, train)
    pods = place.record("scorer")
    told = PUBLISH.format(claim=CLAIM, name="scorer", namespace=place.namespace)
    train("train-half", "half", publish=False, by_hand=[f"! {told} --stable 1s"])
    assert pods.extra == []
    place.answers("scorer")


def exit_codes(place, name="scorer"):
    statuses = [one for pod in place.pods(name) for one in pod["status"].get("containerStatuses", [])]
    ended = [one.get(state, {}).get("terminated") for one in statuses for state in ("state", "lastState")]
    return {one["exitCode"] for one in ended if one}


def test_an_artifact_that_ends_its_server_leaves_the_old_pod_serving(place, claim, train):
    trained(place, claim, train)
    old = {pod["metadata"]["uid"] for pod in place.pods("scorer")}
    train("train-poison", "poison")
    eventually(lambda: 3 in exit_codes(place), "its server ends", 60)
    failed = eventually(
        lambda: [e for e in place.history("scorer") if e["action"] == "reload-failed"], "it is told", 10
    )
    assert "exit code 3" in failed[0]["message"]
    place.until("scorer", "running", reason="Degraded", seconds=30)
    place.answers("scorer")
    serving = {pod["metadata"]["uid"] for pod in place.pods("scorer") if not pod["metadata"].get("deletionTimestamp")}
    assert old <= serving
    train("train-good", "good", version=3)
    eventually(lambda: place.shown("scorer")["artifact"], "the way back works", 120)
    place.answers("scorer")


def test_an_artifact_that_holds_no_model_leaves_the_old_pod_serving(place, claim, train, doorway):
    """Its writer vouches for it, and KServe's TCP probe calls the new pod Ready."""
    trained(place, claim, train)
    old = {pod["metadata"]["uid"] for pod in place.pods("scorer")}
    vouched = f"--namespace {place.namespace} --digest sha256:{'3' * 64} --size 10"
    told = f"python3 -m events.cli.main publish artifact pvc://{CLAIM}/scorer {vouched}"
    claim.job("empty-it", "rm /claim/scorer/*", told, environment={"K_SINK": doorway.url}, root=True)
    failed = eventually(
        lambda: [e for e in place.history("scorer") if e["action"] == "reload-failed"], "it is told", 60
    )
    assert "does not exist" in failed[0]["message"] or "404" in failed[0]["message"]
    shown = place.until("scorer", "running", reason="Degraded", seconds=30)
    assert "1 of 2 pods without the model" in shown["message"]
    serving = {pod["metadata"]["uid"] for pod in place.pods("scorer") if not pod["metadata"].get("deletionTimestamp")}
    assert old < serving
    place.answers("scorer")


def test_replacing_it_leaves_no_pod_before_the_new_one(place, claim, train):
    trained(place, claim, train)
    old = {pod["metadata"]["uid"] for pod in place.pods("scorer")}
    pods = place.record("scorer")
    told = PUBLISH.format(claim=CLAIM, name="scorer", namespace=place.namespace)
    train("train-second", "good", version=2, publish=False, by_hand=[f"{told} --strategy replace"])
    eventually(lambda: place.shown("scorer")["artifact"], "the reload is done", 90)
    (new,) = set(pods.came) - old
    assert max(pods.gone[uid] for uid in old) <= pods.came[new]


def test_a_stopped_model_stays_stopped_and_starts_with_the_new_artifact(place, claim, train):
    trained(place, claim, train)
    place.stop("scorer")
    place.until("scorer", "stopped")
    train("train-second", "good", version=2)
    eventually(lambda: [e for e in place.history("scorer") if e["action"] == "reload"], "the reload was taken", 30)
    assert (place.shown("scorer")["state"], place.pods("scorer")) == ("stopped", [])
    place.start("scorer")
    place.until("scorer", "running", seconds=90)
    place.answers("scorer")


def test_a_writing_whose_event_was_lost_is_found_by_the_watcher(place, claim, train, doorway):
    uri = claim.empty("scorer")
    watch = ["python3", "-m", "events.cli.main", "watch-claim", "--claim", CLAIM, "--namespace", place.namespace]
    claim.keep_running("watcher", [*watch, "--path", "/claim", "--every", "1s"], {"K_SINK": doorway.url})
    place.make(stored(uri, "scorer"))
    place.until("scorer", "error", reason="ModelMissing", seconds=120)
    train("train", "good", publish=False)
    place.until("scorer", "running", seconds=60)
    place.answers("scorer")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"uri": "ftp://host/scorer"}, "no scheme that KServe loads from"),
        ({"uri": f"pvc://{CLAIM}/../other"}, "must not have"),
        ({"uri": "pvc://nobodys/scorer"}, "which is not in namespace"),
        ({"expected_digest": f"sha256:{'2' * 64}"}, "expected sha256:2222"),
        ({"namespace": "no.namespace"}, "namespace"),
    ],
)
def test_bad_writings_are_refused_with_the_reason_and_audited(place, product, data, words):
    good = {"uri": f"pvc://{CLAIM}/scorer", "namespace": place.namespace, "digest": f"sha256:{'1' * 64}", "size": 1}
    event_id = product.publish("dev.modelswitch.artifact.written.v1", {**good, **data})
    eventually(lambda: words in (product.audited(event_id) or ""), lambda: product.audited(event_id), 30)
