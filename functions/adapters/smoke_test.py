"""The smoke test: a small request that a team keeps with its model, and how what comes back is judged.

It stands in the model's annotation `modelswitch.dev/smoke-test`, as JSON, or in the ConfigMap
`modelswitch-smoke-test-NAME`, which the annotation then names by the word `configmap`. `modelswitch verify --predict`
takes a ConfigMap without annotation too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from events.errors import ModelswitchError
from functions.adapters import shape
from functions.adapters.answers import Reply, shown
from functions.adapters.bounded_json import parse_json
from functions.adapters.segments import leads_elsewhere
from functions.lifecycle.prediction import Outcome, Prediction

PREFIX = "modelswitch-smoke-test-"
IN_CONFIG_MAP = "configmap"
# No dots as a step and no escapes: through the API server's proxy they could lead away from the pod.
_PATH = re.compile(r"(/[A-Za-z0-9_~:@!$&'()*+,;=-][A-Za-z0-9._~:@!$&'()*+,;=-]*)+")
_LONGEST_PATH = 1024
_KEYS = frozenset({"payload", "path", "expect"})


class Unusable(ModelswitchError):
    """The smoke test is defined but invalid."""


@dataclass(frozen=True)
class SmokeTest:
    """`path` None: the protocol's own. `expect` None: any JSON will do."""

    payload: Any
    path: str | None = None
    expect: Any = None


def read(config_map: Mapping[str, Any]) -> SmokeTest:
    """Of a ConfigMap, whose values are text. Raises Unusable."""
    data = config_map.get("data")
    if not isinstance(data, dict) or "payload" not in data:
        raise Unusable("it has no key `payload`")
    return SmokeTest(_json(data, "payload"), _path(data), _json(data, "expect") if "expect" in data else None)


def parse(annotation: str) -> SmokeTest:
    """Of the annotation's JSON. Raises Unusable."""
    try:
        document = parse_json(annotation)
    except ValueError as error:
        said = f'it is neither `{IN_CONFIG_MAP}` nor JSON such as {{"payload": …}} ({shown(str(error))})'
        raise Unusable(said) from error
    if not isinstance(document, dict) or "payload" not in document:
        raise Unusable('it is not a JSON object with a key "payload"')
    if strange := sorted(document.keys() - _KEYS):
        raise Unusable(f"it has {shown(', '.join(strange))}, expected of {', '.join(sorted(_KEYS))} only")
    return SmokeTest(document["payload"], _path(document), document.get("expect"))


def _path(data: Mapping[str, Any]) -> str | None:
    path = data.get("path")
    if path is None:
        return None
    if (
        not isinstance(path, str)
        or len(path) > _LONGEST_PATH
        or not _PATH.fullmatch(path.strip())
        or leads_elsewhere(path)
    ):
        raise Unusable(
            f"`path` is {shown(repr(path))}, expected one of the model's server, such as /v1/models/NAME:predict"
        )
    return path.strip()


def _json(data: Mapping[str, Any], key: str) -> Any:
    try:
        return parse_json(data[key])
    except ValueError as error:
        raise Unusable(f"`{key}` is not JSON ({shown(str(error))})") from error


def judge(found: SmokeTest, reply: Reply, pod: str, path: str) -> Prediction:
    """Pure. 200 with the shape is good; nothing else."""
    if reply.status != HTTPStatus.OK:
        return Prediction(Outcome.BAD, reply.said, pod, path, _next(reply.status))
    if reply.odd:
        return Prediction(
            Outcome.BAD, reply.said, pod, path, "Check the `path` of its smoke test and the predictor's log."
        )
    try:
        document = parse_json(reply.body)
    except ValueError:
        said = "200, but the answer is not JSON"
        return Prediction(Outcome.BAD, said, pod, path, "Check the `path` of its smoke test.")
    difference = shape.differs(found.expect, document)
    if difference:
        said = f"200, but {shown(difference, 300)}"
        return Prediction(
            Outcome.BAD, said, pod, path, "Check which artifact it has loaded, and its smoke test's `expect`."
        )
    return Prediction(Outcome.GOOD, f"200 {shown(shape.describe(document))}", pod, path)


def _next(status: int) -> str:
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
        return "Its server answers at another path or has another name for the model: set `path` in its smoke test."
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return "Its server wants credentials: name a Secret that has them (annotation modelswitch.dev/credentials)."
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return "Its server rejects the payload: correct it in its smoke test, or fix the model."
    return "Read the predictor's log; the model is loaded and can't predict."
