"""The simulated cluster with what serving from a claim needs besides: StorageClasses, Jobs, and exec in pods.

`python pvc_cluster.py FOLDER`: the simulated API server behind a small proxy. A claim is the folder FOLDER/claims/NS/NAME,
a bucket the folder FOLDER/s3/BUCKET. Commands in pods are really run, here, with /claim put there; so the loader's
scripts are the real ones. Jobs copy from the bucket's folder in the storage initializer's place.
"""

import asyncio
import json
import shutil
import sys
from pathlib import Path

import aiohttp
from aiohttp import web

from functions.local.kubernetes import resources
from functions.local.kubernetes.identities import Identity
from functions.local.kubernetes.kubelet import Pace
from functions.local.kubernetes.resources import Resource
from functions.local.kubernetes.server import Settings, serve, write_kubeconfig

MORE = (
    Resource("storage.k8s.io", ("v1",), "storageclasses", "StorageClass", namespaced=False),
    Resource("batch", ("v1",), "jobs", "Job", status=True, generation=True),
    Resource(
        "serving.kserve.io", ("v1alpha1",), "clusterstoragecontainers", "ClusterStorageContainer", namespaced=False
    ),
    Resource("", ("v1",), "persistentvolumes", "PersistentVolume", namespaced=False, status=True),
)
TOKENS = {"team-token": Identity("team", (), ("team",))}
STDIN, STDOUT, STDERR, ERROR = range(4)
POLL_SECONDS = 0.05


class Claims:
    def __init__(self, folder):
        self._folder = folder

    def of(self, pod):
        name = next(
            v["persistentVolumeClaim"]["claimName"] for v in pod["spec"]["volumes"] if "persistentVolumeClaim" in v
        )
        place = self._folder / "claims" / pod["metadata"]["namespace"] / name
        place.mkdir(parents=True, exist_ok=True)
        return place

    def bucket(self, uri):
        return self._folder / "s3" / uri.removeprefix("s3://")

    def here(self, pod, command):
        """The command with the claim's folder where /claim is named."""
        place = str(self.of(pod))
        return [word.replace("/claim", place, 1) if word.startswith("/claim") else word for word in command]


class Proxy:
    """Everything goes to the API server, but for exec."""

    def __init__(self, url, claims):
        self._url, self._claims = url, claims
        self._session = aiohttp.ClientSession()
        self.cut_after = None

    def app(self):
        made = web.Application(client_max_size=8 * 1024 * 1024)
        made.router.add_get("/api/v1/namespaces/{ns}/pods/{pod}/exec", self._exec)
        made.router.add_route("*", "/{path:.*}", self._forward)
        return made

    async def _forward(self, request):
        if request.path == "/_pvc/cut":
            self.cut_after = int(request.query["after"])
            return web.Response(text="")
        kept = {
            k: v for k, v in request.headers.items() if k.lower() not in {"host", "content-length", "accept-encoding"}
        }
        body = await request.read()
        async with self._session.request(
            request.method, self._url + request.path_qs, headers=kept, data=body
        ) as answer:
            text = await answer.read()
            return web.Response(body=text, status=answer.status, content_type="application/json")

    async def _exec(self, request):
        ns, name = request.match_info["ns"], request.match_info["pod"]
        async with self._session.get(f"{self._url}/api/v1/namespaces/{ns}/pods/{name}") as answer:
            pod = await answer.json()
        if pod.get("status", {}).get("phase") != "Running":
            raise web.HTTPNotFound
        socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
        await socket.prepare(request)
        words = self._claims.here(pod, request.query.getall("command"))
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, stderr=pipe)
        feeding = asyncio.create_task(self._feed(socket, process))
        reading = (self._pump(socket, process.stdout, STDOUT), self._pump(socket, process.stderr, STDERR))
        await asyncio.gather(*reading)
        code = await process.wait()
        status = {"status": "Success"} if code == 0 else _failure(code)
        if not socket.closed:
            await socket.send_bytes(bytes((ERROR,)) + json.dumps(status).encode())
        await socket.close()
        feeding.cancel()
        return socket

    async def _feed(self, socket, process):
        """The end of input is never told: v4 has no word for it."""
        fed = 0
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.BINARY or message.data[0] != STDIN:
                continue
            fed += len(message.data) - 1
            if self.cut_after is not None and fed > self.cut_after:
                self.cut_after = None
                process.kill()
                await socket.close()
                return
            process.stdin.write(message.data[1:])
            await process.stdin.drain()
        process.stdin.close()

    async def _pump(self, socket, stream, channel):
        while chunk := await stream.read(65536):
            await socket.send_bytes(bytes((channel,)) + chunk)


