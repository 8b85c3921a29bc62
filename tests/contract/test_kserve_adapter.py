"""Looking at models and acting on them, on the simulated API and on a real one, with KServe at work on it."""

import asyncio
import os
from datetime import timedelta

import pytest
from kserve_eyes import LIMITS, POD_LABEL, ref, running, stopped
from kserve_objects import graph, inference_service, listener, llm

from events.artifact import Artifact, Strategy
from events.commands import ReloadRequested, StartRequested, StopRequested
from events.model import Kind
from events.status import State
from functions.adapters.kserve.grace import Grace
from functions.adapters.kserve.observer import Observer
from functions.adapters.kserve.resources import PINNED
from functions.adapters.probe import Probe, ProxyLine
from functions.composition import now
from functions.lifecycle.derive import derive
from functions.lifecycle.effects import PinOwners, UnpinOwners
from functions.lifecycle.errors import Code, PreconditionFailed, Refused
from functions.lifecycle.observation import Answer, Mode
from functions.lifecycle.patches import start_patch, stop_patch
from functions.lifecycle.record import Record
from functions.lifecycle.stop_note import StopNote
from functions.local.kserve.resources import (
    AUTOSCALER,
    INFERENCE_GRAPH,
    LLM_INFERENCE_SERVICE,
    REVISION,
)

pytest_plugins = ("kserve_here",)


async def test_a_look_reads_what_the_model_and_its_pods_say(here, eyes):
    await here.running(inference_service(here.namespace, "seen"))
    seen = await eyes.look(ref(here, "seen"))
    assert (seen.mode, seen.ready, seen.stopped_condition) == (Mode.STANDARD, Answer.TRUE, Answer.FALSE)
    (pod,) = seen.pods
    assert (pod.ready, pod.component, pod.owner.kind) == (True, "predictor", "ReplicaSet")
    assert pod.memory == 32 * 1024**2
    assert derive(seen, Record(ref=seen.ref), LIMITS).state is State.RUNNING


async def test_a_model_that_is_not_there_is_not_an_error(here, eyes):
    assert not (await eyes.look(ref(here, "nobody"))).exists


async def test_stop_and_start_leave_the_object_and_its_pod_template_as_they_were(here, eyes):
    before = await here.running(inference_service(here.namespace, "same"))
    template = (await here.pods(f"{POD_LABEL}=same"))[0]["metadata"]["labels"]["pod-template-hash"]
    model = ref(here, "same")
    assert (await eyes.command(model, StopRequested())).changed
    await stopped(here, eyes, model, f"{POD_LABEL}=same")
    assert (await eyes.command(model, StartRequested())).changed
    await running(here, eyes, model)
    after = await here.get("same")
    for volatile in ("resourceVersion", "managedFields"):
        before["metadata"].pop(volatile, None)
        after["metadata"].pop(volatile, None)
    assert after["metadata"] == before["metadata"]
    assert after["spec"] == before["spec"]
    assert (await here.pods(f"{POD_LABEL}=same"))[0]["metadata"]["labels"]["pod-template-hash"] == template


@pytest.mark.parametrize("mode", ["Standard", "Knative"])
async def test_a_forced_stop_gives_each_pod_one_second_and_breeds_no_other(here, eyes, mode):
    name = f"forced-{mode.lower()}"
    await here.running(inference_service(here.namespace, name, mode=mode))
    label = f"{POD_LABEL}={name}"
    names = {pod["metadata"]["name"] for pod in await here.pods(label)}
    model = ref(here, name)
    await eyes.command(model, StopRequested(graceful=False))

    async def watched():
        pods = await here.pods(label)
        names.update(pod["metadata"]["name"] for pod in pods)
        return not pods

    await here.seen(watched, "no pod left")
    assert len(names) == 1
    await stopped(here, eyes, model, label)
    receipt = (await eyes.store.load(model)).record.receipt
    assert [grace.grace_seconds for grace in receipt.grace] == [1]
    assert await eyes.grace.pins_of(model) == ()


