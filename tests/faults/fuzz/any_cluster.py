"""An API server that files whatever it is given: what a real one would refuse, a product must bear all the same."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from aiohttp import web

from fuzz.objects import Placed, to_json

_PATH = re.compile(
    r"/(?:api/v1|apis/[^/]+/v[^/]+)(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+))?(?:/status)?"
)
_GROUP = {"versions": [{"version": version} for version in ("v1beta1", "v1alpha1", "v1alpha2")]}


class AnyCluster:
    """`objects` are what it holds; a write is answered as done and changes nothing."""

    def __init__(self) -> None:
        self.objects: list[Placed] = []
        self.version = 100
        self._runner: web.AppRunner | None = None

    async def start(self, folder: Path) -> Path:
        """Its kubeconfig."""
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        config = {
            "current-context": "any",
            "contexts": [{"name": "any", "context": {"cluster": "any", "user": "any"}}],
            "clusters": [{"name": "any", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
            "users": [{"name": "any", "user": {"token": "x"}}],
        }
        kubeconfig = folder / "any-cluster"
        kubeconfig.write_text(json.dumps(config))
        return kubeconfig

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        if request.path == "/apis/serving.kserve.io":
            return web.json_response(_GROUP)
        match = _PATH.fullmatch(request.path)
        if match is None:
            return web.json_response({"message": "no such path"}, status=404)
        if match["name"] is None:
            return self._list(match["plural"], match["namespace"], request.query)
        for one in self._of(match["plural"], match["namespace"]):
            if one.name == match["name"]:
                return _json(to_json(one.body))
        return web.json_response({"message": "no such object"}, status=404)

    def _of(self, plural: str, namespace: str | None) -> Iterator[Placed]:
        return (one for one in self.objects if one.plural == plural and namespace in {None, one.namespace})

    def _list(self, plural: str, namespace: str | None, query) -> web.Response:
        field = query.get("fieldSelector", "")
        named = field.removeprefix("metadata.name=") if field.startswith("metadata.name=") else None
        found = [
            one
            for one in sorted(self._of(plural, namespace), key=lambda one: (one.namespace, one.name))
            if _selected(query.get("labelSelector", ""), one.labels) and named in {None, one.name}
        ]
        begin, limit = int(query.get("continue") or 0), int(query.get("limit") or 10_000)
        metadata = {"resourceVersion": str(self.version)}
        if begin + limit < len(found):
            metadata["continue"] = str(begin + limit)
        items = b",".join(to_json(one.body) for one in found[begin : begin + limit])
        return _json(b'{"metadata":' + json.dumps(metadata).encode() + b',"items":[' + items + b"]}")


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


def _selected(selector: str, labels: dict[str, str]) -> bool:
    """`key`, `key=value` and `key in (a,b)`, with commas between them."""
    for term in re.split(r",(?![^(]*\))", selector):
        key, _, wanted = term.partition("=") if " in " not in term else term.partition(" in ")
        if key and (key not in labels or (wanted and labels[key] not in wanted.strip("()").split(","))):
            return False
    return True
