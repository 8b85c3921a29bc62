"""Each example of an artifact's sender, and of `verify`: its own container run as a plain Job, and what came of it.

Most models here are stopped: a reload then only names the artifact on them, which is all that a sender has to bring about.
One test has a model that really loads.
"""

import json

import pytest
from api_server import models
from artifact_claim import CLAIM, Claim
from deadlines import eventually
from doorway import Doorway, listening
from example_manifests import Examples
from kserve_models import IMAGE, STOP, stored
from model_image import provide
from product_process import DIRECT_SECRET

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("examples")]
MODEL = "fraud-detector"
DIGEST = "modelswitch.dev/artifact-digest"
SMOKE_TEST = "modelswitch.dev/smoke-test"
SMOKE_TEST_OF_IRIS = '{"payload": {"instances": [[5.1, 3.5, 1.4, 0.2]]}, "expect": {"predictions": [0]}}'
VOLUMES = [{"name": "models", "persistentVolumeClaim": {"claimName": CLAIM}}]


@pytest.fixture(scope="module")
def address(api):
    return api.items("/api/v1/nodes", labelSelector="!type")[0]["status"]["addresses"][0]["address"]


@pytest.fixture(scope="module")
def doorway(address, product):
    opened = Doorway(product.broker, address)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def here(new_place):
    """One namespace for all of them, with a claim and a stopped model that loads from it."""
    provide("commandline", "MODELSWITCH_IMAGE")
    place = new_place()
    place.claim = Claim(place)
    uri = place.claim.empty(MODEL)
    place.make(stored(uri, MODEL, annotations={STOP: "true", SMOKE_TEST: SMOKE_TEST_OF_IRIS}))
    place.make(stored(f"s3://{place.namespace}/{MODEL}", "bucketed", annotations={STOP: "true"}))
    for name in (MODEL, "bucketed"):
        place.until(name, "stopped")
    yield place
    place.claim.remove()
    place.leave()


@pytest.fixture
def examples(here, doorway):
    return Examples(here.namespace, doorway.url)


def training(version):
    """Writes another artifact than any before it."""
    command = ["python3", "/app/train.py", "good", f"/models/{MODEL}", str(version)]
    return {"name": "train", "image": IMAGE, "command": command, "volumeMounts": mounted("/models")}


def mounted(path, **more):
    return [{"name": "models", "mountPath": path, **more}]


def pod(*containers, volumes=VOLUMES):
    """The last one is the Job's own; those before it run first."""
    *first, own = containers
    spec = {"initContainers": first, "containers": [own], "volumes": volumes, "restartPolicy": "Never"}
    return {"spec": {"backoffLimit": 0, "template": {"spec": spec}}}


def run(place, job, name, *, patience=60):
    """Answers the log of a Job that has ended well."""
    jobs = f"/apis/batch/v1/namespaces/{place.namespace}/jobs"
    place.api.create(jobs, {**job, "metadata": {"name": name, "labels": (job.get("metadata") or {}).get("labels", {})}})

    def ended():
        status = place.api.get(f"{jobs}/{name}").get("status") or {}
        if status.get("failed"):
            raise AssertionError(f"job {name} failed: {log(place, name)}")
        return status.get("succeeded")

    eventually(ended, lambda: f"job {name} has ended: {log(place, name)}", patience)
    return log(place, name)


def log(place, job):
    pods = f"/api/v1/namespaces/{place.namespace}/pods"
    found = place.api.items(pods, labelSelector=f"job-name={job}")
    if not found:
        return "it had no pod"
    container = found[0]["spec"]["containers"][0]["name"]
    return place.api.text(f"{pods}/{found[0]['metadata']['name']}/log?container={container}")


def told(place, actor, before, model=MODEL, seconds=30):
    """Once the model is to load another artifact than `before`, by the word of `actor`; answers the digest."""
    digest = eventually(lambda: changed(place, before, model), lambda: f"a digest of {model}; {audit(place)}", seconds)
    entry = eventually(lambda: reloads(place, digest, model), lambda: f"a reload to {digest}; {audit(place)}", 10)[-1]
    assert actor in {entry["actor"], entry["claimed_actor"]}
    assert entry["changed"]
    return digest


def changed(place, before, model):
    now = place.annotations(model).get(DIGEST)
    return now if now != before else None


def reloads(place, digest, model):
    found = [entry for entry in place.history(model) if entry["action"] == "reload"]
    return [entry for entry in found if digest in (entry["message"] or "")]


def audit(place):
    items = place.product.rest.get("/api/v1/audit", params={"limit": 20}).json()["items"]
    return [(item["action"], item["actor"], item["message"]) for item in items]


@pytest.fixture
def before(here):
    return here.annotations(MODEL).get(DIGEST)


def test_a_training_job_tells_of_what_it_wrote_as_its_last_step(here, examples, before):
    job = examples.job("job-artifact.yaml")
    run(here, job, "training-job")
    assert told(here, "train-fraud-detector", before).startswith("sha256:")