async def test_a_pin_left_by_a_crash_is_found_and_taken_away(here, eyes):
    await here.running(inference_service(here.namespace, "pinned"))
    model = ref(here, "pinned")
    seen = await eyes.look(model)

    await eyes.grace.pin(PinOwners(model, (seen.pods[0].owner,)))
    assert model in await eyes.grace.pinned_models()
    await eyes.reconciler.notification(model, pinned=True)
    assert model not in await eyes.grace.pinned_models()


async def test_a_pin_of_another_installation_is_left_to_that_one(here, eyes):
    await here.running(inference_service(here.namespace, "shared"))
    model, other = ref(here, "shared"), Grace(eyes.cluster, "second")
    (owner,) = [pod.owner for pod in (await eyes.look(model)).pods]
    await other.pin(PinOwners(model, (owner,)))
    assert model not in await eyes.grace.pinned_models()
    assert (await eyes.look(model)).pins == ()
    await eyes.reconciler.notification(model, pinned=True)
    await eyes.grace.unpin(UnpinOwners(model, (owner,)))
    assert model in await other.pinned_models()
    await other.unpin(UnpinOwners(model, (owner,)))
    assert model not in await other.pinned_models()


async def test_a_pin_of_the_version_before_is_finished_by_this_one(here, eyes):
    await here.running(inference_service(here.namespace, "older"))
    model = ref(here, "older")
    (owner,) = [pod.owner for pod in (await eyes.look(model)).pods]
    await Grace(eyes.cluster, PINNED).pin(PinOwners(model, (owner,)))
    assert model in await eyes.grace.pinned_models()
    await eyes.reconciler.notification(model, pinned=True)
    assert model not in await eyes.grace.pinned_models()
    assert await eyes.state(model) is State.RUNNING


async def test_a_patch_fails_when_somebody_was_faster(here, eyes):
    await here.running(inference_service(here.namespace, "raced"))
    seen = await eyes.look(ref(here, "raced"))
    await here.annotate("raced", stop="true")
    with pytest.raises(PreconditionFailed):
        await eyes.patch(start_patch(seen, without_autoscaler=False))


async def test_a_patch_on_a_model_without_any_annotation(here, eyes):
    """A `test` for null holds where there is nothing, and the empty map does not stay behind."""
    body = inference_service(here.namespace, "bare")
    del body["metadata"]["annotations"]
    await here.make(body)
    await here.condition("bare", "Ready", "True")
    await here.edit("bare", lambda obj: obj["metadata"].pop("annotations", None))
    model = ref(here, "bare")
    assert (await eyes.look(model)).annotations is None
    await eyes.command(model, StopRequested())
    await stopped(here, eyes, model, f"{POD_LABEL}=bare")
    await eyes.command(model, StartRequested())
    assert not (await here.get("bare"))["metadata"].get("annotations")


async def test_a_stop_from_outside_names_who_set_it(here, eyes):
    await here.running(inference_service(here.namespace, "outside"))
    await here.annotate("outside", stop="true")
    model = ref(here, "outside")
    await stopped(here, eyes, model, f"{POD_LABEL}=outside")
    record = (await eyes.store.load(model)).record
    assert record.reason == "StoppedOutside"
    assert record.holds[0].actor.startswith("external:")
    assert record.holds[0].actor != "external:unknown"


async def test_scaled_to_zero_looks_running_and_a_stop_keeps_it_down(here, eyes):
    await here.running(inference_service(here.namespace, "idle-zero", mode="Knative", minReplicas=0))
    await here.no_pods(f"{POD_LABEL}=idle-zero")
    model = ref(here, "idle-zero")
    await running(here, eyes, model)
    assert (await eyes.store.load(model)).record.reason == "ScaledToZero"
    await eyes.command(model, StopRequested())
    await stopped(here, eyes, model, f"{POD_LABEL}=idle-zero")


