"""Asking the API while its Redis is being rebuilt, and judging every answer: right, or 503 with Retry-After."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp
from rebuild_models import Model

from events.model import Kind, ModelRef

Json = dict[str, Any]
COMPARED = ("state", "reason", "message", "desired", "resource_allocation", "endpoints", "queued", "labels")
HOLDS = ("kind", "actor", "reason")
PAGE = 1000


def essence(status: Json) -> Json:
    """What must be the same after a rebuild; when it was seen, and what only Redis had (receipt), may differ."""
    kept = {name: status[name] for name in COMPARED}
    return {**kept, "holds": [{name: hold[name] for name in HOLDS} for hold in status["holds"]]}


def subject(status: Json) -> str:
    return ModelRef(namespace=status["namespace"], name=status["name"], kind=Kind(status["kind"])).subject


@dataclass
class Tally:
    """`wrong`: what was said, in words. `away`: answers 503 with Retry-After."""

    right: Counter = field(default_factory=Counter)
    away: Counter = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def blame(self, what: str, why: str) -> None:
        self.wrong.append(f"{what}: {why}")


@dataclass
class Judge:
    """`known`: what is true of each model, by subject. `touched`: those that are stopped and started meanwhile."""

    session: aiohttp.ClientSession
    url: str
    models: list[Model]
    known: dict[str, Json] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    tally: Tally = field(default_factory=Tally)
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Json]:
        """503 without Retry-After, and everything that is not JSON, is wrong at once."""
        async with self.session.request(method, f"{self.url}/api/v1{path}", json=body) as answer:
            content = await answer.json(content_type=None)
            if answer.status == 503 and "Retry-After" not in answer.headers:
                self.tally.blame(path, "503 without Retry-After")
            return answer.status, content

    async def everything(self) -> tuple[dict[str, Json], int] | None:
        """Every page of the whole list, and its total; None while it is 503."""
        found: dict[str, Json] = {}
        token = ""
        while True:
            query = urlencode({"limit": PAGE, **({"continue": token} if token else {})})
            code, page = await self.ask("GET", f"/models?{query}")
            if code == 503:
                return None
            found |= {subject(item): essence(item) for item in page["items"]}
            token = page["continue"]
            if not token:
                return found, page["total"]

    async def learn(self) -> None:
        found = await self.everything()
        if found is None or found[1] != len(self.models):
            raise RuntimeError(f"expected {len(self.models)} models, not {found and found[1]}")
        self.known = found[0]
        for model in self.models:
            said = self.known[model.ref.subject]["state"]
            if said != model.state:
                raise RuntimeError(f"{model.ref} is {said}, expected {model.state}: {self.known[model.ref.subject]}")

    async def until(self, done: asyncio.Event) -> None:
        """Everything that can be asked, again and again, until `done`."""
        questions: list[Callable[[], Awaitable[None]]] = [
            self.whole_list,
            *(lambda query=query: self.filtered(**query) for query in self._queries()),
            self.single,
            self.by_name,
            self.nobody,
            self.by_selector,
        ]
        while not done.is_set():
            for question in questions:
                await question()
                await asyncio.sleep(0.02)

    def _queries(self) -> Iterable[dict[str, str]]:
        some = self.models[len(self.models) // 2].ref.namespace
        yield from ({"state": state} for state in ("stopped", "running", "error"))
        yield from ({"kind": "InferenceGraph"}, {"label": "team=team-3"}, {"namespace": some})
        yield {"namespace": some, "state": "stopped"}

    async def whole_list(self) -> None:
        code, page = await self.ask("GET", f"/models?limit={PAGE}")
        first = sorted(self.known)[:PAGE]
        self._list("list", code, page, set(first), total=len(self.known))

    async def filtered(self, **query: str) -> None:
        what = " ".join(f"{name}={value}" for name, value in query.items())
        code, page = await self.ask("GET", f"/models?{urlencode({**query, 'limit': PAGE})}")
        fitting = {one for one, status in self.known.items() if _fits(one, status, query)}
        self._list(what, code, page, set(sorted(fitting)[:PAGE]), total=len(fitting))

    def _list(self, what: str, code: int, page: Json, expected: set[str], *, total: int) -> None:
        if code == 503:
            self.tally.away["lists"] += 1
            return
        if code != 200:
            self.tally.blame(what, f"{code} {page}")
            return
        got = {subject(item): essence(item) for item in page["items"]}
        differing = [one for one, status in got.items() if one not in self.touched and status != self.known.get(one)]
        unlike = (set(got) ^ expected) - self.touched
        if differing:
            self.tally.blame(what, f"{len(differing)} differ, such as {got[differing[0]]}")
        elif (unlike and not self.touched) or abs(page["total"] - total) > len(self.touched):
            self.tally.blame(what, f"{len(unlike)} missing or too many; total {page['total']}, expected {total}")
        else:
            self.tally.right["lists"] += 1

    async def single(self) -> None:
        model = self.chance.choice(self.models)
        path = f"/namespaces/{model.ref.namespace}/models/{model.ref.name}/status?kind={model.ref.kind}"
        self._single(f"status of {model.ref}", model, *await self.ask("GET", path))

    async def by_name(self) -> None:
        model = self.chance.choice(self.models)
        path = f"/models/{model.ref.name}/status?kind={model.ref.kind}"
        self._single(f"status by name of {model.ref}", model, *await self.ask("GET", path))

    def _single(self, what: str, model: Model, code: int, content: Json) -> None:
        if code == 503:
            self.tally.away["statuses"] += 1
        elif code != 200:
            self.tally.blame(what, f"{code} {content}")
        elif model.ref.subject not in self.touched and essence(content) != self.known[model.ref.subject]:
            self.tally.blame(what, f"{essence(content)}, expected {self.known[model.ref.subject]}")
        else:
            self.tally.right["statuses"] += 1

    async def nobody(self) -> None:
        namespace = self.models[0].ref.namespace
        code, content = await self.ask("GET", f"/namespaces/{namespace}/models/nobody/status")
        if code not in {404, 503}:
            self.tally.blame("status of no model", f"{code} {content}")
        else:
            (self.tally.right if code == 404 else self.tally.away)["statuses"] += 1

    async def by_selector(self) -> None:
        """A start by label of models that run: it changes nothing, but must not leave any of them out."""
        place = self.models[-1].ref.namespace
        wanted = {"namespace": place, "label": "fixture=running"}
        fitting = [one for one, status in self.known.items() if _fits(one, status, wanted)]
        body = {"selector": wanted["label"], "namespaces": [place]}
        code, content = await self.ask("POST", "/models:start", body)
        if code == 503:
            self.tally.away["bulk"] += 1
        elif code != 200 or len(content["items"]) != len(fitting):
            self.tally.blame("bulk by label", f"{code}, {len(content.get('items', []))} of {len(fitting)}")
        else:
            self.tally.right["bulk"] += 1

    async def change(self, verb: str, model: Model) -> None:
        """A command in the middle of it: accepted, or 503 and sent again."""
        self.touched.add(model.ref.subject)
        path = f"/namespaces/{model.ref.namespace}/models/{model.ref.name}/{verb}?kind={model.ref.kind}"
        while True:
            code, content = await self.ask("POST", path, {"reason": "in the middle of it"})
            if code != 503:
                break
            self.tally.away["commands"] += 1
            await asyncio.sleep(0.2)
        wanted = "stopped" if verb == "stop" else "running"
        if code != 202 or not content["changed"] or content["status"]["desired"] != wanted:
            self.tally.blame(f"{verb} of {model.ref}", f"{code} {content}")
        else:
            self.tally.right["commands"] += 1
            self.known[model.ref.subject] = essence(content["status"])

    async def verify(self) -> None:
        """The whole list again, model by model."""
        found = await self.everything()
        if found is None or found[1] != len(self.known):
            self.tally.blame("after the rebuild", f"{found and found[1]} models, expected {len(self.known)}")
            return
        for one, status in self.known.items():
            got = found[0].get(one)
            same = got == status if one not in self.touched else got and got["desired"] == status["desired"]
            if not same:
                self.tally.blame("after the rebuild", f"{one} is {got}, expected {status}")


def _fits(one: str, status: Json, query: dict[str, str]) -> bool:
    ref = ModelRef.from_subject(one)
    label, _, value = query.get("label", "").partition("=")
    return (
        query.get("state", status["state"]) == status["state"]
        and query.get("kind", ref.kind) == ref.kind
        and query.get("namespace", ref.namespace) == ref.namespace
        and (not label or status["labels"].get(label) == value)
    )
