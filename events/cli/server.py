"""The REST API as the command line sees it; turns its problems into CliError."""

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

import httpx
from pydantic import ValidationError
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_before_delay

from events.cli.exits import CliError, Exit
from events.cli.names import Target
from events.cli.options import Connection
from events.commands import Verb
from events.errors import ModelswitchError
from events.publisher import retry_after
from events.status import ModelStatus

_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_PATIENCE_SECONDS = 10.0
_PAGE = 500


class _LaterError(ModelswitchError):
    """503 or 429: the server asks for patience."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.response = response


@dataclass(frozen=True)
class Answer:
    """What a command did. `recorded` False: done in the cluster, but Redis was away, so its history comes later."""

    status: ModelStatus
    changed: bool
    recorded: bool


@dataclass(frozen=True)
class ModelServer:
    """One connection to the API. Safe to ask again: commands carry an Idempotency-Key."""

    client: httpx.Client

    @classmethod
    @contextmanager
    def connect(cls, connection: Connection) -> Iterator[Self]:
        """CliError: the address is none (2), the token can't be read (4)."""
        try:
            client = httpx.Client(
                base_url=connection.server, headers=_identity(connection), timeout=_TIMEOUT, trust_env=True
            )
        except httpx.InvalidURL as error:
            raise _bad_address(connection.server) from error
        with client:
            yield cls(client)

    def command(self, verb: Verb, target: Target, body: Mapping[str, Any]) -> Answer:
        content = self.ask("POST", f"{_path(target)}/{verb}", params=_kind(target), json=body)
        return Answer(
            status=parse_status(content.get("status")),
            changed=bool(content.get("changed", True)),
            recorded=bool(content.get("recorded", True)),
        )

    def bulk(self, verb: Verb, chosen: list[Target], body: Mapping[str, Any]) -> list[dict[str, Any]]:
        """One answer per model, in the contract's words: namespace, name, kind, status (HTTP), changed, code, message."""
        models = [{"namespace": one.namespace, "name": one.name, **_kind(one)} for one in chosen]
        items = self.ask("POST", f"/api/v1/models:{verb}", json={"models": models, **body}).get("items", [])
        return [dict(item) for item in items]

    def status(self, target: Target) -> ModelStatus:
        return parse_status(self.ask("GET", f"{_path(target)}/status", params=_kind(target)))

    def models(self, filters: Mapping[str, str]) -> list[ModelStatus]:
        """Every model that the filters (namespace, state, kind, label) let through, all pages."""
        found: list[ModelStatus] = []
        params = {**filters, "limit": str(_PAGE)}
        while True:
            page = self.ask("GET", "/api/v1/models", params=params)
            found += [parse_status(item) for item in page.get("items", [])]
            if not page.get("continue"):
                return found
            params["continue"] = str(page["continue"])

    def recorded(self, source: str, event_id: str) -> list[dict[str, Any]]:
        """What the history says of this event, newest first, as far as the caller may read it."""
        items = self.ask("GET", "/api/v1/audit", params={"limit": "1000"}).get("items", [])
        return [dict(item) for item in items if (item.get("source"), item.get("event_id")) == (source, event_id)]

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The JSON object answered. 503 and 429 are asked again for 10 s; then, and for all else, CliError."""
        headers = {"idempotency-key": str(uuid.uuid4())} if method == "POST" else {}
        retrying = Retrying(
            retry=retry_if_exception_type(_LaterError),
            wait=_asked_wait,
            stop=stop_before_delay(_PATIENCE_SECONDS),
            reraise=True,
        )
        try:
            response = retrying(
                self._send, self.client.build_request(method, path, params=params, json=json, headers=headers)
            )
        except _LaterError as error:
            response = error.response
        if response.is_success:
            return self._content(response)
        raise refusal(response)

    def _send(self, request: httpx.Request) -> httpx.Response:
        with reaching(self.client):
            response = self.client.send(request)
        if response.status_code in {429, 503}:
            raise _LaterError(response)
        return response

    def _content(self, response: httpx.Response) -> dict[str, Any]:
        try:
            content = response.json()
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise stranger(str(self.client.base_url), "the answer is not a JSON object")
        return content


@contextmanager
def reaching(client: httpx.Client) -> Iterator[None]:
    """Turns what can happen on the way to the server into CliError."""
    try:
        yield
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise _bad_address(str(client.base_url)) from error
    except httpx.TransportError as error:
        raise CliError(
            Exit.NOT_REACHABLE,
            f"modelswitch does not answer at {client.base_url}: {error or type(error).__name__}",
            "Start it (make run), or name its address with --server or MODELSWITCH_URL.",
        ) from error


def refusal(response: httpx.Response) -> CliError:
    """The CliError for an answer that is not 2xx: RFC 9457 where it is ours, the status line elsewhere."""
    problem = _problem(response)
    message = str(problem.get("detail") or problem.get("title") or f"{response.status_code} {response.reason_phrase}")
    next_action = str(problem.get("next_action") or "")
    if candidates := problem.get("candidates"):
        next_action = f"{next_action} Candidates: {', '.join(map(_candidate, candidates))}.".strip()
    if response.status_code in {401, 403}:
        way_out = "Name a token with --token-file or MODELSWITCH_TOKEN, for example `kubectl create token NAME --audience modelswitch`."
        return CliError(Exit.NOT_AUTHORISED, message, next_action or way_out, problem=problem)
    if response.status_code in {429, 502, 503, 504}:
        return CliError(Exit.NOT_REACHABLE, message, next_action or "Wait and ask again.", problem=problem)
    if not problem:
        return stranger(str(response.request.url), f"it answers {message}")
    return CliError(Exit.REFUSED, message, next_action, problem=problem)


def stranger(address: str, why: str) -> CliError:
    return CliError(
        Exit.NOT_REACHABLE,
        f"what answers at {address} is not modelswitch: {why}",
        "Check --server or MODELSWITCH_URL.",
    )


def parse_status(content: object) -> ModelStatus:
    """Fields of a newer server are ignored; CliError where it is no status."""
    try:
        return ModelStatus.model_validate(content, extra="ignore")
    except ValidationError as error:
        raise CliError(
            Exit.REFUSED,
            f"the server's answer is no model status ({error.error_count()} fields differ)",
            "Use a modelswitch of the server's version.",
        ) from error


def _asked_wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = retry_after(error.response.headers) if isinstance(error, _LaterError) else None
    return 1.0 if asked is None else asked


def _bad_address(address: str) -> CliError:
    return CliError(Exit.USAGE, f"{address!r} is no address", "Write it like http://127.0.0.1:8080.")


def _identity(connection: Connection) -> dict[str, str]:
    if connection.token_file is None:
        token = os.environ.get("MODELSWITCH_TOKEN", "").strip()
    else:
        try:
            token = connection.token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise CliError(Exit.NOT_AUTHORISED, f"the token can't be read: {error}", "Correct --token-file.") from error
    if not token.isascii() or any(char.isspace() for char in token):
        raise CliError(Exit.NOT_AUTHORISED, "the token has spaces or other invalid characters", "Check its source.")
    return {"authorization": f"Bearer {token}"} if token else {}


def _path(target: Target) -> str:
    name = quote(target.name, safe="")
    if target.namespace is None:
        return f"/api/v1/models/{name}"
    return f"/api/v1/namespaces/{quote(target.namespace, safe='')}/models/{name}"


def _kind(target: Target) -> dict[str, str]:
    return {"kind": target.kind.value} if target.kind else {}


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        content = response.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) and ("detail" in content or "title" in content) else {}


def _candidate(item: object) -> str:
    if isinstance(item, dict):
        kind = f" ({item['kind']})" if item.get("kind") else ""
        return f"{item.get('namespace')}/{item.get('name')}{kind}"
    return str(item)