async def test_a_knative_model_comes_back_with_the_same_revision_name(here, eyes):
    await here.running(inference_service(here.namespace, "revised", mode="Knative", minReplicas=1))
    model = ref(here, "revised")
    assert await here.get("revised-predictor-00001", REVISION)
    await eyes.command(model, StopRequested(graceful=False))
    await stopped(here, eyes, model, f"{POD_LABEL}=revised")
    await eyes.command(model, StartRequested())
    await running(here, eyes, model)
    assert await here.get("revised-predictor-00001", REVISION)
    assert (await here.get("revised"))["metadata"]["generation"] == 1


async def test_an_llm_inference_service_stops_and_starts(here, eyes):
    await here.running(llm(here.namespace, "llm"), LLM_INFERENCE_SERVICE)
    model = ref(here, "llm", Kind.LLM_INFERENCE_SERVICE)
    await eyes.command(model, StopRequested())
    await stopped(here, eyes, model, "app.kubernetes.io/name=llm")
    await eyes.command(model, StartRequested())
    await running(here, eyes, model)


async def test_an_llms_only_serving_pod_beside_its_scheduler_is_not_deleted_by_a_rolling_reload(here, eyes):
    routed = llm(here.namespace, "routed-llm")
    epp = {"containers": [listener("main")], "terminationGracePeriodSeconds": 2}
    routed["spec"]["router"] = {"scheduler": {"template": epp}}
    await here.running(routed, LLM_INFERENCE_SERVICE)
    model = ref(here, "routed-llm", Kind.LLM_INFERENCE_SERVICE)
    await running(here, eyes, model)
    before = {pod["metadata"]["uid"] for pod in await here.pods("app.kubernetes.io/name=routed-llm")}
    artifact = Artifact(uri=routed["spec"]["model"]["uri"], digest=f"sha256:{'1' * 64}", size=1)
    error = await refused(eyes, model, ReloadRequested(artifact=artifact))
    assert "1 pod" in error.message and "replace" in error.next_action
    seen = await eyes.look(model)
    assert {pod.uid for pod in seen.pods if not pod.deleting} == before
    assert sorted(pod.serves for pod in seen.pods) == [False, True]


async def test_an_inference_graph_stops_alone(here, eyes):
    await here.running(inference_service(here.namespace, "member-a"))
    await here.running(graph(here.namespace, "graph", "member-a"), INFERENCE_GRAPH)
    model = ref(here, "graph", Kind.INFERENCE_GRAPH)
    await eyes.command(model, StopRequested())
    await stopped(here, eyes, model, "serving.kserve.io/inferencegraph=graph")
    assert await here.pods(f"{POD_LABEL}=member-a")
    await eyes.command(model, StartRequested())
    await running(here, eyes, model)


async def refused(eyes, model, command):
    with pytest.raises(Refused) as error:
        await eyes.command(model, command)
    return error.value


async def test_disable_auto_update_is_refused_with_the_way_out(here, eyes):
    await here.running(inference_service(here.namespace, "frozen"))
    await here.annotate("frozen", disable_auto_update="true")
    error = await refused(eyes, ref(here, "frozen"), StopRequested())
    assert error.code is Code.STOP_UNSUPPORTED
    assert "disable-auto-update-" in error.next_action
    assert "serving.kserve.io/stop" not in (await here.get("frozen"))["metadata"]["annotations"]


async def test_a_stop_set_by_hand_that_kserve_ignores_is_told_at_once(here, eyes):
    await here.running(inference_service(here.namespace, "held-up"))
    await here.annotate("held-up", disable_auto_update="true")
    await here.annotate("held-up", stop="true")
    assert await eyes.state(ref(here, "held-up")) is State.ERROR
    record = (await eyes.store.load(ref(here, "held-up"))).record
    assert record.reason == "StopIgnored"
    assert "disable-auto-update" in record.message


