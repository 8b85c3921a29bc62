"""Handle dev.knative.apiserver.resource.*: a pod or a KServe resource may have changed, so it is observed."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from events.model import Kind, ModelRef
from events.notifications import ResourceNotification, read_notification
from functions.adapters.kserve.resources import as_number, owner_of
from functions.composition import Parts
from functions.handler import handle
from functions.lifecycle.effects import Handled


async def _work(parts: Parts, request: Request, body: bytes) -> Handled:
    notification = read_notification(request.headers, body)
    if not isinstance(notification, ResourceNotification):
        return Handled.IGNORED
    version = as_number(notification.resource_version)
    if notification.kind == "Pod":
        ref = owner_of(notification.labels, notification.namespace)
        if ref is None:
            return Handled.IGNORED
        await parts.reconciler.notification(ref, pods_version=version)
    elif notification.kind in list(Kind):
        ref = ModelRef(namespace=notification.namespace, name=notification.name, kind=Kind(notification.kind))
        await parts.reconciler.notification(ref, object_version=version)
    else:
        return Handled.IGNORED
    return Handled.LOOKED


@functions_framework.aio.http
async def pod_status(request: Request) -> Response:
    return await handle("pod_status", request, _work)
