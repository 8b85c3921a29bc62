"""From what a path or body names to one model, without disclosing models that the caller may not read."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from pydantic import ValidationError

from events.model import Kind, ModelRef
from functions.adapters.identity import Right, User, require
from functions.api.context import Api, Caller, TheApi
from functions.api.problems import ambiguous, described, invalid
from functions.lifecycle.errors import Code, NotFound

InNamespace = Annotated[str, Path(description="The model's namespace.", examples=["ml"])]
Named = Annotated[str, Path(description="The model's name.", examples=["iris"])]
MaybeNamespace = Annotated[str | None, Query(description="Its namespace, where the name alone is not enough.")]
KindText = Annotated[
    str | None,
    Query(
        description="InferenceService (default), LLMInferenceService or InferenceGraph.", examples=["InferenceGraph"]
    ),
]


@dataclass(frozen=True)
class Name:
    """What was typed; what is None is to be found out."""

    name: str
    namespace: str | None = None
    kind: Kind | None = None


def parse_kind(kind: str | None) -> Kind | None:
    try:
        return Kind.parse(kind) if kind else None
    except ValueError as error:
        raise invalid(f"kind: {error}"[:300]) from error


def _of_kind(request: Request, kind: KindText = None) -> Kind | None:
    """The only query parameter where the namespace is in the path. An undefined parameter is an error and is not ignored:
    `?graceful=false` must not be taken for a graceful stop.
    """
    known = {"kind"} if "namespace" in request.path_params else {"kind", "namespace"}
    if unknown := sorted(request.query_params.keys() - known):
        raise invalid(
            f"query parameter {unknown[0][:80]!r} is not known here; {' and '.join(sorted(known))} may be given",
            "Pass stop and start options in the JSON body.",
        )
    return parse_kind(kind)


def refuse_repeated(request: Request) -> None:
    """Which of two values counts is a guess, and readers in front of us may guess another. A label filter may be repeated."""
    names = [name for name, _ in request.query_params.multi_items() if name != "label"]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise invalid(f"the query parameter {repeated[:80]!r} is there more than once; one value was expected")


OfKind = Annotated[Kind | None, Depends(_of_kind)]


def make_ref(namespace: str, name: str, kind: Kind | None) -> ModelRef:
    try:
        return ModelRef(namespace=namespace, name=name, kind=kind or Kind.INFERENCE_SERVICE)
    except ValidationError as error:
        raise invalid(described(error.errors()), "Kubernetes' names have lower case letters, digits and -.") from error


async def permitted(api: Api, user: User, ref: ModelRef, right: Right) -> ModelRef:
    """Raises NotAllowed before it is checked whether the model exists."""
    await require(api.access, user, right, ref.kind, namespace=ref.namespace, name=ref.name)
    return ref


async def resolve(api: Api, user: User, wanted: Name, right: Right) -> ModelRef:
    """The model of that name: in the namespace given, else in DEFAULT_NAMESPACE, else the only one readable.

    Raises NotAllowed, NotFound, or ApiError AmbiguousModel with the candidates.
    """
    place = wanted.namespace or api.parts.settings.default_namespace
    if place:
        return await permitted(api, user, make_ref(place, wanted.name, wanted.kind), right)
    ref = make_ref("any", wanted.name, wanted.kind)
    readable = [
        found
        for found in await api.parts.observer.find(ref.name, ref.kind)
        if await api.access.may(user, "get", found.kind, found.namespace, found.name)
    ]
    if len(readable) > 1:
        raise ambiguous(ref.name, readable)
    if not readable:
        raise NotFound(
            Code.NOT_FOUND,
            f"there is no {ref.kind} {ref.name} in any namespace that you may read",
            f"Check the name: kubectl get {ref.kind.plural} --all-namespaces",
        )
    return await permitted(api, user, readable[0], right)


async def _patch_in_path(api: TheApi, user: Caller, namespace: InNamespace, name: Named, kind: OfKind) -> ModelRef:
    return await permitted(api, user, make_ref(namespace, name, kind), "patch")


async def _get_in_path(api: TheApi, user: Caller, namespace: InNamespace, name: Named, kind: OfKind) -> ModelRef:
    return await permitted(api, user, make_ref(namespace, name, kind), "get")


def _typed(name: Named, kind: OfKind, namespace: MaybeNamespace = None) -> Name:
    return Name(name, namespace, kind)


async def _patch_by_name(api: TheApi, user: Caller, wanted: Annotated[Name, Depends(_typed)]) -> ModelRef:
    return await resolve(api, user, wanted, "patch")


async def _get_by_name(api: TheApi, user: Caller, wanted: Annotated[Name, Depends(_typed)]) -> ModelRef:
    return await resolve(api, user, wanted, "get")


PatchInPath = Annotated[ModelRef, Depends(_patch_in_path)]
PatchByName = Annotated[ModelRef, Depends(_patch_by_name)]
GetInPath = Annotated[ModelRef, Depends(_get_in_path)]
GetByName = Annotated[ModelRef, Depends(_get_by_name)]