async def test_whether_kserve_works_on_others_is_known_where_a_stop_waits(here, eyes):
    await here.running(inference_service(here.namespace, "waits"))
    await here.annotate("waits", disable_auto_update="true")
    await here.annotate("waits", stop="true")
    before = now()
    await here.running(inference_service(here.namespace, "other"))
    seen = await eyes.look(ref(here, "waits"))
    assert (before - timedelta(seconds=1)) <= seen.others_moved <= now()
    assert (await eyes.look(ref(here, "other"))).others_moved is None, "nothing waits"


@pytest.mark.parametrize(("through", "by"), [("/scale", ""), ("", " by modelswitch")])
async def test_a_model_that_was_scaled_to_zero_outside_says_so_until_stop_and_start(here, eyes, through, by):
    """Who scaled it through the subresource to 0 is not recorded: a Scale leaves 0 out, so no manager owns it."""
    name = f"downscaled{len(by)}"
    await here.running(inference_service(here.namespace, name))
    deployment = f"/apis/apps/v1/namespaces/{here.namespace}/deployments/{name}-predictor"
    await eyes.cluster.merge_patch(f"{deployment}{through}", {"spec": {"replicas": 0}})
    await here.no_pods(f"{POD_LABEL}={name}")
    assert await eyes.state(ref(here, name)) is State.ERROR
    record = (await eyes.store.load(ref(here, name))).record
    assert record.reason == "ScaledToZeroOutside"
    assert f"Deployment {name}-predictor is scaled to 0{by}, and" in record.message
    await eyes.command(ref(here, name), StopRequested())
    await stopped(here, eyes, ref(here, name), f"{POD_LABEL}={name}")
    await eyes.command(ref(here, name), StartRequested())
    await running(here, eyes, ref(here, name))


async def test_a_model_that_its_own_autoscaler_keeps_at_zero_is_no_failed_start(here, eyes):
    made = inference_service(here.namespace, "nightly")
    made["metadata"].setdefault("annotations", {})["serving.kserve.io/autoscalerClass"] = "external"
    await here.running(made)
    deployment = f"/apis/apps/v1/namespaces/{here.namespace}/deployments/nightly-predictor"
    await eyes.cluster.merge_patch(f"{deployment}/scale", {"spec": {"replicas": 0}})
    await here.no_pods(f"{POD_LABEL}=nightly")
    assert await eyes.state(ref(here, "nightly")) is State.STARTING
    assert (await eyes.store.load(ref(here, "nightly"))).record.reason == "AwaitingScaler"


async def test_a_name_too_long_for_its_service_leaves_nothing_to_stop(here, eyes):
    name = "n" * 54
    await here.make(inference_service(here.namespace, name))
    await here.condition(name, "PredictorReady", "False")
    error = await refused(eyes, ref(here, name), StopRequested())
    assert error.code is Code.STOP_UNSUPPORTED
    assert "nothing to stop" in error.message


async def test_a_missing_runtime_is_refused_with_the_way_out(here, eyes):
    await here.make(inference_service(here.namespace, "lost-runtime", model={"runtime": "no-such-runtime"}))
    error = await refused(eyes, ref(here, "lost-runtime"), StopRequested())
    assert "no-such-runtime" in error.message


async def test_model_mesh_is_refused(here, eyes):
    await here.make(inference_service(here.namespace, "mesh", mode="ModelMesh"))
    assert "ModelMesh" in (await refused(eyes, ref(here, "mesh"), StopRequested())).message


@pytest.mark.parametrize("strategy", Strategy)
async def test_a_reload_that_kserve_would_not_carry_out_is_refused_with_the_way_out(here, eyes, strategy):
    name, uri = f"unreloadable-{strategy}", "pvc://models/scorer"
    lost = {"runtime": "no-such-runtime", "storageUri": uri}
    await here.make(inference_service(here.namespace, name, model=lost))
    artifact = Artifact(uri=uri, namespace=here.namespace, digest=f"sha256:{'1' * 64}", size=1)
    error = await refused(eyes, ref(here, name), ReloadRequested(artifact=artifact, strategy=strategy))
    assert (error.code, "no-such-runtime" in error.next_action) == (Code.RELOAD_UNSUPPORTED, True)
    assert "modelswitch.dev/artifact-digest" not in (await here.get(name))["metadata"]["annotations"]


