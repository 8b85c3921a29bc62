"""Which tokens count, where they may stand, and what those cost that the cluster does not know."""

import contextlib
import shutil
import ssl
import subprocess
import uuid

import httpx
import pytest
from api_rig import OPERATOR, READER, STRANGER, wait_for

from functions.adapters.identity import UNKNOWN_AT_ONCE

WHOLE = {"authorization": "Bearer whole-token"}
AUDIT = "/api/v1/audit"


def reviews(world):
    """How many TokenReviews the API server has answered."""
    items = world.cluster.get("/_sim/audit").json()["items"]
    return sum(item["path"].endswith("/tokenreviews") for item in items)


def test_a_token_must_be_for_modelswitch(token_api):
    refused = token_api.get(AUDIT, headers=WHOLE)
    assert refused.status_code == 401
    assert "modelswitch" in refused.json()["detail"]
    assert "--audience modelswitch" in refused.json()["next_action"]
    assert token_api.get(AUDIT, headers=OPERATOR).status_code == 200


@pytest.mark.parametrize(
    ("audiences", "whole", "ours"),
    [("", 200, 401), ("modelswitch,https://kubernetes.default.svc", 200, 200), ("another", 401, 401)],
)
def test_another_audience_or_several_may_be_configured(world, audiences, whole, ours):
    with world.api(AUTH="token", AUTH_AUDIENCE=audiences) as api:
        assert api.get(AUDIT, headers=WHOLE).status_code == whole
        assert api.get(AUDIT, headers=OPERATOR).status_code == ours


def test_unknown_tokens_are_reviewed_a_few_at_a_time_and_nobody_else_waits(world):
    with world.api(AUTH="token") as api:
        api.get(AUDIT, headers=OPERATOR).raise_for_status()
        before = reviews(world)
        answers = [api.get(AUDIT, headers={"authorization": f"Bearer {uuid.uuid4()}"}) for _ in range(60)]
        limited = [answer for answer in answers if answer.status_code == 429]
        assert {answer.status_code for answer in answers} == {401, 429}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in limited)
        assert {answer.json()["code"] for answer in limited} == {"TooManyRequests"}
        assert UNKNOWN_AT_ONCE <= reviews(world) - before < 60
        assert api.get(AUDIT, headers=OPERATOR).status_code == 200
        page = api.get("/", headers={"authorization": "Bearer junk"})
        assert page.status_code == 429, "a page says it too"


def test_the_same_unknown_token_is_reviewed_once(world, token_api):
    headers = {"authorization": f"Bearer {uuid.uuid4()}"}
    before = reviews(world)
    for _ in range(5):
        assert token_api.get(AUDIT, headers=headers).status_code == 401
    assert reviews(world) - before == 1


def test_without_a_token_nothing_is_reviewed(world, token_api):
    before = reviews(world)
    for path in (AUDIT, "/", "/healthz", "/api/v1/events"):
        token_api.get(path)
    assert reviews(world) == before


# --- the header of openshift/oauth-proxy ---------------------------------------------------------------------------


def test_a_forwarded_token_counts_only_where_that_is_configured(world, token_api):
    forwarded = {"x-forwarded-access-token": "operator-token"}
    assert token_api.get(AUDIT, headers=forwarded).status_code == 401
    with world.api(AUTH="token", AUTH_FORWARDED_TOKEN="true") as api:
        assert api.get(AUDIT, headers=forwarded).status_code == 200
        basic = {**forwarded, "authorization": "Basic b3BlcmF0b3I6"}
        assert api.get(AUDIT, headers=basic).status_code == 200, "the proxy sends that too, by default"
        assert api.get(AUDIT, headers={"x-forwarded-access-token": "junk"}).status_code == 401
        assert api.get(AUDIT, headers=OPERATOR).status_code == 200
        assert api.get(AUDIT).status_code == 401
        stop = "/api/v1/namespaces/blue/models/nobody/stop"
        assert api.post(stop, headers=forwarded).status_code == 403, "the proxy adds it to whatever a browser sends"
        own = {**forwarded, "sec-fetch-site": "same-origin"}
        assert api.post(stop, headers=own).status_code == 404


# --- event streams -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def open_streams(api, count, headers, path="/api/v1/events"):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(api.stream("GET", path, headers=headers)) for _ in range(count)]


def test_event_streams_are_bounded_per_identity(world):
    with world.api(AUTH="token", EVENT_STREAMS_PER_USER="3", EVENT_STREAMS="5") as api:
        with open_streams(api, 2, OPERATOR) as api_streams, open_streams(api, 1, OPERATOR, "/live") as page_streams:
            assert [stream.status_code for stream in (*api_streams, *page_streams)] == [200] * 3
            for path in ("/api/v1/events", "/live"):
                refused = api.get(path, headers=OPERATOR)
                assert (refused.status_code, refused.json()["code"]) == (429, "TooManyRequests")
                assert int(refused.headers["retry-after"]) >= 1
            with open_streams(api, 2, STRANGER) as others:
                assert [stream.status_code for stream in others] == [200] * 2
                assert api.get("/api/v1/events", headers=READER).status_code == 429, "five in all"

        def one_more():
            with open_streams(api, 1, OPERATOR) as [stream]:
                return stream.status_code == 200

        wait_for(one_more, "streams that were closed count no more")


# --- TLS -----------------------------------------------------------------------------------------------------------


def make_certificate(folder, name):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed: it makes the test's certificate")
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    words += [
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        str(folder / "tls.key"),
        "-out",
        str(folder / "tls.crt"),
    ]
    subprocess.run(words, check=True, capture_output=True)
    return {"TLS_CERT_FILE": str(folder / "tls.crt"), "TLS_KEY_FILE": str(folder / "tls.key")}


def test_with_a_serving_certificate_the_pod_speaks_https(world, tmp_path):
    environment = make_certificate(tmp_path, "api")
    trusted = ssl.create_default_context(cafile=environment["TLS_CERT_FILE"])
    with world.api(AUTH="token", verify=trusted, **environment) as api:
        assert api.base_url.scheme == "https"
        answer = api.get("/livez")
        assert "max-age" in answer.headers["strict-transport-security"]
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{api.base_url.port}/livez")
        own = {"sec-fetch-site": "same-origin"}
        signed = api.post("/sign-in", data={"token": "operator-token"}, headers=own)
        assert signed.headers["set-cookie"].startswith("__Host-modelswitch-token=operator-token;")
        assert api.get(AUDIT).status_code == 200, "by its cookie"


def test_a_certificate_that_cant_be_used_is_said_at_the_start(world, tmp_path):
    (tmp_path / "tls.crt").write_text("no certificate")
    with (
        pytest.raises(AssertionError, match="TLS_CERT_FILE"),
        world.api(AUTH="token", TLS_CERT_FILE=str(tmp_path / "tls.crt")),
    ):
        pass


# --- health --------------------------------------------------------------------------------------------------------


def test_health_tells_addresses_only_to_those_who_are_known(world):
    with world.api(AUTH="token", REDIS_URL="redis://127.0.0.1:1/0", HEALTH_PEERS="http://127.0.0.1:2/secret") as api:
        for headers in ({}, {"authorization": "Bearer junk"}):
            answer = api.get("/healthz", headers=headers)
            assert answer.status_code == 503
            assert answer.json()["missing"] == ["Redis", "a peer"]
            assert not any(word in answer.text for word in ("127.0.0.1", "secret", "Error", "refused"))
        known = api.get("/healthz", headers=OPERATOR)
        assert "127.0.0.1:1" in known.json()["detail"]
