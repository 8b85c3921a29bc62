"""A small real HTTP server in a broker's place: keeps what arrives, answers what it was told to, then 202."""

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Sink:
    """`answers`: (status, headers) for the next requests; "drop" closes the connection without an answer."""

    answers: list = field(default_factory=list)
    arrived: list = field(default_factory=list)
    url: str = ""

    def next_answer(self):
        return self.answers.pop(0) if self.answers else (202, {})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sink: Sink

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.sink.arrived.append(({name.lower(): value for name, value in self.headers.items()}, body))
        answer = self.sink.next_answer()
        if answer == "drop":
            self.close_connection = True
            self.connection.close()
            return
        status, headers = answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        text = b"" if status < 300 else b"because I say so"
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


class receiving:  # noqa: N801 - read as a verb: `with receiving()`
    """Context manager: the sink on `port` of the loopback; 0: a free one."""

    def __init__(self, port=0):
        self.port = port
        self.sink = Sink()

    def __enter__(self):
        handler = type("Handler", (_Handler,), {"sink": self.sink})
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        self.sink.url = f"http://127.0.0.1:{self.server.server_port}"
        return self.sink

    def __exit__(self, *exc):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