async def test_a_canary_is_refused_unless_its_promotion_is_accepted(here, eyes):
    await here.running(inference_service(here.namespace, "canaried", mode="Knative", minReplicas=1))

    def second_revision(obj):
        obj["spec"]["predictor"]["canaryTrafficPercent"] = 10
        obj["spec"]["predictor"]["containerConcurrency"] = 7

    await here.edit("canaried", second_revision)
    model = ref(here, "canaried")

    async def split():
        return (await eyes.look(model, verb="stop")).blockers

    await here.seen(split, "the canary has its share")
    assert (await refused(eyes, model, StopRequested())).code is Code.CANARY_IN_PROGRESS
    assert (await eyes.command(model, StopRequested(promote_canary=True))).changed


async def test_over_quota_is_refused_by_what_the_last_run_requested(here, eyes):
    body = inference_service(here.namespace, "quota-bound")
    await here.running(body)
    model = ref(here, "quota-bound")
    await eyes.command(model, StopRequested())
    await stopped(here, eyes, model, f"{POD_LABEL}=quota-bound")
    quota = {"metadata": {"name": "tight"}, "spec": {"hard": {"requests.memory": "16Mi"}}}
    path = f"/api/v1/namespaces/{here.namespace}/resourcequotas"
    await eyes.cluster.create(path, {"apiVersion": "v1", "kind": "ResourceQuota", **quota})
    try:

        async def counted():
            return (await eyes.cluster.get(f"{path}/tight")).get("status", {}).get("hard")

        await here.seen(counted, "the quota is counted")
        error = await refused(eyes, model, StartRequested())
        assert error.code is Code.QUOTA_EXCEEDED
        assert "tight" in error.message
    finally:
        await eyes.cluster.delete(f"{path}/tight", {})


async def test_a_start_without_the_autoscaler_and_back_with_it(here, eyes):

    before = await here.running(inference_service(here.namespace, "scaled", maxReplicas=3))
    assert await here.get("scaled-predictor", AUTOSCALER)
    model = ref(here, "scaled")
    await eyes.command(model, StopRequested())
    await stopped(here, eyes, model, f"{POD_LABEL}=scaled")
    await eyes.command(model, StartRequested(restore_autoscaling=False))
    await running(here, eyes, model)
    assert await here.get("scaled-predictor", AUTOSCALER) is None
    await eyes.command(model, StopRequested())
    await stopped(here, eyes, model, f"{POD_LABEL}=scaled")
    await eyes.command(model, StartRequested())
    await running(here, eyes, model)
    assert await here.get("scaled-predictor", AUTOSCALER)
    after = await here.get("scaled")
    assert after["metadata"]["annotations"] == before["metadata"]["annotations"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]


async def test_a_page_of_models_sees_what_single_looks_see(here, eyes):
    await here.running(inference_service(here.namespace, "paged"))
    pages = [page async for page in eyes.observer.pages(Kind.INFERENCE_SERVICE, "", lambda: True)]
    assert pages[-1].next == ""
    listed = next(seen for page in pages for seen in page.observations if seen.ref == ref(here, "paged"))
    single = await eyes.look(ref(here, "paged"))
    assert (listed.uid, listed.ready, len(listed.pods)) == (single.uid, single.ready, len(single.pods))
    assert listed.pods_version > 0


async def test_a_name_is_found_in_every_namespace_as_soon_as_the_model_is_there(here, eyes):
    assert await eyes.observer.find("sought-after", Kind.INFERENCE_SERVICE) == []
    await here.make(inference_service(here.namespace, "sought-after"))
    assert await eyes.observer.find("sought-after", Kind.INFERENCE_SERVICE) == [ref(here, "sought-after")]


