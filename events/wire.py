"""CloudEvents over HTTP, binary and structured mode: bytes in, a checked CloudEvent out, and back.

The cloudevents library reads leniently (broken JSON in binary mode stays bytes, types of attributes are not looked at),
so everything that it would let through is refused here, before the library sees it.
Rules: CloudEvents 1.0 HTTP protocol binding and JSON format.
"""

import base64
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from cloudevents.conversion import to_binary as library_to_binary
from cloudevents.conversion import to_structured as library_to_structured
from cloudevents.exceptions import GenericException
from cloudevents.http import CloudEvent, from_http

from events.errors import Malformed, shown
from events.header_values import attribute_in
from events.senders import printable

MAX_BODY_BYTES = 1024 * 1024
MAX_ATTRIBUTE_CHARACTERS = 4096
SPEC_VERSION = "1.0"
REQUIRED = ("specversion", "id", "source", "type")
# `data` is reserved by CloudEvents, `extensions` by the library.
_RESERVED = ("data", "extensions")
_ATTRIBUTE_NAME = re.compile(r"[a-z0-9]+")
_HEADER_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
_EXAMPLE = "docs/events.md has a curl example for every event."


def open_event(headers: Mapping[str, str], body: bytes) -> CloudEvent:
    """Return the CloudEvent in an HTTP request. `data` is parsed JSON, None where there is none, bytes where it is not JSON.

    Malformed: too big, a batch, no CloudEvent, a wrong specversion, an attribute missing or unusable, broken JSON.
    """
    if len(body) > MAX_BODY_BYTES:
        raise Malformed(
            f"a body of {len(body)} bytes", f"at most {MAX_BODY_BYTES}", "Send the object's name, not the object."
        )
    lowered = {name.lower(): value for name, value in headers.items()}
    content_type = lowered.get("content-type", "").split(";")[0].strip().lower()
    if content_type.startswith("application/cloudevents-batch"):
        raise Malformed("a batch of events", "one event per request", "Send each event by itself.")
    if content_type.startswith("application/cloudevents"):
        return _structured(content_type, body)
    return _binary(lowered, content_type, body)


