"""What model servers should not answer, and what teams should not write into a smoke test: almost right, with something
wrong.
"""

import gzip
import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from fuzz.strategies import any_text, long_text, scalars, values

DEEP = [b"[" * 100_000, b'{"ready":' * 100_000, b"[" * 150 + b"1" + b"]" * 150, b'{"a":' * 150 + b"1" + b"}" * 150]
NUMBERS = [b"9" * 100_000, b'{"ready":' + b"9" * 5000 + b"}", b"[1e999,-1e999,NaN,Infinity]", b"-"]
KEYS = [
    "ready",
    "model_version_status",
    "data",
    "models",
    "error",
    "name",
    "state",
    "predictions",
    "kind",
    "apiVersion",
]
WORDS = [
    "AVAILABLE",
    "true",
    "True",
    "m",
    "Model m does not exist.",
    "Status",
    "v1",
    "not found",
    "\ud800",
    "\x1b[2J",
    "\u202e",
]
GAUGES = [
    "vllm:num_requests_running",
    "tgi_queue_size",
    "ovms_current_requests",
    "queue_average_concurrent_requests",
    "up",
]
STATUSES = [200] * 6 + [404] * 3 + [400, 503, 500, 204, 301, 302, 307, 401, 418, 599]

one_of_them = st.sampled_from(WORDS) | scalars | values
documents = st.recursive(
    one_of_them,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | any_text, inner, max_size=4),
    max_leaves=6,
)

answers = st.dictionaries(st.sampled_from(KEYS[:5]), documents, min_size=1, max_size=2)


@st.composite
def metrics(draw: Callable) -> bytes:
    """Lines that look like Prometheus' text, or once did."""
    numbers = st.sampled_from(["1", "-1", "1e308", "NaN", "+Inf", "x", "9" * 5000, "", "1 2 3", "0x1", "٣", "1_0"])
    labels = st.sampled_from(["", '{a="b"}', '{a="\\', '{a="' + "x" * 5000 + '"}', "{{{", "{}", '{a="b",a="c"}', "{=}"])
    line = st.builds(lambda name, label, number: f"{name}{label} {number}", st.sampled_from(GAUGES), labels, numbers)
    lines = draw(st.lists(line | any_text, max_size=8)) * draw(st.sampled_from([1, 1, 1, 500]))
    return "\n".join([*lines, ""]).encode(errors="replace")


@st.composite
def bodies(draw: Callable) -> bytes:
    whole = draw(
        st.sampled_from(DEEP + NUMBERS)
        | answers.map(_dumped)
        | answers.map(_dumped)
        | documents.map(_dumped)
        | metrics()
        | st.binary(max_size=60)
        | long_text.map(lambda text: text.encode())
    )
    match draw(st.sampled_from(["as it is"] * 5 + ["cut", "doubled", "not UTF-8"])):
        case "cut":
            return whole[: draw(st.integers(0, min(len(whole), 100)))]
        case "doubled":
            return whole + whole
        case "not UTF-8":
            return whole[:20] + b"\xff\xfe\xed\xa0\x80" + whole[20:]
    return whole


@st.composite
def raw_answers(draw: Callable) -> bytes:
    """All that comes back on the connection."""
    body, status = draw(bodies()), draw(st.sampled_from(STATUSES))
    lines = [
        draw(
            st.sampled_from(
                [f"HTTP/1.1 {status} X"] * 8 + ["HTTP/9.9 200 X", "HTTP/1.1 abc", "SSH-2.0", "", f"HTTP/1.0 {status}"]
            )
        )
    ]
    length = draw(st.sampled_from([str(len(body))] * 6 + ["-1", "0", str(len(body) + 1), "x", "9" * 400]))
    lines += [f"Content-Length: {length}"] if draw(st.booleans()) else ["Transfer-Encoding: chunked"]
    coding = draw(st.sampled_from([None] * 6 + ["gzip", "deflate", "br", "identity", "x" * 9000, "gzip, gzip"]))
    lines += [f"Content-Encoding: {coding}"] if coding else []
    lines += draw(
        st.sampled_from(
            [[]] * 4 + [["Location: http://169.254.169.254/"], ["Set-Cookie: a=b"], ["X: \x00"], ["X: y"] * 500]
        )
    )
    sent = gzip.compress(body) if coding == "gzip" and draw(st.booleans()) else body
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + sent


@st.composite
def smoke_tests(draw: Callable) -> str:
    """The annotation's text."""
    if draw(st.integers(0, 5)) == 0:
        return draw(bodies()).decode(errors="replace")
    paths = (
        st.sampled_from(["/v1/models/m:predict", "/../x", "/%2e%2e/x", "x", "/" + "x" * 5000, "/a?b", "/\x1b"]) | values
    )
    made: dict[str, Any] = {"payload": draw(documents)}
    made |= {"path": draw(paths)} if draw(st.booleans()) else {}
    made |= {"expect": draw(documents)} if draw(st.booleans()) else {}
    made |= {draw(any_text): 1} if draw(st.integers(0, 5)) == 0 else {}
    return _dumped(made).decode()


def _dumped(document: Any) -> bytes:
    return json.dumps(document).encode()