async def test_looking_at_many_sees_what_single_looks_see_blockers_included(here, eyes):
    await here.running(inference_service(here.namespace, "many-a"))
    await here.running(inference_service(here.namespace, "many-b"))
    await here.annotate("many-b", disable_auto_update="true")
    refs = {ref(here, name) for name in ("many-a", "many-b", "not-there")}
    many = await eyes.observer.observe_many(refs)
    assert set(many) == {ref(here, "many-a"), ref(here, "many-b")}
    for model, listed in many.items():
        single = await eyes.look(model, verb="stop")
        assert (listed.uid, listed.annotations, listed.blockers) == (single.uid, single.annotations, single.blockers)
        assert {pod.uid for pod in listed.pods} == {pod.uid for pod in single.pods}
    assert many[ref(here, "many-b")].blockers


async def test_two_people_at_once_get_one_true_end(here, eyes):
    await here.running(inference_service(here.namespace, "contested"))
    model = ref(here, "contested")
    await asyncio.gather(
        eyes.command(model, StopRequested(), queue=True), eyes.command(model, StartRequested(), queue=True)
    )

    async def settled():
        state = await eyes.state(model)
        wanted = (await eyes.look(model)).stop_wanted
        return state is (State.STOPPED if wanted else State.RUNNING)

    await here.seen(settled, "both agree")


async def test_the_stop_patch_is_one_patch(here, eyes):
    await here.running(inference_service(here.namespace, "once"))
    seen = await eyes.look(ref(here, "once"))
    version = (await here.get("once"))["metadata"]["generation"]

    stop_note = StopNote(holds=(), source="/t", command="c", since=now())
    await eyes.patch(stop_patch(seen, stop_note, {}))
    metadata = (await here.get("once"))["metadata"]
    assert metadata["generation"] == version
    assert metadata["annotations"]["serving.kserve.io/stop"] == "true"


async def test_a_canary_in_standard_mode_is_named_with_what_it_loads_and_survives_a_stop(here, eyes):
    model = inference_service(here.namespace, "card", minReplicas=2, model={"storageUri": "s3://models/card/v1"})
    model["spec"]["predictor"]["name"] = "v1"
    second = {"modelFormat": {"name": "sklearn"}, "name": "kserve-container", "storageUri": "s3://models/card/v2"}
    model["spec"]["canary"] = [{"trafficPercent": 10, "predictor": {"name": "v2", "model": second}}]
    await here.make(model)
    card = ref(here, "card")

    async def both():
        seen = await eyes.look(card)
        return [str(one) for one in seen.canaries] == ["the canary v2 gets 10% of the traffic"] and len(seen.pods) == 2

    await here.seen(both, "the canary is ready, and the stable predictor gave a pod up for it")
    seen = await eyes.look(card)
    assert seen.artifacts == ("s3://models/card/v1", "s3://models/card/v2")
    await eyes.command(card, StopRequested())
    await stopped(here, eyes, card, f"{POD_LABEL}=card")
    await eyes.command(card, StartRequested())
    await here.seen(both, "the canary is back")


@pytest.mark.parametrize("failure", ["FailedMount", "OOMKilled", "ErrImageNeverPull"])
async def test_why_the_simulated_kubelet_starts_no_container_is_read(here, eyes, failure):
    if os.environ.get("MODELSWITCH_TEST_KUBECONFIG"):
        pytest.skip("only the simulated kubelet fails as it is told to")
    name = f"fails-{failure.lower()}"
    await here.make(inference_service(here.namespace, name, annotations={"sim.modelswitch.dev/fail": failure}))
    later = Observer(eyes.cluster, eyes.resources, eyes.grace, Probe(ProxyLine(eyes.cluster)), in_a_minute)

    async def reason():
        seen = await later.observe(ref(here, name))
        return any(pod.trouble and pod.trouble.reason == failure for pod in seen.pods)

    await here.seen(reason, failure)


def in_a_minute():
    return now() + timedelta(minutes=1)