def salvage(headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    """Return the attributes of a request that `open_event` refuses, as far as they are text; {} if there are none.

    Of each as much as an attribute may have, and only what can be printed.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    found: Mapping[str, object] = {
        name[3:]: attribute_in(name[3:], value) for name, value in lowered.items() if name.startswith("ce-")
    }
    if lowered.get("content-type", "").lower().startswith("application/cloudevents"):
        with suppress(Malformed):
            event = parse_json(body)
            found = event if isinstance(event, dict) else found
    texts = {
        name: printable(value[:MAX_ATTRIBUTE_CHARACTERS]) for name, value in found.items() if isinstance(value, str)
    }
    return {name: text for name, text in texts.items() if text and _ATTRIBUTE_NAME.fullmatch(name)}


def to_binary(event: CloudEvent) -> tuple[dict[str, str], bytes]:
    """Headers and body in binary mode; attribute values percent-encoded as the HTTP binding asks."""
    headers, body = library_to_binary(event)
    return {
        name: quote(str(value), safe=_HEADER_SAFE + " ") if name.startswith("ce-") else str(value)
        for name, value in headers.items()
    }, body


def to_structured(event: CloudEvent) -> tuple[dict[str, str], bytes]:
    """Headers and body in structured mode (application/cloudevents+json)."""
    headers, body = library_to_structured(event)
    return dict(headers), body


def _structured(content_type: str, body: bytes) -> CloudEvent:
    if content_type != "application/cloudevents+json":
        raise Malformed(
            f"content type {shown(content_type)}", "application/cloudevents+json", "Send the event as JSON."
        )
    if not body:
        raise Malformed("no body", "a CloudEvent as JSON", _EXAMPLE)
    event = parse_json(body)
    if not isinstance(event, dict):
        raise Malformed(f"JSON that is {_json_type(event)}", "one CloudEvent as a JSON object", _EXAMPLE)
    if "data" in event and "data_base64" in event:
        raise Malformed("both data and data_base64", "one of them", "Leave one out.")
    attributes = {name: value for name, value in event.items() if name not in {"data", "data_base64"}}
    _check_attributes(attributes)
    if "data_base64" in event:
        _check_base64(event["data_base64"])
    return _by_library({"content-type": content_type}, body)


def _binary(headers: Mapping[str, str], content_type: str, body: bytes) -> CloudEvent:
    attributes = {name[3:]: attribute_in(name[3:], value) for name, value in headers.items() if name.startswith("ce-")}
    if not attributes:
        raise Malformed(
            "a request without ce- headers and without content type application/cloudevents+json",
            "a CloudEvent in binary or structured mode",
            _EXAMPLE,
        )
    _check_attributes(attributes)
    if body and _is_json(content_type):
        parse_json(body)
    wire = {f"ce-{name}": value for name, value in attributes.items()}
    if content_type:
        wire["content-type"] = content_type
    return _by_library(wire, body)


def _is_json(content_type: str) -> bool:
    """No content type at all means JSON too (CloudEvents 1.0, datacontenttype)."""
    return not content_type or content_type.endswith(("/json", "+json"))


def _by_library(headers: Mapping[str, str], body: bytes) -> CloudEvent:
    declared = headers.get("content-type", "")
    as_json = _is_json(declared)
    try:
        event = from_http(headers, body, data_unmarshaller=_strict_data if as_json else bytes)
    except (GenericException, ValueError, TypeError) as error:
        raise Malformed(f"an event that can't be read ({error})", "a CloudEvent 1.0", _EXAMPLE) from error
    if event.data in ("", b""):
        event.data = None
    return event


def _check_base64(text: object) -> None:
    """Python's decoder skips what is not base64, unless it is told not to."""
    try:
        base64.b64decode(text if isinstance(text, str) else "!", validate=True)
    except ValueError as error:
        raise Malformed("data_base64 that is no base64", "a string in base64", "Use `data` for JSON.") from error


def _strict_data(content: str | bytes) -> Any:
    return parse_json(content.encode() if isinstance(content, str) else content) if content else None


def parse_json(body: bytes) -> Any:
    """JSON as RFC 8259 has it. Python's reader also takes NaN and fails on deep nesting and huge numbers: Malformed."""
    try:
        return json.loads(body, parse_constant=_no_constant)
    except RecursionError:
        raise Malformed("JSON nested too deep", "plain, shallow JSON", _EXAMPLE) from None
    except ValueError as error:
        raise Malformed(f"broken JSON ({error})", "JSON in UTF-8", _EXAMPLE) from error


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def _check_attributes(attributes: Mapping[str, object]) -> None:
    missing = [name for name in REQUIRED if attributes.get(name) in (None, "")]
    if missing:
        raise Malformed(
            f"no {', '.join(missing)}", f"the attributes {', '.join(REQUIRED)}", f"Add what is missing; {_EXAMPLE}"
        )
    for name, value in attributes.items():
        _check_attribute(name, value)
    if attributes["specversion"] != SPEC_VERSION:
        raise Malformed(f"specversion {shown(attributes['specversion'])}", SPEC_VERSION, "Send CloudEvents 1.0.")
    if re.search(r"\s", str(attributes["source"])):
        raise Malformed(
            f"source {shown(attributes['source'])}", "a URI reference, without spaces", "Choose another source."
        )


def _check_attribute(name: str, value: object) -> None:
    if not _ATTRIBUTE_NAME.fullmatch(name) or name in _RESERVED:
        raise Malformed(
            f"an attribute named {shown(name)}",
            f"lower case letters and digits, and not {' or '.join(_RESERVED)}",
            "Rename the attribute.",
        )
    textual = isinstance(value, str)
    if not textual and (name in REQUIRED or not isinstance(value, (bool, int, type(None)))):
        raise Malformed(f"attribute {name} is {_json_type(value)}", "a string", "Quote the value.")
    text = str(value)
    if len(text) > MAX_ATTRIBUTE_CHARACTERS:
        raise Malformed(
            f"attribute {name} of {len(text)} characters", f"at most {MAX_ATTRIBUTE_CHARACTERS}", "Shorten it."
        )
    if not _is_plain(text):
        raise Malformed(
            f"attribute {name} with control characters or half a surrogate pair", "printable text", "Remove them."
        )


def _is_plain(text: str) -> bool:
    """CloudEvents 1.0 type system: no control characters, surrogates only in pairs."""
    return not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 or 0xD800 <= ord(char) < 0xE000 for char in text)


def _json_type(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
