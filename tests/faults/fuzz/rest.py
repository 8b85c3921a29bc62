"""The REST API against its own OpenAPI document: schemathesis makes the calls and judges the answers."""

import contextlib
from collections.abc import Mapping

import requests
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi import checks

from fuzz.judge import Answer, Findings, faults
from fuzz.rig import BOSS, MODELS, SECRETS, TOKEN_SECRET, Rig

STREAM = "/api/v1/events"
ALLOWED = {200, 202, 400, 401, 403, 404, 405, 409, 413, 422}
CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
]
_MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
_callers = st.sampled_from([BOSS] * 12 + [{}, {"authorization": f"Bearer {TOKEN_SECRET}"}, {"authorization": "Bearer"}])
_known = st.sampled_from([{"namespace": "blue", "name": name} for name in MODELS] + [{}, {}])


def fuzz_rest(rig: Rig, calls: int, start: int, found: Findings) -> None:
    base = f"http://127.0.0.1:{rig.ports['api']}"
    document = requests.get(f"{base}/openapi.json", timeout=20).json()
    document["paths"].pop(STREAM)  # it never ends; tests/functions have it
    schema = schemathesis.openapi.from_dict(document)
    operations = [result.ok() for result in schema.get_all_operations()]
    cases = [operation.as_strategy(generation_mode=mode) for operation in operations for mode in _MODES]
    end = found.calls + calls
    with requests.Session() as session:
        while found.calls < end:  # some operations have few cases, or none that are wrong
            for one in cases:
                with contextlib.suppress(Unsatisfiable):
                    _fuzz(one, max(2, (end - found.calls) // len(cases)), start, found, (session, base))
            start += 1


def _fuzz(cases, calls: int, start: int, found: Findings, where: tuple[requests.Session, str]) -> None:
    session, base = where

    @seed(start)
    @settings(max_examples=calls, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=cases, caller=_callers, known=_known)
    def run(case: schemathesis.Case, caller: Mapping[str, str], known: Mapping[str, str]) -> None:
        found.calls += 1
        if case.path_parameters:
            case.path_parameters = {name: known.get(name, value) for name, value in case.path_parameters.items()}
        response = case.call(base_url=base, session=session, headers=dict(caller))
        request = (case.method, response.request.url, dict(caller), response.request.body)
        answer = Answer(response.status_code, _lowered(response.headers), response.content)
        for wrong in faults(answer, ALLOWED, SECRETS):
            found.add(f"api {case.operation.label}: {wrong}", request)
        if caller is BOSS:
            _conform(case, response, found, request)

    run()


def _conform(case: schemathesis.Case, response: schemathesis.Response, found: Findings, request: object) -> None:
    try:
        case.validate_response(response, checks=CHECKS)
    except FailureGroup as group:
        for failure in group.exceptions:
            if _is_only_unasked(str(getattr(failure, "message", ""))):
                continue
            found.add(f"api {case.operation.label}: {_words(failure)}", request)


def _is_only_unasked(message: str) -> bool:
    """Nothing of a case that was made wrong was wrong as sent: query parameters that nobody defined are ignored where
    nothing is asked for, the caller's token was put back, and in a query a string is how an array of one is written.
    """
    parts = [line for line in message.splitlines() if line.strip().startswith("- ")]
    harmless = ("additionalProperties", "Authorization", "was array, became string")
    return bool(parts) and all(any(word in part for word in harmless) for part in parts)


def _words(failure: Exception) -> str:
    if isinstance(failure, Failure):
        return f"{failure.title}: {failure.message[:300]}"
    return f"{type(failure).__name__}: {str(failure)[:300]}"


def _lowered(headers: Mapping[str, object]) -> dict[str, str]:
    return {name.lower(): str(value[0]) if isinstance(value, list) else str(value) for name, value in headers.items()}
