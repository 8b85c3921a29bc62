"""A broker that takes everything, and an API server that answers at once, in one process of its own.

The API server knows every InferenceService by name: running, without pods, in a namespace that takes events.
"""

import sys
from pathlib import Path

from aiohttp import web

_NAMESPACE = {"metadata": {"name": "bench", "labels": {"modelswitch.dev/events": "allow"}}}
_PODS = {"metadata": {"resourceVersion": "5"}, "items": []}
_KUBECONFIG = """apiVersion: v1
kind: Config
clusters: [{{name: stand-in, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: nobody, user: {{token: none}}}}]
contexts: [{{name: stand-in, context: {{cluster: stand-in, user: nobody}}}}]
current-context: stand-in
"""


async def _model(request: web.Request) -> web.Response:
    name, version = request.match_info["name"], "7" if request.method == "PATCH" else "6"
    metadata = {"name": name, "namespace": "bench", "uid": f"uid-{name}", "resourceVersion": version}
    return web.json_response({"metadata": metadata, "spec": {"predictor": {}}})


async def _answer(body: dict) -> web.Response:
    return web.json_response(body)


async def _taken(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(status=202)


def main() -> None:
    port, kubeconfig = int(sys.argv[1]), Path(sys.argv[2])
    kubeconfig.write_text(_KUBECONFIG.format(port=port))
    app = web.Application()
    model = "/apis/serving.kserve.io/v1beta1/namespaces/bench/inferenceservices/{name}"
    app.router.add_get(model, _model)
    app.router.add_patch(model, _model)
    app.router.add_get("/api/v1/namespaces/bench/pods", lambda _: _answer(_PODS))
    app.router.add_get("/api/v1/namespaces/bench", lambda _: _answer(_NAMESPACE))
    app.router.add_get("/livez", lambda _: _answer({}))
    app.router.add_post("/api/v1/namespaces/bench/events", lambda _: _answer({}))
    app.router.add_post("/sink", _taken)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


if __name__ == "__main__":
    main()
