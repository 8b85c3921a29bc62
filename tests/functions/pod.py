"""A pod's surroundings: a ServiceAccount's folder, and an API server behind TLS that knows every model."""

import contextlib
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

MAIN = """from pathlib import Path

from functions.adapters import credentials

credentials.SERVICE_ACCOUNT = Path({folder!r})

from functions.{name}.main import {name}
"""


@dataclass
class Pod:
    folder: Path
    host: str = "127.0.0.1"
    port: int = 0
    tokens: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """Without a kubeconfig, wherever the tests are run."""
        return {
            "KUBERNETES_SERVICE_HOST": self.host,
            "KUBERNETES_SERVICE_PORT": str(self.port),
            "KUBECONFIG": "",
        }

    def main(self, name: str) -> Path:
        """The function's own main.py, with this pod's ServiceAccount in place of the usual folder."""
        path = self.folder / "main.py"
        path.write_text(MAIN.format(folder=str(self.folder), name=name))
        return path

    async def answer(self, request: web.Request) -> web.Response:
        self.tokens.append(request.headers.get("authorization", ""))
        if request.path.endswith("/pods"):
            return web.json_response({"metadata": {"resourceVersion": "5"}, "items": []})
        if "/inferenceservices/" not in request.path:
            labels = {"modelswitch.dev/events": "allow"}
            return web.json_response({"metadata": {"name": "fraud", "labels": labels}})
        name, version = request.path.rpartition("/")[2], "7" if request.method == "PATCH" else "6"
        metadata = {"name": name, "namespace": "fraud", "uid": f"uid-{name}", "resourceVersion": version}
        return web.json_response({"metadata": metadata, "spec": {"predictor": {}}})


@contextlib.asynccontextmanager
async def a_pod(folder: Path, certified: str = "IP:127.0.0.1") -> AsyncIterator[Pod]:
    """`certified`: whom the API server's certificate names."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed: it makes the test's certificate")
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=api"]
    words += ["-addext", f"subjectAltName={certified}"]
    words += ["-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.crt")]
    subprocess.run(words, check=True, capture_output=True)
    (folder / "token").write_text("first\n")
    made = Pod(folder)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(folder / "ca.crt", folder / "ca.key")
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    made.port = runner.addresses[0][1]
    try:
        yield made
    finally:
        await runner.cleanup()
