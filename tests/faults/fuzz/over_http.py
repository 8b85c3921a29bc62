"""Events to the functions as they run in production: functions-framework, gunicorn, real HTTP."""

from collections.abc import Callable, Collection, Mapping

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from fuzz.judge import REFUSED_BY_SERVER, Answer, Findings, faults
from fuzz.rig import DELIVERY_SECRET, FUNCTIONS, SECRETS, TOKEN_SECRET, Rig
from fuzz.strategies import PING, RELOAD, RESOURCE, START, STOP, WRITTEN, Sent, events
from fuzz.wire import Line

ALLOWED = {202, 400, 405, 413, 422}
PLAIN = {0, 200, 202, 400, 404, 405, 414, 422, 426, 431, 501, 505}
"""0: dropped. What is no HTTP is never refused for its delivery where that is right."""
SHARES = {
    "stop": 0.25,
    "start": 0.15,
    "reload": 0.15,
    "artifact_written": 0.15,
    "pod_status": 0.2,
    "dead_letter": 0.07,
    "tick": 0.03,
}
_TYPES = {
    "stop": STOP,
    "start": START,
    "reload": RELOAD,
    "artifact_written": WRITTEN,
    "pod_status": RESOURCE,
    "tick": PING,
    "dead_letter": None,
}
_AUTHORIZATION = (b"authorization", f"Bearer {TOKEN_SECRET}".encode())
_paths = st.sampled_from([b"/"] * 20 + [b"/any", b"/%00", b"/\xff", b"//", b"/?a=%ff", b"/" + b"x" * 5000])
_others = st.sampled_from([name for name in FUNCTIONS if name != "tick"])  # which takes long, whatever it is sent
_methods = st.sampled_from([b"POST"] * 30 + [b"PUT", b"PATCH", b"DELETE", b"OPTIONS"])


def fuzz_functions(rig: Rig, calls: int, start: int, found: Findings) -> None:
    """Each event goes to the function that its type is for, and to another one."""
    lines = {name: Line(rig.ports[name]) for name in FUNCTIONS}
    for name in FUNCTIONS:
        _fuzz(name, lines, max(5, round(calls * SHARES[name] / 2)), start, found)
        _broken_requests(name, lines[name], found)
    for line in lines.values():
        line.close()


def _fuzz(name: str, lines: Mapping[str, Line], examples: int, start: int, found: Findings) -> None:
    @seed(start)
    @settings(max_examples=examples, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(sent=events(_TYPES[name]) | events(), path=_paths, method=_methods, other=_others)
    def run(sent: Sent, path: bytes, method: bytes, other: str) -> None:
        for target in (name, other):
            found.calls += 1
            answer = lines[target].post(_delivered(path), [_AUTHORIZATION, *sent.headers], sent.body, method)
            if not _is_refused_by_server(answer, sent, path):
                for wrong in faults(answer, ALLOWED, SECRETS):
                    found.add(f"{target}: {wrong}", (method, path, sent))

    run()


def _delivered(path: bytes) -> bytes:
    """As the broker delivers: with the secret that the function knows."""
    return path + (b"&" if b"?" in path else b"?") + b"delivery=" + DELIVERY_SECRET.encode()


def _is_refused_by_server(answer: Answer, sent: Sent, path: bytes) -> bool:
    """Headers that are no HTTP never reach a function."""
    raw = [*sent.headers, (b"", path)]
    odd = any(not value.isascii() or any(byte < 32 or byte == 127 for byte in value) for _, value in raw)
    odd = odd or sum(len(value) for _, value in raw) > 30_000
    return odd and answer.status in {0, 400, 431} and answer.body in {b"", REFUSED_BY_SERVER}


_EVENT = b"ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /f\r\nce-type: " + STOP.encode() + b"\r\n"
BROKEN: dict[str, Callable[[], bytes]] = {
    "no HTTP at all": lambda: b"\x16\x03\x01\x00\xff" * 20 + b"\r\n\r\n",
    "a NUL in a header": lambda: b"POST / HTTP/1.1\r\nhost: a\r\nce-id: a\x00b\r\ncontent-length: 0\r\n\r\n",
    "a header without a name": lambda: b"POST / HTTP/1.1\r\nhost: a\r\n: b\r\ncontent-length: 0\r\n\r\n",
    "two lengths": lambda: b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "a negative length": lambda: b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
    "a length that is none": lambda: b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: abc\r\n\r\n",
    "less than was said": lambda: b"POST / HTTP/1.1\r\nhost: a\r\n" + _EVENT + b"content-length: 500\r\n\r\n{}",
    "both lengths": lambda: (
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "a broken chunk": lambda: b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n",
    "a broken chunk behind a whole one": lambda: (
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n"
    ),
    "a broken chunk of another method": lambda: (
        b"PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n"
    ),
    "headers of 200 KB": lambda: b"POST / HTTP/1.1\r\nhost: a\r\nce-id: " + b"x" * 200_000 + b"\r\n\r\n",
    "5,000 headers": lambda: (
        b"POST / HTTP/1.1\r\nhost: a\r\n" + b"".join(b"ce-a%d: b\r\n" % n for n in range(5000)) + b"\r\n"
    ),
    "a method that nobody knows": lambda: b"FOO / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n",
    "HTTP 1.0": lambda: b"POST / HTTP/1.0\r\n" + _EVENT + b"content-length: 2\r\n\r\n{}",
    "HTTP 9": lambda: b"POST / HTTP/9.9\r\nhost: a\r\n\r\n",
    "an absolute URL": lambda: b"POST http://evil/ HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}",
    "an upgrade": lambda: b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    "CONNECT": lambda: b"CONNECT evil:443 HTTP/1.1\r\nhost: evil:443\r\n\r\n",
    "TRACE": lambda: b"TRACE / HTTP/1.1\r\nhost: a\r\nauthorization: Bearer " + TOKEN_SECRET.encode() + b"\r\n\r\n",
}


def _broken_requests(name: str, line: Line, found: Findings) -> None:
    """What is no HTTP may be refused by the server itself, or dropped; nothing else may come of it.

    Each once as the broker would deliver it, and once without the secret, which is refused before the body is read.
    """
    for what, make in BROKEN.items():
        whole = make()
        delivered = whole.replace(b"/ HTTP/", _delivered(b"/") + b" HTTP/", 1)
        for request, allowed in ((delivered, PLAIN), (whole, PLAIN | {401})):
            found.calls += 1
            line.close()
            answer = line.send(request, half=True)
            for wrong in _not_plain(answer, allowed):
                found.add(f"{name}: {what}: {wrong}", request[:200])
    line.close()


def _not_plain(answer: Answer, allowed: Collection[int]) -> list[str]:
    if answer.status not in allowed:
        return [f"status {answer.status} {answer.body[:200]!r}"]
    wrong = [f"status {answer.status} leaks {secret}" for secret in SECRETS if secret.encode() in answer.body]
    return wrong + (["a traceback"] if b"Traceback" in answer.body else [])
