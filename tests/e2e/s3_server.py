"""As much of S3 as a download needs, for a pod: list, head, get with ranges; refuses who does not sign with the right key.

`python3 -c SOURCE ACCESS_KEY MODEL_HEX SIZE`: bucket `models` holds granite/model.pkl and granite/deep/weights.bin.
"""

import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

PORT = 9000
ACCESS_KEY, MODEL, SIZE = sys.argv[1], bytes.fromhex(sys.argv[2]), int(sys.argv[3])
OBJECTS = {"granite/model.pkl": MODEL, "granite/deep/weights.bin": bytes(range(256)) * (SIZE // 256)}
ENTRY = "<Contents><Key>{}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;1&quot;</ETag><Size>{}</Size></Contents>"
LIST = '<?xml version="1.0"?><ListBucketResult><Name>models</Name><IsTruncated>false</IsTruncated>{}</ListBucketResult>'


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        if f"Credential={ACCESS_KEY}/" not in self.headers.get("authorization", ""):
            self._answer(403, b"<Error><Code>AccessDenied</Code></Error>")
            return
        parts = urlsplit(self.path)
        key = unquote(parts.path).removeprefix("/models").lstrip("/")
        if not key:
            prefix = parse_qs(parts.query).get("prefix", [""])[0]
            found = "".join(ENTRY.format(name, len(body)) for name, body in OBJECTS.items() if name.startswith(prefix))
            self._answer(200, LIST.format(found).encode())
        elif key in OBJECTS:
            self._object(OBJECTS[key])
        else:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def _object(self, body):
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range", ""))
        if not asked:
            self._answer(200, body)
            return
        first, last = int(asked[1]), min(int(asked[2] or len(body) - 1), len(body) - 1)
        self._answer(206, body[first : last + 1], f"bytes {first}-{last}/{len(body)}")

    def _answer(self, status, body, content_range=None):
        self.send_response(status)
        headers = {"ETag": '"1"', "Content-Length": str(len(body)), "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        if content_range:
            headers["Content-Range"] = content_range
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("", PORT), Handler).serve_forever()
