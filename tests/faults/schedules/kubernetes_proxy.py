"""Between one process and the API server: counts its requests, makes trouble, and notes every PATCH that changed a model."""

import asyncio
import contextlib
import json
from collections import Counter
from typing import Any

import aiohttp
from aiohttp import web

from schedules.claims import Claims
from schedules.traps import Crossing, Dropped, Traps

STOP = "serving.kserve.io/stop"
STOP_NOTE = "modelswitch.dev/stop"
SILENT_SECONDS = 6.0
"""Longer than a client of the product waits for an answer (5 s)."""
_MODELS = "/inferenceservices/"
_STATUS = {429: "TooManyRequests", 500: "InternalError"}


class KubernetesProxy:
    """`upstream`: a session whose base is the API server, with what it asks for (certificates, token)."""

    def __init__(self, process: str, traps: Traps, claims: Claims, upstream: aiohttp.ClientSession) -> None:
        self._process, self._traps, self._claims = process, traps, claims
        self._upstream = upstream
        self._watches: set[asyncio.Task[Any]] = set()
        self._expired = False
        self.in_flight: Counter[int] = Counter()

    async def listen(self) -> str:
        self._runner = web.ServerRunner(web.Server(self._serve), handle_signals=False, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        self.drop_watches()
        await self._runner.cleanup()

    def drop_watches(self, *, expired: bool = False) -> None:
        """`expired`: those that come again are answered 410 once."""
        self._expired = expired
        for task in self._watches:
            task.cancel()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        incarnation = self._claims.incarnations.get(self._process, 0)
        self.in_flight[incarnation] += 1
        try:
            if request.query.get("watch") in {"1", "true"}:
                return await self._watch(request)
            return await self._exchange(request)
        except (Dropped, aiohttp.ClientError, TimeoutError):
            if request.transport:
                request.transport.abort()
            return web.Response()
        finally:
            self.in_flight[incarnation] -= 1

    async def _exchange(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        crossing = await self._traps.enter(self._process, "api", f"api {request.method} {_what(request.path)}")
        if refused := _refused(crossing):
            return refused
        async with self._upstream.request(
            request.method, request.path_qs, data=body or None, headers=_headers(request)
        ) as answer:
            content = await answer.read()
            status, kind = answer.status, answer.headers.get("Content-Type", "application/json")
        if request.method == "PATCH" and status == 200 and _MODELS in request.path:
            self._note(request.path, body, content)
        await self._traps.leave(crossing)
        if crossing.has("api-drop"):
            raise Dropped
        if crossing.has("api-silence"):
            await asyncio.sleep(SILENT_SECONDS)
            raise Dropped
        return web.Response(status=status, body=content, headers={"Content-Type": kind})

    def _note(self, path: str, body: bytes, content: bytes) -> None:
        """The patch tests what was there, so it says what it changed and whose stop it removed."""
        tested = {op["path"]: op.get("value") for op in json.loads(body) if op["op"] == "test"}
        prior = str(tested.get(_pointer(STOP)) or "").lower() == "true"
        annotations = json.loads(content)["metadata"].get("annotations") or {}
        after = annotations.get(STOP, "").lower() == "true"
        model = path.rpartition("/")[2]
        queued = _queued(tested.get(_pointer(STOP_NOTE)))
        key = self._claims.holder(self._process, model)
        if after and not prior:
            written = json.loads(annotations[STOP_NOTE])
            key = f"{written['source']} {written['command']}"
        elif prior and not after and self._claims.verbs.get(key or "") != "start":
            key = queued
        more = {"before": prior, "after": after, "leased": key == self._claims.holder(self._process, model)}
        self._claims.history.add("patched", model=model, key=key, process=self._process, **more)
        for key in _noted(annotations.get(STOP_NOTE)) - _noted(tested.get(_pointer(STOP_NOTE))):
            self._claims.history.add("noted", model=model, key=key, process=self._process)

    async def _watch(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._expired:
            self._expired = False
            gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
            return web.json_response(gone, status=410)
        task = asyncio.current_task()
        assert task
        self._watches.add(task)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        try:
            async with self._upstream.get(
                request.path_qs, headers=_headers(request), timeout=aiohttp.ClientTimeout(total=None)
            ) as answer:
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
        except asyncio.CancelledError:
            if request.transport:
                request.transport.abort()
        except OSError:
            pass
        finally:
            self._watches.discard(task)
        with contextlib.suppress(OSError):
            await (response.write_eof() if response.prepared else response.prepare(request))
        return response


def _headers(request: web.BaseRequest) -> dict[str, str]:
    return {name: request.headers[name] for name in ("Accept", "Content-Type", "User-Agent") if name in request.headers}


def _refused(crossing: Crossing) -> web.Response | None:
    for status, reason in _STATUS.items():
        if crossing.has(f"api-{status}"):
            text = {"kind": "Status", "code": status, "reason": reason, "message": "asked for by the schedule"}
            return web.json_response(text, status=status, headers={"Retry-After": "1"} if status == 429 else {})
    return None


def _pointer(annotation: str) -> str:
    return "/metadata/annotations/" + annotation.replace("/", "~1")


def _queued(stop_note: str | None) -> str | None:
    queued = _read(stop_note).get("queued")
    return f"{queued['source']} {queued['id']}" if queued else None


def _noted(stop_note: str | None) -> set[str]:
    return set(_read(stop_note).get("also") or ())


def _read(stop_note: str | None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stop_note) if stop_note and stop_note.startswith("{") else {}
    return found


def _what(path: str) -> str:
    """The resource, without names."""
    steps = path.strip("/").split("/")
    after = steps[steps.index("namespaces") + 2 :] if "namespaces" in steps else steps[3:]
    return after[0] if after else "namespaces"
