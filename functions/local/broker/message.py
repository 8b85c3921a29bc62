"""CloudEvents as the broker carries them: attributes as text, data as bytes, nothing understood that need not be.

Lenient where Knative's brokers are: versions 0.3 and 1.0 pass and are not upgraded, data of any content type passes
unread, and header values pass as they are: percent-escapes are neither read nor made. What is no CloudEvent is
Malformed. Rules: CloudEvents 1.0, HTTP protocol binding and JSON format.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from events.header_values import as_text

VERSIONS = ("1.0", "0.3")
REQUIRED = ("specversion", "id", "source", "type")
STRUCTURED = "application/cloudevents+json"
_NAME = re.compile(r"[a-z0-9]+")


class Malformed(ValueError):
    """Not a CloudEvent; the message says what is wrong with it."""


@dataclass(frozen=True)
class Event:
    """`attributes`: all but datacontenttype, which is `content_type`; `data` exactly as it came."""

    attributes: Mapping[str, str]
    content_type: str | None = None
    data: bytes = field(default=b"", repr=False)

    def extended(self, **extensions: str) -> "Event":
        return Event({**self.attributes, **extensions}, self.content_type, self.data)


def parse(headers: Mapping[str, str], body: bytes) -> Event:
    """The event in a request or a reply. `headers` have lower-case names. Raises Malformed."""
    media = headers.get("content-type", "").split(";")[0].strip().lower()
    if media.startswith("application/cloudevents-batch"):
        raise Malformed("a batch of events; send one event per request")
    event = _structured(body) if media == STRUCTURED else _binary(headers, body)
    _check(event.attributes)
    return event


def is_event(headers: Mapping[str, str]) -> bool:
    """Whether the sender meant to send an event, well-formed or not."""
    return "ce-specversion" in headers or headers.get("content-type", "").lower().startswith("application/cloudevents")


def binary_headers(event: Event) -> dict[str, str]:
    """The headers of binary mode; the body is `event.data`. Written as UTF-8, as Go writes them."""
    headers = {f"ce-{name}": value for name, value in event.attributes.items()}
    if event.content_type is not None:
        headers["content-type"] = event.content_type
    return headers


def _binary(headers: Mapping[str, str], body: bytes) -> Event:
    attributes = {name[3:]: as_text(value) for name, value in headers.items() if name.startswith("ce-")}
    if not attributes:
        raise Malformed(f"neither ce- headers nor content type {STRUCTURED}")
    return Event(attributes, headers.get("content-type"), body)


def _structured(body: bytes) -> Event:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"content type {STRUCTURED} with a body that is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise Malformed("JSON that is not one object")
    known = {
        name: content.pop(name, None) for name in ("data", "data_base64", "datacontenttype", "datacontentencoding")
    }
    attributes = {name: _text(name, value) for name, value in content.items() if value is not None}
    content_type = known["datacontenttype"] or "application/json"
    if not isinstance(content_type, str):
        raise Malformed("datacontenttype that is no string")
    return Event(attributes, content_type, _data(known, content_type))


def _data(known: Mapping[str, Any], content_type: str) -> bytes:
    encoded = known["data_base64"] if known["data_base64"] is not None else None
    if known["datacontentencoding"] == "base64":
        encoded = known["data"]
    if encoded is not None:
        try:
            return base64.b64decode(encoded, validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise Malformed("data in base64 that can't be decoded") from error
    data = known["data"]
    if data is None:
        return b""
    as_json = content_type.split(";", maxsplit=1)[0].strip().lower().endswith(("/json", "+json"))
    return data.encode() if isinstance(data, str) and not as_json else json.dumps(data, separators=(",", ":")).encode()


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int)):
        return str(value)
    raise Malformed(f"attribute {name} that is neither text, number nor boolean")


def _check(attributes: Mapping[str, str]) -> None:
    if missing := [name for name in REQUIRED if not attributes.get(name)]:
        raise Malformed(f"no {', '.join(missing)}")
    if attributes["specversion"] not in VERSIONS:
        raise Malformed(f"specversion {attributes['specversion'][:20]!r}; 1.0 and 0.3 are taken")
    for name, value in attributes.items():
        if not _NAME.fullmatch(name):
            raise Malformed(f"an attribute named {name[:80]!r}; names are lower-case letters and digits")
        if any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 or 0xD800 <= ord(char) < 0xE000 for char in value):
            raise Malformed(f"attribute {name} with characters that no attribute may have")
    if re.search(r"\s", attributes["source"]):
        raise Malformed("a source with white space; it is a URI reference")
    _check_time(attributes.get("time"))


def _check_time(text: str | None) -> None:
    if text is None:
        return
    try:
        aware = datetime.fromisoformat(unquote(text)).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        raise Malformed(f"time {text[:40]!r}; it is RFC 3339 with a zone, like 2026-01-31T12:00:00Z")
