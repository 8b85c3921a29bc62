"""From what a path or body names to one model, telling nobody of models that they may not read."""

from typing import Annotated

from fastapi import Depends, Path, Query
from pydantic import ValidationError

from events.model import Kind, ModelRef
from functions.adapters.identity import Right, User, require
from functions.api.context import Api
from functions.api.problems import ambiguous, described, invalid
from functions.lifecycle.errors import Code, NotFound


def parse_kind(
    kind: Annotated[
        str | None,
        Query(
            description="InferenceService (default), LLMInferenceService or InferenceGraph.",
            examples=["InferenceGraph"],
        ),
    ] = None,
) -> Kind | None:
    try:
        return Kind.parse(kind) if kind else None
    except ValueError as error:
        raise invalid(f"kind: {error}"[:300]) from error


def make_ref(namespace: str, name: str, kind: Kind | None) -> ModelRef:
    try:
        return ModelRef(namespace=namespace, name=name, kind=kind or Kind.INFERENCE_SERVICE)
    except ValidationError as error:
        raise invalid(described(error.errors()), "Kubernetes' names have lower case letters, digits and -.") from error


async def permitted(api: Api, user: User, ref: ModelRef, right: Right) -> ModelRef:
    """Raises NotAllowed before anybody has looked whether the model exists."""
    await require(api.access, user, right, ref.kind, ref.namespace, ref.name)
    return ref


async def resolve(api: Api, user: User, name: str, namespace: str | None, kind: Kind | None, right: Right) -> ModelRef:
    """The model of that name: in the namespace given, else in DEFAULT_NAMESPACE, else the only one readable.

    Raises NotAllowed, NotFound, or ApiError AmbiguousModel with the candidates.
    """
    place = namespace or api.parts.settings.default_namespace
    if place:
        return await permitted(api, user, make_ref(place, name, kind), right)
    wanted = make_ref("any", name, kind)
    readable = [
        ref
        async for ref in api.parts.lookout.find(wanted.name, wanted.kind)
        if await api.access.may(user, "get", ref.kind, ref.namespace, ref.name)
    ]
    if len(readable) > 1:
        raise ambiguous(name, readable)
    if not readable:
        raise NotFound(
            Code.NOT_FOUND,
            f"there is no {wanted.kind} {name} in any namespace that you may read",
            f"Check the name: kubectl get {wanted.kind.plural} --all-namespaces",
        )
    return await permitted(api, user, readable[0], right)


OfKind = Annotated[Kind | None, Depends(parse_kind)]
InNamespace = Annotated[str, Path(description="The model's namespace.", examples=["ml"])]
Named = Annotated[str, Path(description="The model's name.", examples=["iris"])]
MaybeNamespace = Annotated[str | None, Query(description="Its namespace, where the name alone is not enough.")]
