"""Credentials that end: read again before that, and once more when they are refused.

A real API server's port, real programs.
"""

import base64
import json
import stat
import time
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from aiohttp import web

from functions.adapters.cluster import Cluster, Forbidden
from functions.adapters.credentials import AGAIN_SECONDS, REREAD_SECONDS, Credentials
from functions.lifecycle.errors import ClusterUnavailable

PROGRAM = """#!/bin/sh
cat <<END
{{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {status}}}
END
echo once >> {calls}
"""


class Server:
    """Answers callers that show a token that is valid now, and remembers which were shown."""

    def __init__(self):
        self.valid = {"first"}
        self.shown = []

    async def answer(self, request):
        token = request.headers.get("authorization", "").partition(" ")[2]
        self.shown.append(token)
        if token not in self.valid:
            status = {"kind": "Status", "message": "Unauthorized", "reason": "Unauthorized", "code": 401}
            return web.json_response(status, status=401)
        return web.json_response({"kind": "Version"})


@pytest.fixture
async def server():
    made = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


class Laptop:
    """A kubeconfig in a folder, and the clock of its user."""

    def __init__(self, folder, server):
        self.folder, self.server = folder, server
        self.path = folder / "kubeconfig"
        self.calls = folder / "calls"
        self.now = time.monotonic()
        self._made = []

    def write(self, user, url=None):
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": url or self.server.url}}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "c",
        }
        self.path.write_text(yaml.safe_dump(config))

    def give(self, token, seconds=None):
        """What the kubeconfig's program prints from now on."""
        status = {"token": token}
        if seconds is not None:
            end = datetime.now(UTC) + timedelta(seconds=seconds)
            status["expirationTimestamp"] = end.isoformat(timespec="seconds").replace("+00:00", "Z")
        self._program(PROGRAM.format(status=json.dumps(status), calls=self.calls))

    def fail(self):
        self._program("#!/bin/sh\necho no network >&2\nexit 1\n")

    def _program(self, text):
        program = self.folder / "give-token"
        program.write_text(text)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def runs(self):
        return len(self.calls.read_text().splitlines())

    async def connect(self):
        credentials = await Credentials.connect(str(self.path), clock=lambda: self.now)
        self._made.append(Cluster(credentials.configuration, credentials))
        return self._made[-1]

    async def close(self):
        for cluster in self._made:
            await cluster.close()


EXEC = {
    "exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./give-token", "interactiveMode": "Never"}
}


@pytest.fixture
async def laptop(tmp_path, server):
    made = Laptop(tmp_path, server)
    yield made
    await made.close()


async def test_a_programs_token_is_used_until_shortly_before_its_end(laptop, server):
    """The program's path is relative to its kubeconfig, not to where this process was started."""
    laptop.write(EXEC)
    laptop.give("first", 60)
    cluster = await laptop.connect()
    for _ in range(3):
        await cluster.get("/version")
    laptop.now += 45
    await cluster.get("/version")
    assert laptop.runs() == 1
    server.valid = {"second"}
    laptop.give("second", 60)
    laptop.now += 12
    await cluster.get("/version")
    assert server.shown == ["first"] * 4 + ["second"], "no request was refused"
    assert laptop.runs() == 2


async def test_a_token_that_is_refused_is_renewed_once(laptop, server):
    laptop.write(EXEC)
    laptop.give("first")
    cluster = await laptop.connect()
    await cluster.get("/version")
    server.valid = {"second"}
    laptop.give("second")
    laptop.now += AGAIN_SECONDS
    await cluster.get("/version")
    assert server.shown == ["first", "first", "second"]


async def test_a_token_that_stays_refused_starts_no_program_with_every_request(laptop, server):
    laptop.write(EXEC)
    laptop.give("stranger")
    cluster = await laptop.connect()
    for _ in range(5):
        with pytest.raises(Forbidden):
            await cluster.get("/version")
    assert laptop.runs() == 1
    laptop.now += AGAIN_SECONDS
    for _ in range(5):
        with pytest.raises(Forbidden):
            await cluster.get("/version")
    assert laptop.runs() == 2


async def test_a_program_that_fails_is_tried_again_and_the_old_token_used_to_its_end(laptop, server):
    laptop.write(EXEC)
    laptop.give("first", 60)
    cluster = await laptop.connect()
    laptop.fail()
    laptop.now += 58
    await cluster.get("/version")
    server.valid = {"second"}
    with pytest.raises(ClusterUnavailable, match="could not be renewed"):
        await cluster.get("/version")
    laptop.give("second", 60)
    laptop.now += AGAIN_SECONDS
    await cluster.get("/version")


async def test_a_token_file_is_read_again(laptop, server):
    (laptop.folder / "token").write_text("first")
    laptop.write({"tokenFile": "token"})
    cluster = await laptop.connect()
    await cluster.get("/version")
    (laptop.folder / "token").write_text("second")
    server.valid = {"second"}
    laptop.now += REREAD_SECONDS
    await cluster.get("/version")
    assert server.shown == ["first", "second"]


async def test_signing_in_again_on_the_laptop_is_enough(laptop, server):
    """As `oc login` does: another token in the same kubeconfig."""
    laptop.write({"token": "first"})
    cluster = await laptop.connect()
    await cluster.get("/version")
    laptop.write({"token": "second"})
    server.valid = {"second"}
    laptop.now += AGAIN_SECONDS
    await cluster.get("/version")


async def test_another_clusters_token_is_never_sent_to_this_one(laptop, server):
    laptop.write({"token": "first"})
    cluster = await laptop.connect()
    await cluster.get("/version")
    laptop.write({"token": "of another cluster"}, url="http://127.0.0.1:1")
    laptop.now += REREAD_SECONDS
    await cluster.get("/version")
    assert set(server.shown) == {"first"}
    server.valid = set()
    with pytest.raises(ClusterUnavailable, match="another cluster"):
        await cluster.get("/version")


async def test_an_identity_providers_token_is_renewed_with_its_refresh_token(laptop, server, provider):
    laptop.write({"auth-provider": {"name": "oidc", "config": provider.config(expires_in=-60)}})
    cluster = await laptop.connect()
    server.valid = provider.given
    await cluster.get("/version")
    provider.life = 3600
    laptop.now += REREAD_SECONDS
    await cluster.get("/version")
    laptop.now += REREAD_SECONDS
    await cluster.get("/version")
    assert server.shown == [provider.given[0], provider.given[1], provider.given[1]]
    assert provider.refreshed_by == ["refresh-0", "refresh-1"], "each refresh token is used once"


class Provider:
    """An identity provider whose refresh tokens hold for one use."""

    def __init__(self):
        self.life = 60
        self.given = []
        self.refreshed_by = []

    def config(self, expires_in):
        names = {"client-id": "modelswitch", "client-secret": "s", "idp-issuer-url": self.url}
        return {**names, "id-token": self._token(expires_in), "refresh-token": "refresh-0"}

    def _token(self, expires_in):
        claims = json.dumps({"exp": int(time.time() + expires_in), "n": len(self.given)})
        return f"h.{base64.b64encode(claims.encode()).decode().rstrip('=')}.s"

    async def discover(self, _):
        return web.json_response({"token_endpoint": f"{self.url}/token"})

    async def token(self, request):
        self.refreshed_by.append((await request.post())["refresh_token"])
        self.given.append(self._token(self.life))
        return web.json_response(
            {"id_token": self.given[-1], "refresh_token": f"refresh-{len(self.refreshed_by)}", "token_type": "Bearer"}
        )


@pytest.fixture
async def provider():
    made = Provider()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", made.discover)
    app.router.add_post("/token", made.token)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()
