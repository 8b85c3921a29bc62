"""A pod or a KServe resource may have changed: look. dev.knative.apiserver.resource.*"""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from events.hints import ResourceHint, read_hint
from events.model import Kind, ModelRef
from functions.adapters.kserve.resources import as_number, owner_of
from functions.composition import Parts
from functions.handler import handle


async def _work(parts: Parts, request: Request, body: bytes) -> str:
    hint = read_hint(request.headers, body)
    if not isinstance(hint, ResourceHint):
        return "ignored"
    version = as_number(hint.resource_version)
    if hint.kind == "Pod":
        ref = owner_of(hint.labels, hint.namespace)
        if ref is None:
            return "ignored"
        await parts.reconciler.notification(ref, pods_version=version)
    elif hint.kind in list(Kind):
        ref = ModelRef(namespace=hint.namespace, name=hint.name, kind=Kind(hint.kind))
        await parts.reconciler.notification(ref, object_version=version)
    else:
        return "ignored"
    return "looked"


@functions_framework.aio.http
async def pod_status(request: Request) -> Response:
    return await handle("pod_status", request, _work)
