"""What one object and its pods show, whatever is written in them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Self

from events.model import ModelRef
from functions.adapters.cluster import Json
from functions.adapters.kserve.artifacts import artifacts_of, bucketless
from functions.adapters.kserve.blockers import ignores_stop
from functions.adapters.kserve.model import Model
from functions.adapters.kserve.parsing import Parsed
from functions.adapters.kserve.pods import name_of, parse_pod, read_pod, unreadable_pod
from functions.adapters.kserve.resources import as_number
from functions.adapters.kserve.schema import MOST_PODS
from functions.adapters.kserve.served import Server, holds_model, server_of
from functions.lifecycle.observation import AUTOSCALER_ANNOTATION, Answer, Observation, Pod, PodAnswer
from functions.lifecycle.unusable import Unusable
from functions.object_errors import Stage, count, one_object

_TOLD = 20
MOST_ARTIFACTS = 100
"""Each is an entry of the index by which artifact events find their models."""


@dataclass(frozen=True)
class PodList:
    """The pods of one model, MOST_PODS at most. `readable` are those that can be read at all, as objects, by uid.

    One that can't is in `pods` all the same: as long as it is there, its model is not stopped.
    """

    pods: tuple[Pod, ...] = ()
    readable: Mapping[str, Parsed] = field(default_factory=dict)
    version: int = 0
    unusable: tuple[Unusable, ...] = ()

    @classmethod
    def read(cls, ref: ModelRef, listed: Json) -> Self:
        """From a list of the API server's."""
        items = listed.get("items") or []
        pods: list[Pod] = []
        readable: dict[str, Parsed] = {}
        for place, item in enumerate(islice(items, MOST_PODS)):
            try:
                parsed = parse_pod(item)
                pods.append(replace(read_pod(parsed), serves=holds_model(ref.kind, parsed)))
                readable[parsed["metadata"]["uid"]] = parsed
            except Exception as error:  # noqa: BLE001 - whatever a tenant put into a pod
                count(Stage.POD, f"{ref.namespace}/{name_of(item)}", error)
                pods.append(unreadable_pod(name_of(item), place, error))
        too_many = Unusable("the number of its pods", str(len(items)), f"at most {MOST_PODS}")
        return cls(
            tuple(pods),
            readable,
            as_number((listed.get("metadata") or {}).get("resourceVersion")),
            (too_many,) if len(items) > MOST_PODS else (),
        )


def observe_object(ref: ModelRef, model: Model, pods: PodList, now: datetime) -> Observation:
    """As read_observation; where that fails all the same, what is known for sure, and that the rest can't be read.

    So the model is shown, and can be stopped.
    """
    try:
        seen = read_observation(ref, model, pods, now)
    except Exception as error:  # noqa: BLE001 - whatever a tenant wrote into an object
        count(Stage.MODEL, ref.subject, error)
        problem = Unusable("the object", f"not readable ({type(error).__name__})", "a resource as KServe has it")
        return Observation(
            ref=ref,
            observed_at=now,
            exists=True,
            uid=model.metadata.get("uid") or "",
            annotations=model.annotations,
            deleting=model.metadata.get("deletionTimestamp") is not None,
            pods=pods.pods,
            unusable=(problem,),
        )
    for problem in (*seen.unusable, *((seen.unusable_note,) if seen.unusable_note else ())):
        count(Stage.MODEL, ref.subject, problem)
    return seen


def read_observation(ref: ModelRef, model: Model, pods: PodList, now: datetime) -> Observation:
    metadata = model.metadata
    ready, stopped = model.ready, model.condition("Stopped")
    objects = pods.readable.values()
    artifacts = artifacts_of(model, objects)
    in_pods = (one for pod in pods.pods for one in pod.unusable)
    return Observation(
        ref=ref,
        observed_at=now,
        exists=True,
        uid=metadata["uid"],
        version=as_number(metadata.get("resourceVersion")),
        pods_version=pods.version,
        generation=metadata.get("generation") or 0,
        labels=metadata.get("labels") or {},
        annotations=model.annotations,
        deleting=metadata.get("deletionTimestamp") is not None,
        mode=model.mode,
        ready=ready.status if ready else Answer.UNKNOWN,
        ready_reason=ready.reason if ready else None,
        ready_changed=ready.changed if ready else None,
        stopped_condition=stopped.status if stopped else None,
        trouble=model.trouble,
        url=model.url,
        stop_note=model.stop_note,
        stop_actor=model.stop_actor,
        pods=pods.pods,
        routed=model.routed,
        artifacts=artifacts[:MOST_ARTIFACTS],
        bucketless=bucketless(model, objects),
        recreated=model.recreated,
        autoscaler=(model.annotations or {}).get(AUTOSCALER_ANNOTATION),
        autoscaler_is_ours=model.autoscaler_is_ours,
        may_scale_to_zero=model.may_scale_to_zero,
        components=model.needed_components,
        traffic=model.traffic,
        failed_revision=model.failed_revision,
        stop_blocker=ignores_stop(model, has_pods=bool(pods.pods)),
        canaries=model.canaries,
        suspended=bool(model.spec.get("suspend")),
        unusable=(*model.unusable, *_too_many_artifacts(artifacts), *pods.unusable, *in_pods)[:_TOLD],
        unusable_note=model.unusable_note,
    )


def _too_many_artifacts(artifacts: Sequence[str]) -> Iterator[Unusable]:
    if len(artifacts) > MOST_ARTIFACTS:
        yield Unusable("the number of places that it loads from", str(len(artifacts)), f"at most {MOST_ARTIFACTS}")


def servers_of(model: Model, seen: Observation, pods: PodList) -> Iterator[Server]:
    """Whom to ask: the ready pods that hold the model, while it is to run."""
    if seen.stop_wanted or seen.deleting:
        return
    for pod in seen.pods:
        if pod.ready and pod.serves and not pod.deleting and pod.uid in pods.readable:
            server = None
            with one_object(Stage.POD, f"{seen.ref.namespace}/{pod.name}"):
                server = server_of(model, pods.readable[pod.uid])
            if server:
                yield server


def with_answers(seen: Observation, answers: Mapping[str, PodAnswer]) -> Observation:
    return replace(seen, pods=tuple(replace(pod, answer=answers.get(pod.uid)) for pod in seen.pods))
