"""Bodies in protobuf: kubectl (since 1.32) sends `create` of built-in kinds so, and no server can tell it to send JSON.

Known are the fields that `kubectl create`, `expose`, `delete` and `auth can-i` set. One that is not known is refused, never
left out in silence. Field numbers are those of the API's published schema (generated.proto); answers are JSON, which
kubectl accepts.
"""

import base64
from collections.abc import Iterator
from typing import Any

from functions.local.kubernetes.errors import ApiError
from functions.local.kubernetes.store import Obj

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_VARINT, _BYTES = 0, 2
_MESSAGES = {
    "Unknown": "1 typeMeta TypeMeta, 2 raw bytes, 3 contentEncoding str, 4 contentType str",
    "TypeMeta": "1 apiVersion str, 2 kind str",
    "ObjectMeta": "1 name str, 2 generateName str, 3 namespace str, 4 selfLink str, 5 uid str, 6 resourceVersion str, "
    "7 generation int0, 8 creationTimestamp Empty, 11 labels {str}, 12 annotations {str}, "
    "13 ownerReferences [OwnerReference], 14 finalizers [str]",
    "OwnerReference": "1 kind str, 3 name str, 4 uid str, 5 apiVersion str, 6 controller bool, 7 blockOwnerDeletion bool",
    "Empty": "",
    "Namespace": "1 metadata ObjectMeta, 2 spec Empty, 3 status Empty",
    "ConfigMap": "1 metadata ObjectMeta, 2 data {str}, 3 binaryData {base64}, 4 immutable bool",
    "Secret": "1 metadata ObjectMeta, 2 data {base64}, 3 type str, 4 stringData {str}, 5 immutable bool",
    "Reference": "1 name str",
    "ServiceAccount": "1 metadata ObjectMeta, 3 imagePullSecrets [Reference], 4 automountServiceAccountToken bool",
    "Service": "1 metadata ObjectMeta, 2 spec ServiceSpec, 3 status ServiceStatus",
    "ServiceStatus": "1 loadBalancer Empty",
    "ServiceSpec": "1 ports [ServicePort], 2 selector {str}, 3 clusterIP str, 4 type str, 5 externalIPs [str], "
    "7 sessionAffinity str, 8 loadBalancerIP str, 10 externalName str, 11 externalTrafficPolicy str, "
    "12 healthCheckNodePort int0, 13 publishNotReadyAddresses bool0, 18 clusterIPs [str]",
    "ServicePort": "1 name str, 2 protocol str, 3 port int, 4 targetPort IntOrString, 5 nodePort int0, 6 appProtocol str",
    "IntOrString": "1 type int, 2 intVal int, 3 strVal str",
    "Deployment": "1 metadata ObjectMeta, 2 spec DeploymentSpec, 3 status Empty",
    "DeploymentSpec": "1 replicas int, 2 selector LabelSelector, 3 template PodTemplateSpec, 4 strategy Strategy, "
    "5 minReadySeconds int0, 6 revisionHistoryLimit int, 7 paused bool0, 9 progressDeadlineSeconds int",
    "Strategy": "1 type str, 2 rollingUpdate RollingUpdate",
    "RollingUpdate": "1 maxUnavailable IntOrString, 2 maxSurge IntOrString",
    "LabelSelector": "1 matchLabels {str}, 2 matchExpressions [Requirement]",
    "Requirement": "1 key str, 2 operator str, 3 values [str]",
    "PodTemplateSpec": "1 metadata ObjectMeta, 2 spec PodSpec",
    "PodSpec": "2 containers [Container], 3 restartPolicy str, 4 terminationGracePeriodSeconds int, 6 dnsPolicy str, "
    "7 nodeSelector {str}, 8 serviceAccountName str, 9 serviceAccount str, 10 nodeName str, 11 hostNetwork bool0, 12 hostPID bool0, "
    "13 hostIPC bool0, 15 imagePullSecrets [Reference], 16 hostname str, 17 subdomain str, 19 schedulerName str, "
    "20 initContainers [Container], 24 priorityClassName str",
    "Container": "1 name str, 2 image str, 3 command [str], 4 args [str], 5 workingDir str, 6 ports [ContainerPort], "
    "7 env [EnvVar], 8 resources Amounts, 13 terminationMessagePath str, 14 imagePullPolicy str, 16 stdin bool0, 17 stdinOnce bool0, "
    "18 tty bool0, 20 terminationMessagePolicy str",
    "ContainerPort": "1 name str, 2 hostPort int0, 3 containerPort int, 4 protocol str, 5 hostIP str",
    "EnvVar": "1 name str, 2 value str",
    "Amounts": "1 limits {Quantity}, 2 requests {Quantity}",
    "Quantity": "1 string str",
    "ResourceQuota": "1 metadata ObjectMeta, 2 spec ResourceQuotaSpec, 3 status Empty",
    "ResourceQuotaSpec": "1 hard {Quantity}, 2 scopes [str]",
    "Ingress": "1 metadata ObjectMeta, 2 spec IngressSpec, 3 status IngressStatus",
    "IngressStatus": "1 loadBalancer Empty",
    "IngressSpec": "1 defaultBackend Backend, 2 tls [IngressTLS], 3 rules [IngressRule], 4 ingressClassName str",
    "IngressTLS": "1 hosts [str], 2 secretName str",
    "IngressRule": "1 host str, 2 - IngressRuleValue",
    "IngressRuleValue": "1 http HTTPRule",
    "HTTPRule": "1 paths [HTTPPath]",
    "HTTPPath": "1 path str, 2 backend Backend, 3 pathType str",
    "Backend": "4 service BackendService",
    "BackendService": "1 name str, 2 port BackendPort",
    "BackendPort": "1 name str, 2 number int",
    "DeleteOptions": "1 gracePeriodSeconds int, 2 preconditions Preconditions, 3 orphanDependents bool, "
    "4 propagationPolicy str, 5 dryRun [str]",
    "Preconditions": "1 uid str, 2 resourceVersion str",
    "SelfSubjectAccessReview": "1 metadata ObjectMeta, 2 spec ReviewSpec, 3 status ReviewStatus",
    "ReviewSpec": "1 resourceAttributes ResourceAttributes, 2 nonResourceAttributes NonResourceAttributes",
    "ReviewStatus": "1 allowed bool, 2 reason str, 3 evaluationError str, 4 denied bool",
    "ResourceAttributes": "1 namespace str, 2 verb str, 3 group str, 4 version str, 5 resource str, 6 subresource str, "
    "7 name str",
    "NonResourceAttributes": "1 path str, 2 verb str",
}
"""Type → `number name type, …`; [type] is a list, {type} a map of strings to it, `-` stands among the fields of its parent.

int0 and bool0 are always sent: 0 and false say nothing there.
"""


