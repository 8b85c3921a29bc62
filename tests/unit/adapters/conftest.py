"""A stand-in for an API server that answers whatever a test says, and our client of it."""

import pytest
from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

from functions.adapters.cluster import Cluster


class Server:
    def __init__(self):
        self.answers = lambda _: web.json_response({})
        self.asked = []

    async def serve(self, request):
        return await self.handle(request)

    async def handle(self, request):
        self.asked.append(dict(request.query))
        return self.answers(request)


@pytest.fixture
async def api_server():
    made = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
async def cluster(api_server):
    configuration = Configuration()
    configuration.host = api_server.url
    configuration.client_session_kwargs = {"trust_env": False}
    made = Cluster(configuration)
    yield made
    await made.close()