def test_a_tekton_pipeline_tells_of_it_in_its_finally(here, examples, before):
    train, tell = examples.tekton("nightly", claim=CLAIM, folder=MODEL, namespace=here.namespace)
    # The example trains what the Job's does: only another artifact shows that it was told of.
    steps = [{**train, "volumeMounts": mounted("/workspace/models")}, {**training(2), "name": "train-more"}]
    run(here, pod(*steps, {**tell, "volumeMounts": mounted("/workspace/models", readOnly=True)}), "tekton-finally")
    told(here, "nightly-tell", before)


def test_a_kubeflow_component_tells_of_it(here, examples, before):
    tell = examples.component(
        uri=f"pvc://{CLAIM}/{MODEL}", namespace=here.namespace, path=f"/models/{MODEL}", stable="1s"
    )
    run(here, pod(training(3), {**tell, "volumeMounts": mounted("/models", readOnly=True)}), "kfp-component")
    told(here, "event:/modelswitch/cli", before)


def test_a_watcher_of_the_claim_tells_of_it_whoever_wrote_it(here, examples, before):
    container, volumes = examples.watcher()
    watching = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
        "volumes": volumes,
    }
    jobs = f"/apis/batch/v1/namespaces/{here.namespace}/jobs"
    here.api.create(jobs, {"metadata": {"name": "watcher"}, "spec": {"template": {"spec": watching}}})
    try:
        here.claim.job("write", f"python3 /app/train.py good /claim/{MODEL} 4")
        told(here, f"claim {here.namespace}/{CLAIM}", before, seconds=60)
    except AssertionError as error:
        raise AssertionError(f"{error}; the watcher said: {log(here, 'watcher')}") from error
    finally:
        here.api.delete(f"{jobs}/watcher", propagationPolicy="Background")


def marker(bucket, sequencer):
    """The empty object that a writer puts last."""
    stored = {"key": f"{MODEL}/_SUCCESS", "size": 0, "eTag": "d41d8cd98f00b204e9800998ecf8427e", "sequencer": sequencer}
    return {"eventName": "s3:ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": stored}}


@pytest.fixture
def webhook(address, product):
    """The function itself, which plain S3 notifications go to."""
    opened = Doorway(f"http://127.0.0.1:{listening(product.pid('artifact_written'))}/", address)
    yield opened
    opened.close()


@pytest.mark.parametrize("store", ["minio", "ceph"])
def test_a_bucket_tells_of_it(here, doorway, webhook, store):
    """As the stores post it once they are set up as s3-minio.md and s3-ceph-rgw.md say."""
    record = marker(here.namespace, sequencer=store)
    url, headers = f"{webhook.url}?delivery={DIRECT_SECRET}", {"Content-Type": "application/json"}
    if store == "ceph":
        record |= {"eventName": "ObjectCreated:Put", "eventSource": "ceph:s3"}
        url = doorway.url
        event = {"specversion": "1.0", "type": "com.amazonaws.ObjectCreated:Put", "source": "ceph:s3", "id": "1"}
        headers |= {f"ce-{name}": value for name, value in event.items()}
    body = json.dumps({"Records": [record]}).encode()
    post = f"import urllib.request as r; r.urlopen(r.Request({url!r}, {body!r}, {headers!r}))"
    before = here.annotations("bucketed").get(DIGEST)
    run(here, pod({"name": "store", "image": IMAGE, "command": ["python3", "-c", post]}), f"store-{store}")
    assert told(here, f"event:/s3/{here.namespace}", before, "bucketed") == f"marker:{store}"


def test_after_a_sync_the_model_loads_what_came_after_it_and_is_verified(here, examples):
    """Argo CD's two hooks, one after the other, on a model that came up with an empty folder."""
    here.claim.job("empty", f"rm -rf /claim/{MODEL}/* /claim/{MODEL}/.[a-zA-Z]*")
    here.start(MODEL)
    here.until(MODEL, "error", reason="ModelMissing", seconds=60)
    here.claim.job("late", f"python3 /app/train.py good /claim/{MODEL} 5")
    run(here, examples.job("argocd-postsync.yaml"), "argocd-tells")
    here.until(MODEL, "running", seconds=60)
    verify = examples.read("verify-postsync.yaml")
    core, rbac = (
        f"/api/v1/namespaces/{here.namespace}",
        f"/apis/rbac.authorization.k8s.io/v1/namespaces/{here.namespace}",
    )
    here.api.create(f"{core}/serviceaccounts", verify["ServiceAccount"])
    here.api.create(f"{core}/configmaps", verify["ConfigMap"])
    here.api.create(f"{rbac}/roles", verify["Role"])
    here.api.create(f"{rbac}/rolebindings", verify["RoleBinding"])
    said = run(here, verify["Job"], "argocd-verifies", patience=90)
    assert "200 {predictions: [1 of number]}" in said
    loaded = eventually(lambda: here.shown(MODEL)["artifact"], "the artifact is shown as loaded", 30)
    assert loaded["complete"] == "success-file"
    here.answers(MODEL)
    wrong = {"metadata": {"annotations": {SMOKE_TEST: SMOKE_TEST_OF_IRIS.replace("[0]", "[0, 0]")}}}
    here.api.merge(models(here.namespace, name=MODEL), wrong)
    shown = here.until(MODEL, "error", reason="SmokeTestFailed", seconds=60)
    assert "200, but predictions has 1 elements, expected 2" in shown["message"]
