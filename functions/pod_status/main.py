"""A pod or a KServe resource may have changed: look. dev.knative.apiserver.resource.*"""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from events.hints import ResourceHint, read_hint
from events.model import Kind, ModelRef
from functions.adapters.kserve.resources import as_number, owner_of
from functions.composition import Parts
from functions.handler import handle
from functions.lifecycle.step import take_hint


async def _work(parts: Parts, request: Request, body: bytes) -> str:
    hint = read_hint(request.headers, body)
    if not isinstance(hint, ResourceHint):
        return "ignored"
    version = as_number(hint.resource_version)
    if hint.kind == "Pod":
        ref = owner_of(hint.labels, hint.namespace)
        step = take_hint(ref, parts.limits, pods_version=version) if ref else None
    elif hint.kind in list(Kind):
        ref = ModelRef(namespace=hint.namespace, name=hint.name, kind=Kind(hint.kind))
        step = take_hint(ref, parts.limits, object_version=version)
    else:
        step = None
    if step is None:
        return "ignored"
    await parts.interpreter.run(step)
    return "looked"


@functions_framework.aio.http
async def pod_status(request: Request) -> Response:
    return await handle("pod_status", request, _work)
