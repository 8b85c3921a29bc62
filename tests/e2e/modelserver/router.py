"""An InferenceGraph's router, as much of it as a test needs: ready at /readyz, a POST goes through the steps in turn.

KServe's own is a small Go program: it answers a moment after its start, and goes on for 30 s after SIGTERM. So nothing
heavy is imported here.
"""

import argparse
import json
import os
import signal
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STEP_SECONDS = 60
GOES_ON_SECONDS = 30


class Router(BaseHTTPRequestHandler):
    """`graph`: the InferenceGraph's spec, with each step's `serviceUrl`."""

    graph: dict[str, dict]

    def do_GET(self) -> None:
        self._answer(200 if self.path == "/readyz" else 404, b'{"status": "ready"}')

    def do_POST(self) -> None:
        payload = self.rfile.read(int(self.headers["content-length"]))
        status, answer = 200, b"{}"
        for step in self.graph["nodes"]["root"]["steps"]:
            status, answer = predicted(f"{step['serviceUrl']}/v1/models/{step['serviceName']}:predict", payload)
            if status != 200:
                break
        self._answer(status, answer)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def predicted(url: str, payload: bytes) -> tuple[int, bytes]:
    request = urllib.request.Request(url, payload, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=STEP_SECONDS) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: threading.Timer(GOES_ON_SECONDS, os._exit, [0]).start())
    parser = argparse.ArgumentParser()
    parser.add_argument("--graph-json", required=True, type=json.loads)
    Router.graph = parser.parse_known_args()[0].graph_json
    ThreadingHTTPServer(("0.0.0.0", 8080), Router).serve_forever()


if __name__ == "__main__":
    main()