class Unreadable(Exception):
    """The body can't be read; the message says what was met."""


def read(body: bytes) -> Obj:
    """The object in its JSON form. Raises 415 for what is not known, and for what is no protobuf of Kubernetes."""
    try:
        return _object(body)
    except (Unreadable, UnicodeDecodeError) as error:
        hint = "send JSON or YAML; with kubectl use `kubectl apply -f`, or `kubectl create -f`"
        raise ApiError(415, "UnsupportedMediaType", f"cannot read {MEDIA_TYPE}: {error}; {hint}", {}) from error


def _object(body: bytes) -> Obj:
    if not body.startswith(_MAGIC):
        raise Unreadable("it does not begin with k8s and a zero byte")
    envelope = _message("Unknown", body[len(_MAGIC) :])
    meta = envelope.get("typeMeta") or {}
    kind = meta.get("kind", "")
    if kind not in _MESSAGES:
        raise Unreadable(f"the kind {kind!r} is not known in it")
    return {**meta, **_message(kind, envelope.get("raw", b""))}


def _message(name: str, data: bytes) -> Obj:
    split = [entry.split(" ") for entry in _MESSAGES[name].split(", ") if entry]
    fields = {int(place): (field, kind) for place, field, kind in split}
    found: Obj = {}
    for number, value in _wire(data):
        if number not in fields:
            raise Unreadable(f"field {number} of {name} is not known in it")
        field, kind = fields[number]
        if kind.startswith("["):
            found.setdefault(field, []).append(_value(kind[1:-1], value))
        elif kind.startswith("{"):
            key, entry_value = _entry(kind[1:-1], value)
            found.setdefault(field, {})[key] = entry_value
        elif field == "-":
            found |= _message(kind, value)
        elif (one := _value(kind.removesuffix("0"), value)) not in (None, "", b"") and (one or not kind.endswith("0")):
            found[field] = one
    return found


def _entry(kind: str, data: bytes) -> tuple[str, Any]:
    """Of a map: a message of a key and a value."""
    parts = dict(_wire(data))
    return parts.get(1, b"").decode(), _value(kind, parts.get(2, b""))


def _value(kind: str, value: Any) -> Any:
    if isinstance(value, bytes) is (kind in {"int", "bool"}):
        raise Unreadable(f"{value!r:.40} is no {kind}")
    match kind:
        case "int":
            return value - (1 << 64) if value >= 1 << 63 else value
        case "bool":
            return bool(value)
        case "str":
            return value.decode()
        case "bytes":
            return value
        case "base64":
            return base64.b64encode(value).decode()
        case "Quantity":
            return _message(kind, value).get("string", "0")
        case "IntOrString":
            parts = _message(kind, value)
            return parts.get("strVal", "") if parts.get("type") else parts.get("intVal", 0)
        case "Empty":
            return None
        case _:
            return _message(kind, value)


def _wire(data: bytes) -> Iterator[tuple[int, Any]]:
    """(number, value): a whole number, or the bytes of a string, a message or a map's entry."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            value, place = _varint(data, place)
            yield number, value
        elif wire_type == _BYTES:
            length, place = _varint(data, place)
            if place + length > len(data):
                raise Unreadable("it ends in the middle of a field")
            yield number, data[place : place + length]
            place += length
        else:
            raise Unreadable(f"the wire type {wire_type} is not known in it")


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if place >= len(data) or shift > 63:
            raise Unreadable("it ends in the middle of a number")
        value |= (data[place] & 0x7F) << shift
        shift += 7
        place += 1
        if not data[place - 1] & 0x80:
            return value & ((1 << 64) - 1), place
