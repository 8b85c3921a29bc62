"""The simulated KServe does what KServe was seen to do, on the simulated API and on a real one (see kserve_here.py)."""

import collections

from kserve_objects import graph, inference_service, listener, llm, runtime

from functions.local.kserve.conditions import find
from functions.local.kserve.resources import (
    AUTOSCALER,
    DEPLOYMENT,
    INFERENCE_GRAPH,
    KNATIVE_SERVICE,
    LLM_INFERENCE_SERVICE,
    REVISION,
    SERVICE,
    SERVING_RUNTIME,
)

pytest_plugins = ("kserve_here",)


async def test_a_standard_model_gets_a_deployment_a_service_and_an_autoscaler_and_says_so(here):
    model = await here.running(inference_service(here.namespace, "plain"))
    deployment = await here.get("plain-predictor", DEPLOYMENT)
    template = deployment["spec"]["template"]
    assert template["metadata"]["labels"]["serving.kserve.io/inferenceservice"] == "plain"
    assert template["metadata"]["labels"]["component"] == "predictor"
    owner = deployment["metadata"]["ownerReferences"][0]
    assert (owner["uid"], owner["controller"]) == (model["metadata"]["uid"], True)
    assert await here.get("plain-predictor", SERVICE)
    assert await here.get("plain-predictor", AUTOSCALER)
    status = model["status"]
    assert status["deploymentMode"] == "Standard"
    assert status["url"] == f"http://plain-{here.namespace}.example.com"
    assert status["address"]["url"] == f"http://plain-predictor.{here.namespace}.svc.cluster.local"
    assert status["modelStatus"]["states"] == {"activeModelState": "Loaded", "targetModelState": "Loaded"}
    assert status["modelStatus"]["copies"] == {"failedCopies": 0, "totalCopies": 1}
    assert find(status, "Stopped")["status"] == "False"


