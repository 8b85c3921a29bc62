"""HTTP by hand: sends the bytes that it is given, whatever they are, and reads the answer."""

import contextlib
import http.client
import socket
from collections.abc import Iterable

from fuzz.judge import Answer

SECONDS = 20.0
CLOSED = Answer(0, {}, b"")


class Line:
    """One connection, made anew where the other side closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def close(self) -> None:
        if self._socket:
            self._socket.close()
        self._socket = None

    def post(self, path: bytes, headers: Iterable[tuple[bytes, bytes]], body: bytes, method: bytes = b"POST") -> Answer:
        lines = [method + b" " + path + b" HTTP/1.1", b"host: 127.0.0.1"]
        lines += [name + b": " + value for name, value in headers]
        lines.append(b"content-length: " + str(len(body)).encode())
        return self.send(b"\r\n".join(lines) + b"\r\n\r\n" + body, method)

    def send(self, request: bytes, method: bytes = b"POST", *, half: bool = False) -> Answer:
        """A kept connection may have been closed meanwhile: then once more on a new one. `half`: nothing more comes."""
        kept = self._socket is not None
        try:
            answer = self._exchange(request, method, half=half)
        except OSError:
            answer = CLOSED
        if answer is CLOSED:
            self.close()
            if kept:
                return self.send(request, method, half=half)
        return answer

    def _exchange(self, request: bytes, method: bytes, *, half: bool) -> Answer:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=SECONDS)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # refused before it was all read
            self._socket.sendall(request)
        if half:
            self._socket.shutdown(socket.SHUT_WR)
        response = http.client.HTTPResponse(self._socket, method=method.decode("latin-1"))
        try:
            response.begin()
            body = response.read()
        except (http.client.HTTPException, ConnectionError):
            return CLOSED
        headers = {name.lower(): value for name, value in response.getheaders()}
        if response.will_close or half or headers.get("connection") == "close":
            self.close()
        return Answer(response.status, headers, body)