def _failure(code):
    causes = [{"reason": "ExitCode", "message": str(code)}]
    return {"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": causes}}


class Jobs:
    """The Job controller and the kubelet in one: init containers in turn, then the container, then the Job's end."""

    def __init__(self, url, claims):
        self._url, self._claims = url, claims

    async def run(self):
        async with aiohttp.ClientSession() as session:
            self._session = session
            while True:
                for job in (await self._call("GET", "/apis/batch/v1/jobs"))["items"]:
                    if not job.get("status", {}).get("conditions"):
                        await self._carry_out(job)
                await asyncio.sleep(POLL_SECONDS)

    async def _carry_out(self, job):
        ns, name = job["metadata"]["namespace"], job["metadata"]["name"]
        template = job["spec"]["template"]
        metadata = {"generateName": f"{name}-", "labels": {**template["metadata"]["labels"], "job-name": name}}
        spec = {**template["spec"], "nodeSelector": {"nobody": "has-this"}}
        path = f"/api/v1/namespaces/{ns}/pods"
        pod = await self._call("POST", path, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
        ended = await self._containers(pod)
        good = all(code == 0 for _, code, _ in ended)
        statuses = [
            {"name": who, "ready": False, "state": {"terminated": {"exitCode": code, "message": said}}}
            for who, code, said in ended
        ]
        status = {
            "phase": "Succeeded" if good else "Failed",
            "initContainerStatuses": [one for one in statuses if one["name"] != "check"],
            "containerStatuses": [one for one in statuses if one["name"] == "check"],
        }
        await self._merge(f"{path}/{pod['metadata']['name']}/status", {"status": status})
        condition = {"type": "Complete" if good else "Failed", "status": "True"}
        await self._merge(f"/apis/batch/v1/namespaces/{ns}/jobs/{name}/status", {"status": {"conditions": [condition]}})

    async def _containers(self, pod):
        ended = []
        for container in [*pod["spec"]["initContainers"], *pod["spec"]["containers"]]:
            code, said = await self._container(pod, container)
            ended.append((container["name"], code, said))
            if code:
                break
        return ended

    async def _container(self, pod, container):
        if container["name"] == "copy":
            uri, staged = self._claims.here(pod, container["args"])
            source = self._claims.bucket(uri)
            if not source.exists():
                return 1, f"no such key: {uri}"
            shutil.copytree(source, staged, dirs_exist_ok=True)
            return 0, ""
        words = self._claims.here(pod, container["command"])
        process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        return process.returncode, out.decode()

    async def _call(self, method, path, body=None):
        async with self._session.request(method, self._url + path, json=body) as answer:
            return await answer.json()

    async def _merge(self, path, body):
        headers = {"content-type": "application/merge-patch+json"}
        async with self._session.patch(self._url + path, data=json.dumps(body), headers=headers) as answer:
            deleted_meanwhile = answer.status == 404
            assert answer.status < 300 or deleted_meanwhile, await answer.text()


async def main(folder):
    for resource in MORE:
        resources.BY_PATH[resource.group, resource.versions[0], resource.plural] = resource
        resources.BY_KIND[resource.group, resource.kind] = resource
    resources.ALL = (*resources.ALL, *MORE)
    claims, loop = Claims(folder), asyncio.get_running_loop()
    listens = loop.create_future()
    settings = Settings(pace=Pace(0.05, 0.05), tokens=TOKENS)
    serving = asyncio.create_task(serve(settings, listens.set_result))
    url = await listens
    write_kubeconfig(folder / "direct", url)
    runner = web.AppRunner(Proxy(url, claims).app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    proxied = f"http://127.0.0.1:{runner.addresses[0][1]}"
    write_kubeconfig(folder / "kubeconfig", proxied)
    write_kubeconfig(folder / "team", proxied, token="team-token")
    working = asyncio.create_task(Jobs(url, claims).run())
    print(f"listens on {proxied}", flush=True)
    await asyncio.wait({serving, working}, return_when=asyncio.FIRST_COMPLETED)
    working.cancel()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
