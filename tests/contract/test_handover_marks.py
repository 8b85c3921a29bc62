"""The old pods of a reload on the simulated API and on a real one: marked, out of their Service, ended, never left behind."""

from dataclasses import replace

import pytest
from kserve_eyes import POD_LABEL, ref
from kserve_objects import inference_service

from functions.composition import Parts, now
from functions.lifecycle.effects import MarkPod
from functions.lifecycle.handover import LEAVES_FOR
from functions.lifecycle.observation import Handover
from functions.local.kserve.resources import INFERENCE_SERVICE
from functions.settings import Settings
from functions.tick.round import go_round

pytest_plugins = ("kserve_here",)


async def marked(here, eyes, model, handover, at):
    """Its one pod, which carries that mark."""
    (pod,) = (await eyes.look(model)).pods
    mark = MarkPod(model, pod.name, pod.uid, handover, at)
    await eyes.handovers.mark(replace(mark, uid="of-one-before"))
    assert (await eyes.look(model)).pods[0].handover is None
    await eyes.handovers.mark(mark)
    return pod


async def uids(here, name):
    return {pod["metadata"]["uid"] for pod in await here.pods(f"{POD_LABEL}={name}")}


async def test_a_pod_that_is_kept_says_so_and_its_owner_says_how_many_it_wants(here, eyes):
    await here.running(inference_service(here.namespace, "kept"))
    model = ref(here, "kept")
    pod = await marked(here, eyes, model, Handover.KEPT, now())
    seen = await eyes.look(model)
    assert (seen.pods[0].handover, seen.pods[0].deleting, seen.wanted) == (Handover.KEPT, False, {pod.owner.uid: 1})
    await eyes.handovers.mark(MarkPod(model, pod.name, pod.uid, None, now()))
    seen = await eyes.look(model)
    assert (seen.pods[0].handover, seen.wanted) == (None, {})


async def test_a_pod_that_left_its_service_is_on_its_way_out_and_ended_in_time(here, eyes):
    await here.running(inference_service(here.namespace, "left"))
    model = ref(here, "left")
    at = now() - LEAVES_FOR
    pod = await marked(here, eyes, model, Handover.LEAVING, at)
    seen = next(found for found in (await eyes.look(model)).pods if found.uid == pod.uid)
    assert (seen.handover, seen.deleting, seen.terminating, seen.left_at) == (Handover.LEAVING, True, False, at)
    (item,) = [item for item in await here.pods(f"{POD_LABEL}=left") if item["metadata"]["uid"] == pod.uid]
    assert "app" not in item["metadata"]["labels"]
    await eyes.state(model)

    async def ended():
        return pod.uid not in await uids(here, "left")

    await here.seen(ended, "the pod has ended")


async def orphaned(here, eyes, name):
    """The model of a pod that left its Service, and is nobody's now that the model is gone; and the pod."""
    await here.running(inference_service(here.namespace, name))
    model = ref(here, name)
    pod = await marked(here, eyes, model, Handover.LEAVING, now())

    async def nobodys():
        found = [one for one in (await eyes.look(model)).pods if one.uid == pod.uid]
        return found[0].owner is None

    await here.seen(nobodys, "its ReplicaSet has let it go")
    await eyes.cluster.delete(await eyes.resources.model(model), {})
    await here.gone(name, INFERENCE_SERVICE)
    return model, pod


async def test_a_pod_that_left_its_service_does_not_outlive_its_model(here, eyes):
    model, pod = await orphaned(here, eyes, "orphan")
    assert model in await eyes.observer.leaving()
    await eyes.reconciler.notification(model)

    async def ended():
        return pod.uid not in await uids(here, "orphan")

    await here.seen(ended, "the pod has ended")


async def test_where_every_event_was_lost_the_timer_ends_it(here, eyes, redis_url, request):
    if "real" in request.node.callspec.id:
        pytest.skip("a resync acts on every model of its cluster, those of other tests too")
    _, pod = await orphaned(here, eyes, "unheard")
    parts = await Parts.connect(Settings(redis_url=redis_url))
    await go_round(parts)
    await parts.close()

    async def ended():
        return pod.uid not in await uids(here, "unheard")

    await here.seen(ended, "the pod has ended")