async def test_a_stop_is_told_before_the_pods_are_gone_and_clears_the_status(here):
    before = await here.running(inference_service(here.namespace, "stopping"))
    await here.annotate("stopping", stop="True")
    stopped = await here.condition("stopping", "Stopped", "True")
    assert await here.pods("serving.kserve.io/inferenceservice=stopping")
    ready = find(stopped["status"], "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "Stopped")
    assert not {"url", "address", "components", "modelStatus"} & stopped["status"].keys()
    assert stopped["status"]["deploymentMode"] == "Standard"
    assert stopped["metadata"]["generation"] == before["metadata"]["generation"]
    for resource in (DEPLOYMENT, SERVICE, AUTOSCALER):
        await here.gone("stopping-predictor", resource)
    await here.no_pods("serving.kserve.io/inferenceservice=stopping")


async def test_a_start_brings_back_the_same_pod_template(here):
    await here.running(inference_service(here.namespace, "again"))
    label = "serving.kserve.io/inferenceservice=again"
    first = (await here.pods(label))[0]["metadata"]["labels"]["pod-template-hash"]
    await here.annotate("again", stop="true")
    await here.condition("again", "Stopped", "True")
    await here.no_pods(label)
    await here.annotate("again", stop=None)
    starting = await here.condition("again", "Stopped", "False")
    assert find(starting["status"], "Ready")["status"] == "False"
    assert find(starting["status"], "IngressReady")["reason"] == "Predictor ingress not created"
    await here.condition("again", "Ready", "True")
    assert [pod["metadata"]["labels"]["pod-template-hash"] for pod in await here.pods(label)] == [first]


async def test_every_annotation_but_those_of_the_deny_list_reaches_the_pods(here):
    stray = {"example.com/note": "one", "modelFormat": "x", "autoscaling.knative.dev/min-scale": "3"}
    await here.running(inference_service(here.namespace, "noted", annotations=stray))
    passed = (await here.get("noted-predictor", DEPLOYMENT))["spec"]["template"]["metadata"]["annotations"]
    assert passed["example.com/note"] == "one"
    assert not {"modelFormat", "autoscaling.knative.dev/min-scale"} & passed.keys()


async def test_a_stop_annotation_of_false_rolls_the_pods_of_a_model_that_never_stopped(here):
    await here.running(inference_service(here.namespace, "rolled"))
    label = "serving.kserve.io/inferenceservice=rolled"
    first = {pod["metadata"]["uid"] for pod in await here.pods(label)}
    await here.annotate("rolled", stop="false")

    async def replaced():
        pods = await here.pods(label)
        return pods and not first & {pod["metadata"]["uid"] for pod in pods}

    await here.seen(replaced, "other pods")


async def test_a_foreign_edit_of_the_template_is_reverted_and_of_replicas_is_not(here):
    await here.running(inference_service(here.namespace, "edited"))

    def restart(deployment):
        deployment["spec"]["template"]["metadata"].setdefault("annotations", {})["kubectl/restartedAt"] = "now"
        deployment["spec"]["replicas"] = 2

    await here.edit("edited-predictor", restart, DEPLOYMENT)

    async def reverted():
        deployment = await here.get("edited-predictor", DEPLOYMENT)
        kept = deployment["spec"]["template"]["metadata"].get("annotations", {})
        return deployment if "kubectl/restartedAt" not in kept else None

    deployment = await here.seen(reverted, "the template as KServe wants it")
    assert deployment["spec"]["replicas"] == 2


async def test_an_autoscaler_of_ones_own_leaves_out_kserves(here):
    external = {"serving.kserve.io/autoscalerClass": "external"}
    await here.running(inference_service(here.namespace, "scaled", annotations=external))
    assert await here.get("scaled-predictor", AUTOSCALER) is None


async def test_a_stop_is_ignored_where_auto_update_is_disabled(here):
    await here.running(inference_service(here.namespace, "fixed"))
    await here.annotate("fixed", disable_auto_update="true")
    await here.annotate("fixed", stop="true")
    await here.running(inference_service(here.namespace, "after-fixed"))
    assert find((await here.get("fixed"))["status"], "Ready")["status"] == "True"
    assert await here.get("fixed-predictor", DEPLOYMENT)


async def test_a_stop_does_nothing_while_the_runtime_is_missing(here):
    await here.make(runtime(here.namespace, "fleeting"), SERVING_RUNTIME)
    await here.running(inference_service(here.namespace, "lost", model={"runtime": "fleeting"}))
    await here.cluster.delete(SERVING_RUNTIME, await here.get("fleeting", SERVING_RUNTIME))
    await here.annotate("lost", stop="true")

    async def invalid():
        told = (await here.get("lost"))["status"]["modelStatus"]
        return told if told["transitionStatus"] == "InvalidSpec" else None

    told = await here.seen(invalid, "InvalidSpec")
    assert told["lastFailureInfo"]["reason"] == "RuntimeNotRecognized"
    assert await here.get("lost-predictor", DEPLOYMENT)


async def test_a_quota_that_refuses_the_pods_is_told_in_predictor_ready(here):
    here = here.with_quota()
    gpu = {"resources": {"requests": {"nvidia.com/gpu": "1"}, "limits": {"nvidia.com/gpu": "1"}}}
    await here.make(inference_service(here.namespace, "greedy", model=gpu))
    model = await here.condition("greedy", "PredictorReady", "False", reason="FailedCreate")
    assert "exceeded quota: team" in find(model["status"], "PredictorReady")["message"]
    assert model["status"]["modelStatus"]["states"]["targetModelState"] == "Pending"


async def test_a_model_that_finds_no_gpu_is_only_pending(here):
    gpus = {"resources": {"requests": {"nvidia.com/gpu": "64"}, "limits": {"nvidia.com/gpu": "64"}}}
    await here.make(inference_service(here.namespace, "waiting", model=gpus))
    model = await here.condition("waiting", "PredictorReady", "False", reason="MinimumReplicasUnavailable")
    assert model["status"]["modelStatus"]["transitionStatus"] == "InProgress"
    assert "lastFailureInfo" not in model["status"]["modelStatus"]


async def test_a_transformer_is_a_deployment_of_its_own_and_stops_along(here):
    transformer = {"containers": [listener("kserve-container")], "terminationGracePeriodSeconds": 2}
    model = await here.running(inference_service(here.namespace, "pair", transformer=transformer))
    assert model["status"]["address"]["url"] == f"http://pair-transformer.{here.namespace}.svc.cluster.local"
    await here.condition("pair", "TransformerReady", "True")
    await here.annotate("pair", stop="true")
    await here.condition("pair", "TransformerReady", "False", reason="Stopped")
    await here.gone("pair-transformer", DEPLOYMENT)


async def test_a_knative_model_scaled_to_zero_looks_just_like_one_that_runs(here):
    await here.running(inference_service(here.namespace, "idle", "Knative", minReplicas=0))
    label = "serving.kserve.io/inferenceservice=idle"
    assert (await here.pods(label))[0]["spec"]["terminationGracePeriodSeconds"] == 300

    async def at_zero():
        deployment = await here.get("idle-predictor-00001-deployment", DEPLOYMENT)
        return deployment["spec"]["replicas"] == 0

    await here.seen(at_zero, "zero replicas")
    model = await here.get("idle")
    assert find(model["status"], "Ready")["status"] == "True"
    assert model["status"]["modelStatus"]["states"]["activeModelState"] == "Loaded"
    assert model["status"]["modelStatus"]["copies"]["totalCopies"] == 1
    await here.condition("idle-predictor-00001", "Active", "False", resource=REVISION, reason="NoTraffic")


async def test_a_knative_stop_and_start_ends_at_the_same_revision_name_with_another_hash(here):
    await here.running(inference_service(here.namespace, "cycle", "Knative", minReplicas=1))
    label = "serving.kserve.io/inferenceservice=cycle"
    first = (await here.pods(label))[0]["metadata"]["labels"]["pod-template-hash"]
    await here.annotate("cycle", stop="true")
    await here.condition("cycle", "Stopped", "True")
    await here.gone("cycle-predictor", KNATIVE_SERVICE)
    await here.gone("cycle-predictor-00001-deployment", DEPLOYMENT)
    await here.annotate("cycle", stop="false")
    starting = await here.condition("cycle", "Stopped", "False")
    ready = find(starting["status"], "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "Stopped")
    model = await here.condition("cycle", "Ready", "True")
    assert model["status"]["components"]["predictor"]["latestReadyRevision"] == "cycle-predictor-00001"
    revision = await here.get("cycle-predictor-00001", REVISION)
    pods = await here.pods(f"serving.knative.dev/revisionUID={revision['metadata']['uid']}")
    assert pods[0]["metadata"]["labels"]["pod-template-hash"] != first


async def test_a_stop_forgets_the_canary_and_the_start_sends_it_all_the_traffic(here):
    await here.running(inference_service(here.namespace, "canary", "Knative", minReplicas=1))

    def second(obj):
        obj["spec"]["predictor"]["canaryTrafficPercent"] = 10
        obj["spec"]["predictor"]["model"]["env"] = [{"name": "VERSION", "value": "2"}]

    def shares(obj):
        percents = collections.Counter()
        for target in obj["status"].get("components", {}).get("predictor", {}).get("traffic", []):
            percents[target["revisionName"]] += target["percent"]
        return percents

    await here.edit("canary", second)

    async def split():
        model = await here.get("canary")
        return model if shares(model) == {"canary-predictor-00002": 10, "canary-predictor-00001": 90} else None

    model = await here.seen(split, "10 % to 00002")
    assert model["status"]["components"]["predictor"]["latestRolledoutRevision"] == "canary-predictor-00001"
    await here.annotate("canary", stop="true")
    await here.condition("canary", "Stopped", "True")
    await here.gone("canary-predictor-00002", REVISION)
    await here.annotate("canary", stop=None)
    model = await here.condition("canary", "Ready", "True")
    assert shares(model) == {"canary-predictor-00001": 100}


async def test_an_llm_stops_without_a_stopped_condition_and_passes_no_foreign_annotation(here):
    note = {"example.com/note": "one", "prometheus.io/scrape": "true"}
    await here.running(llm(here.namespace, "talker", note), LLM_INFERENCE_SERVICE)
    label = "app.kubernetes.io/part-of=llminferenceservice,app.kubernetes.io/name=talker"
    passed = (await here.pods(label))[0]["metadata"]["annotations"]
    assert passed.get("prometheus.io/scrape") == "true"
    assert "example.com/note" not in passed
    await here.annotate("talker", LLM_INFERENCE_SERVICE, stop="true")
    stopped = await here.condition("talker", "Ready", "False", LLM_INFERENCE_SERVICE, reason="Stopped")
    assert find(stopped["status"], "Stopped") is None
    assert "url" not in stopped["status"]
    await here.gone("talker-kserve", DEPLOYMENT)
    await here.no_pods(label)


async def test_an_llms_scheduler_is_a_deployment_of_its_own_that_stops_with_it(here):
    model = llm(here.namespace, "routed")
    epp = {"containers": [listener("main")], "terminationGracePeriodSeconds": 2}
    model["spec"]["router"] = {"scheduler": {"template": epp}}
    await here.running(model, LLM_INFERENCE_SERVICE)
    pods = await here.pods("app.kubernetes.io/part-of=llminferenceservice,app.kubernetes.io/name=routed")
    assert sorted(pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in pods) == [
        "llminferenceservice-router-scheduler",
        "llminferenceservice-workload",
    ]
    await here.annotate("routed", LLM_INFERENCE_SERVICE, stop="true")
    await here.condition("routed", "Ready", "False", LLM_INFERENCE_SERVICE, reason="Stopped")
    await here.gone("routed-kserve-router-scheduler", DEPLOYMENT)
    await here.no_pods("app.kubernetes.io/name=routed")


async def test_a_graph_stops_its_router_only(here):
    await here.running(inference_service(here.namespace, "member"))
    await here.running(graph(here.namespace, "route", "member"), INFERENCE_GRAPH)
    label = "serving.kserve.io/inferencegraph=route"
    assert await here.pods(label)
    await here.annotate("route", INFERENCE_GRAPH, stop="true")
    stopped = await here.condition("route", "Stopped", "True", INFERENCE_GRAPH)
    assert find(stopped["status"], "Ready")["reason"] == "Stopped"
    await here.gone("route", DEPLOYMENT)
    assert find((await here.get("member"))["status"], "Ready")["status"] == "True"
    assert await here.get("member-predictor", DEPLOYMENT)
