"""Events as nobody should send them: almost right ones, with one thing or several wrong. Sans I/O.

A request is a list of header pairs and a body, all bytes, so that it can be what no client library would let through.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

STOP = "dev.modelswitch.model.stop-requested.v1"
START = "dev.modelswitch.model.start-requested.v1"
RELOAD = "dev.modelswitch.model.reload-requested.v1"
WRITTEN = "dev.modelswitch.artifact.written.v1"
PING = "dev.knative.sources.ping"
RESOURCE = "dev.knative.apiserver.resource.update"
STRUCTURED = b"application/cloudevents+json"


@dataclass(frozen=True)
class Sent:
    """An event as it goes out."""

    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def __repr__(self) -> str:
        body = repr(self.body) if len(self.body) < 400 else f"{self.body[:200]!r}… of {len(self.body)} bytes"
        return f"{dict(self.headers)} {body}"


any_text = st.text(st.characters(), max_size=30)  # half surrogate pairs and NUL included
long_text = st.sampled_from(["x" * 300, "x" * 5000, "é" * 4096, "9" * 5000, "a/" * 3000, "x" * 100_000])
odd_numbers = st.one_of(st.integers(), st.floats(), st.sampled_from([10**400, -(10**30), 1e308, 2**63, 0, -1, True]))
scalars = st.one_of(any_text, odd_numbers, st.none(), st.booleans(), long_text)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3), max_leaves=8
)
names = st.sampled_from(["scorer", "ranker", "nobody"]) | st.sampled_from(
    ["Scorer", "a/b", "", "x" * 63, "x" * 300, "-a", "a.b", "..", "%00", "scorer\n", "🦊"]
)
namespaces = st.sampled_from(["fuzz", "fuzz", "closed", "absent", "A", "", "x" * 64, "kube-system", "a b"])
plurals = st.sampled_from(["inferenceservices"] * 4 + ["llminferenceservices", "inferencegraphs", "isvc", "pods", ""])
subjects = (
    st.builds(lambda place, sort, name: f"namespaces/{place}/{sort}/{name}", namespaces, plurals, names)
    | st.none()
    | any_text
    | long_text
)
types = st.sampled_from(
    [STOP, START, RELOAD, WRITTEN, PING, RESOURCE] * 3 + ["dev.modelswitch.model.stopped.v1", "com.example.other"]
)
durations = st.sampled_from(["30s", "1m30s", "0s", "2h", "soon", "1e400s", "٣s", 45, 1e400, -1, "1" * 500 + "s"])


@st.composite
def commands(draw: Callable) -> Any:
    fields = {
        "reason": any_text | long_text,
        "actor": any_text,
        "graceful": st.booleans() | values,
        "timeout": durations | values,
        "promote_canary": st.booleans(),
        "restore_autoscaling": st.booleans() | scalars,
    }
    chosen = draw(st.lists(st.sampled_from(sorted(fields)), max_size=3, unique=True))
    data: dict[str, Any] = {name: draw(fields[name]) for name in chosen}
    if draw(st.integers(0, 4)) == 0:
        data[draw(any_text | long_text)] = draw(values)
    return data


uris = st.sampled_from(
    [
        "pvc://models/scorer",
        "pvc://models/../x",
        "s3://b/k",
        "pvc://",
        "ftp://h/a",
        "pvc://" + "a/" * 2000,
        "s3://b/\x00",
    ]
)
digests = st.sampled_from(["sha256:" + "1" * 64, "etag:abc", "sha256:", "x", ""])
artifacts = st.fixed_dictionaries(
    {"uri": uris | any_text, "digest": digests | scalars, "size": st.integers(0, 9) | odd_numbers},
    optional={"namespace": namespaces, "expected_digest": digests, "complete": any_text, "strategy": any_text},
)
records = st.fixed_dictionaries(
    {"eventName": st.just("ObjectCreated:Put") | any_text},
    optional={
        "s3": st.fixed_dictionaries(
            {
                "bucket": st.fixed_dictionaries({"name": any_text}) | values,
                "object": st.fixed_dictionaries(
                    {"key": any_text | long_text}, optional={"eTag": any_text, "size": scalars}
                )
                | values,
            }
        )
    },
)
writings = artifacts | st.fixed_dictionaries({"Records": st.lists(records | values, max_size=3)})


@st.composite
def objects(draw: Callable) -> Any:
    """A pod or a model as a source would send it, with fields of other types."""
    labels = st.fixed_dictionaries(
        {},
        optional={
            "serving.kserve.io/inferenceservice": names | scalars,
            "serving.kserve.io/inferencegraph": names | scalars,
            "app.kubernetes.io/part-of": st.just("llminferenceservice") | scalars,
            "app.kubernetes.io/name": names | scalars,
        },
    )
    versions = st.sampled_from(["7", "0", "²", "9" * 5000, "-1", "abc", ""]) | scalars
    metadata = st.fixed_dictionaries(
        {},
        optional={
            "name": names | scalars,
            "namespace": namespaces,
            "uid": scalars,
            "resourceVersion": versions,
            "labels": labels | values,
        },
    )
    return draw(st.fixed_dictionaries({"metadata": metadata | values}))


@st.composite
def attributes(draw: Callable, type_: str | None = None) -> dict[str, Any]:
    """Mostly right, with up to two changed or left out."""
    named: dict[str, Any] = {
        "specversion": "1.0",
        "id": draw(st.uuids().map(str) | st.sampled_from(["same", "again"])),
        "source": draw(st.sampled_from(["/fuzz", "/fuzz/other"])),
        "type": type_ or draw(types),
        "subject": draw(subjects),
    }
    if named["type"] == RESOURCE:
        kinds = ["Pod", "Pod", "InferenceService", "LLMInferenceService", "Secret", ""]
        named |= {"kind": draw(st.sampled_from(kinds)), "apiversion": "v1"}
        named |= {"name": draw(names), "namespace": draw(namespaces)}
    for name in draw(st.lists(st.sampled_from([*named, "expirytime", "traceparent", "correlationid"]), max_size=2)):
        named[name] = draw(
            st.none() | scalars | st.sampled_from(["0.3", "2026-01-01T00:00:00", "9999-12-31T23:59:59Z"])
        )
    if draw(st.integers(0, 9)) == 0:
        named[draw(st.sampled_from(["data", "extensions", "Big", "a_b", "knativeerrorcode", "knativeerrordest"]))] = (
            draw(scalars)
        )
    return named


@st.composite
def payloads(draw: Callable, type_: str | None) -> Any:
    if type_ in {STOP, START}:
        return draw(commands() | values)
    if type_ == RELOAD:
        return draw(st.fixed_dictionaries({"artifact": artifacts | values}, optional={"settle": durations}) | values)
    if type_ == WRITTEN:
        return draw(writings | values)
    return draw(objects() | values)


def _json(value: Any, *, ascii_only: bool) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


@st.composite
def json_bytes(draw: Callable, value: Any) -> bytes:
    """JSON, or what was meant to be: cut, doubled, in another encoding, too deep, with NaN or NUL."""
    text = _json(value, ascii_only=draw(st.booleans()))
    how = draw(st.integers(0, 24))
    cut = draw(st.integers(0, max(1, len(text))))
    match how:
        case 0:
            return text[:cut]
        case 1:
            return text[:cut] + draw(st.binary(max_size=8)) + text[cut:]
        case 2:
            return text.replace(b"{", b'{"id": "first", "type": 1, "data": 2, ', 1)
        case 3:
            return b"\xef\xbb\xbf" + text
        case 4:
            return text.decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass")
        case 5:
            return text.replace(b":", b": NaN, " + b'"x":', 1)
        case 6:
            depth = draw(st.sampled_from([50, 1000, 100_000]))
            return b'{"data": ' + b"[" * depth + b"]" * depth + b"}"
        case 7:
            return text + b"\x00"
        case 8:
            return text + text
        case _:
            return text


content_types = st.sampled_from(
    [b"application/json"] * 6
    + [b"", b"text/plain", b"application/json; charset=utf-16", b"application/xml", b"APPLICATION/JSON", b"\xff/json"]
    + [b"application/cloudevents-batch+json", b"application/cloudevents+xml", b"multipart/form-data"]
)


@st.composite
def header_values(draw: Callable, value: Any) -> bytes:
    """As the binding asks, or raw: without what would end the header."""
    text = value if isinstance(value, str) else json.dumps(value)
    if draw(st.booleans()):
        return quote(text, safe=" /:.-", errors="replace").encode()
    return text.encode("utf-8", "surrogatepass").replace(b"\r", b"").replace(b"\n", b"").replace(b"\x00", b"")


@st.composite
def binary_events(draw: Callable, type_: str | None = None) -> Sent:
    named = draw(attributes(type_))
    headers = []
    for name, value in named.items():
        if value is not None:
            headers.append((f"ce-{name}".encode(), draw(header_values(value))))
    if content := draw(content_types):
        headers.append((b"content-type", content))
    kind = named["type"] if isinstance(named["type"], str) else None
    body = draw(payloads(kind).flatmap(json_bytes) | st.binary(max_size=40) | st.just(b""))
    return Sent(tuple(headers), body)


@st.composite
def structured_events(draw: Callable, type_: str | None = None) -> Sent:
    named = draw(attributes(type_))
    event = {name: value for name, value in named.items() if value is not None or draw(st.booleans())}
    kind = named["type"] if isinstance(named["type"], str) else None
    if draw(st.integers(0, 9)):
        event["data"] = draw(payloads(kind))
    else:
        event["data_base64"] = draw(values | st.sampled_from(["e30=", "!", "e30", "/w=="]))
    whole: Any = event if draw(st.integers(0, 30)) else draw(values)
    content = draw(st.sampled_from([STRUCTURED] * 8 + [STRUCTURED + b"; charset=latin-1", STRUCTURED.upper()]))
    return Sent(((b"content-type", content),), draw(json_bytes(whole)))


@st.composite
def large_events(draw: Callable, type_: str | None = None) -> Sent:
    size = draw(st.sampled_from([1024 * 1024 - 300, 1024 * 1024, 1024 * 1024 + 1, 3_000_000]))
    event = draw(attributes(type_)) | {"data": {"reason": ""}}
    body = _json(event, ascii_only=True)
    return Sent(((b"content-type", STRUCTURED),), body[:-3] + b"x" * max(0, size - len(body)) + body[-3:])


def events(type_: str | None = None) -> st.SearchStrategy[Sent]:
    """About equally many in each mode; few large ones."""
    some = [binary_events(type_), structured_events(type_)]
    return st.integers(0, 200).flatmap(lambda turn: large_events(type_) if turn == 0 else some[turn % 2])
