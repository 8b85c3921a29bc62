"""The OpenAPI document as a page's content: every operation with its fields, an example and a curl line."""

import json
import shlex
from dataclasses import dataclass
from typing import Any

_SERVER = "http://127.0.0.1:8080"
_SAMPLES = {"namespace": "ml", "name": "iris"}


@dataclass(frozen=True)
class Field:
    name: str
    place: str
    type: str
    required: bool
    description: str


@dataclass(frozen=True)
class Operation:
    """One method of one path. `answers` are (status, description)."""

    method: str
    path: str
    summary: str
    description: str
    fields: tuple[Field, ...]
    curl: str
    answers: tuple[tuple[str, str], ...]


def operations(specification: dict[str, Any]) -> dict[str, list[Operation]]:
    """By tag, in the order of the document."""
    groups: dict[str, list[Operation]] = {}
    for path, methods in specification["paths"].items():
        for method, described in methods.items():
            tag = (described.get("tags") or ["other"])[0]
            groups.setdefault(tag, []).append(_operation(method.upper(), path, described))
    return groups


def _operation(method: str, path: str, described: dict[str, Any]) -> Operation:
    body = described.get("requestBody", {}).get("content", {}).get("application/json", {})
    parameters = tuple(_parameter(one) for one in described.get("parameters", []))
    properties = body.get("schema", {}).get("properties", {})
    fields = tuple(_property(name, schema) for name, schema in properties.items())
    answers = sorted((status, answer.get("description", "")) for status, answer in described["responses"].items())
    return Operation(
        method=method,
        path=path,
        summary=described.get("summary", ""),
        description=described.get("description", ""),
        fields=parameters + fields,
        curl=_curl(method, path, body.get("examples", {})),
        answers=tuple(answers),
    )


def _parameter(described: dict[str, Any]) -> Field:
    schema = described.get("schema", {})
    return Field(
        name=described["name"],
        place=described["in"],
        type=_type(schema),
        required=bool(described.get("required")),
        description=described.get("description") or schema.get("description", ""),
    )


def _property(name: str, schema: dict[str, Any]) -> Field:
    return Field(name, "body", _type(schema), required=False, description=schema.get("description", ""))


def _type(schema: dict[str, Any]) -> str:
    """Short: null is left out, because every optional field may be null."""
    options = [option for option in schema.get("anyOf", []) if option.get("type") != "null"]
    if options:
        return " or ".join(dict.fromkeys(_type(option) for option in options))
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    default = f" = {json.dumps(schema['default'])}" if schema.get("default") is not None else ""
    return f"{schema.get('type', 'any')}{default}"


def _curl(method: str, path: str, examples: dict[str, Any]) -> str:
    words = ["curl"]
    if path.endswith("/events"):
        words.append("-N")
    if method != "GET":
        words += ["-X", method]
    for name, value in _SAMPLES.items():
        path = path.replace(f"{{{name}}}", value)
    words.append(_SERVER + path)
    for example in list(examples.values())[:1]:
        words += ["-d", json.dumps(example["value"])]
    return shlex.join(words)
