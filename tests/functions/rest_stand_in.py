"""A small real HTTP server that answers as the REST API does, so that the command line is tested over the network.

A stop or start takes as many looks as `looks` says: no clock is involved. Every request is kept in `requests`.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

NOW = datetime(2026, 1, 31, 22, 0, tzinfo=UTC).isoformat()
RECEIPT = {"pods": 2, "gpus": 1, "memory": "8Gi", "seconds": 2.1, "grace": [], "stopped_at": NOW, "actor": "operator"}


def model(namespace, name, state="running", kind="InferenceService", **extra):
    stopped = state in {"stopped", "stopping"}
    return {
        "name": name,
        "namespace": namespace,
        "kind": kind,
        "state": state,
        "reason": None,
        "message": None,
        "desired": "stopped" if stopped else "running",
        "last_transition": NOW,
        "resource_allocation": {"gpus": 0, "memory": "0Gi"} if state == "stopped" else {"gpus": 1, "memory": "8Gi"},
        "endpoints": {"inference": f"http://{name}.{namespace}", "available": state == "running"},
        "holds": [],
        "queued": False,
        "receipt": RECEIPT if state == "stopped" else None,
        "labels": {},
        "observed_at": NOW,
        **extra,
    }


@dataclass
class Request:
    method: str
    path: str
    query: dict
    headers: dict
    body: object


@dataclass
class StandIn:
    """`override(request)` may answer first, with (status, headers, content); None leaves it to the usual answers."""

    models: dict = field(default_factory=dict)
    looks: int = 2
    requests: list = field(default_factory=list)
    override: Callable | None = None
    stream: list = field(default_factory=list)
    stream_changed: threading.Condition = field(default_factory=threading.Condition)
    cut_after: int | None = None
    pending: dict = field(default_factory=dict)
    url: str = ""

    def put(self, status):
        self.models[status["namespace"], status["name"]] = status

    def sent(self, method, ending):
        return [one for one in self.requests if one.method == method and one.path.endswith(ending)]

    def broadcast(self, event, data):
        with self.stream_changed:
            self.stream.append((event, data))
            self.stream_changed.notify_all()

    def look(self, key):
        goal, left = self.pending.get(key, (None, 0))
        if goal and left <= 0:
            self.put(model(*key, state=goal))
            del self.pending[key]
        elif goal:
            self.pending[key] = (goal, left - 1)
        return self.models[key]

    def command(self, verb, key):
        goal, way = {"stop": ("stopped", "stopping"), "start": ("running", "starting")}[verb]
        if self.models[key]["state"] == goal:
            return 200, {}, {"status": self.models[key], "changed": False, "recorded": True}
        self.put(model(*key, state=way))
        self.pending[key] = (goal, self.looks)
        return 202, {}, {"status": self.models[key], "changed": True, "recorded": True}

    def answer(self, request):
        if self.override and (special := self.override(request)) is not None:
            return special
        parts = request.path.strip("/").split("/")
        if request.path == "/api/v1/models":
            return 200, {}, self.page(request.query)
        if request.path.startswith("/api/v1/models:"):
            return self.bulk(request.path.rpartition(":")[2], request.body)
        if parts[2] == "namespaces":
            key = (parts[3], parts[5])
        else:
            fits = [key for key in self.models if key[1] == parts[3]]
            if len(fits) > 1:
                candidates = [{"namespace": one[0], "name": one[1], "kind": "InferenceService"} for one in fits]
                return problem(409, "AmbiguousModel", f"{parts[3]} is in several namespaces", candidates=candidates)
            key = fits[0] if fits else (None, parts[3])
        if key not in self.models:
            return problem(404, "NotFound", f"there is no model {key[1]}")
        if parts[-1] == "status":
            return 200, {}, self.look(key)
        return self.command(parts[-1], key)

    def page(self, query):
        found = [self.look(key) for key in list(self.models)]
        for name in ("namespace", "state", "kind"):
            found = [one for one in found if name not in query or one[name] == query[name]]
        start, size = int(query.get("continue", 0)), 2
        more = str(start + size) if start + size < len(found) else None
        return {"items": found[start : start + size], "continue": more, "total": len(found)}

    def bulk(self, verb, body):
        items = []
        for one in body["models"]:
            key = (one["namespace"], one["name"])
            if key in self.models:
                status, _, content = self.command(verb, key)
                items.append({**one, "status": status, "changed": content["changed"], "code": None, "message": None})
            else:
                items.append({**one, "status": 404, "changed": False, "code": "NotFound", "message": "no such model"})
        return 200, {}, {"items": items, "accepted": 0, "failed": 0}


def problem(status, code, detail, headers=None, **extra):
    content = {"type": "about:blank", "title": code, "status": status, "detail": detail, "code": code}
    return status, headers or {}, {**content, "next_action": "Do the next thing.", **extra}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stand_in: StandIn

    def do_GET(self):
        if urlsplit(self.path).path == "/api/v1/events":
            self.send_stream()
        else:
            self.handle_one("GET")

    def do_POST(self):
        self.handle_one("POST")

    def handle_one(self, method):
        request = self.read_request(method)
        status, headers, content = self.stand_in.answer(request)
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def read_request(self, method):
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = raw
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(method, parts.path, query, headers, body)
        self.stand_in.requests.append(request)
        return request

    def send_stream(self):
        self.read_request("GET")
        self.close_connection = True
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        position = int(self.headers.get("last-event-id", -1)) + 1
        while True:
            with self.stand_in.stream_changed:
                while len(self.stand_in.stream) <= position:
                    if not self.stand_in.stream_changed.wait(timeout=20):
                        return
                event, data = self.stand_in.stream[position]
            self.wfile.write(f"event: {event}\nid: {position}\ndata: {json.dumps(data)}\n\n".encode())
            self.wfile.flush()
            if self.stand_in.cut_after == position:
                self.stand_in.cut_after = None
                return
            position += 1

    def log_message(self, *args):
        pass


class serving:  # noqa: N801 - read as a verb: `with serving(…)`
    """Context manager: the stand-in on a free port of the loopback."""

    def __init__(self, stand_in):
        self.stand_in = stand_in

    def __enter__(self):
        handler = type("Handler", (_Handler,), {"stand_in": self.stand_in})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        self.stand_in.url = f"http://127.0.0.1:{self.server.server_port}"
        return self.stand_in

    def __exit__(self, *exc):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
