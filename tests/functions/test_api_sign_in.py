"""The cookie of a pasted token: how it is set, what it lets through, and what it does not."""

import pytest
from api_rig import OPERATOR

COOKIE = {"cookie": "modelswitch-token=operator-token"}


def sign_in(api, token, **headers):
    return api.post("/sign-in", data={"token": token}, headers={"sec-fetch-site": "same-origin", **headers})


def test_a_token_is_reviewed_before_it_is_kept(token_api):
    refused = sign_in(token_api, "nonsense")
    assert refused.status_code == 401
    assert "set-cookie" not in refused.headers
    kept = sign_in(token_api, " Bearer operator-token\n")
    assert (kept.status_code, kept.headers["location"]) == (303, "/")
    cookie = kept.headers["set-cookie"].lower()
    assert {"httponly", "samesite=strict", "path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "secure" not in cookie
    assert cookie.startswith("modelswitch-token=")
    token_api.cookies.clear()


def test_over_https_no_other_host_can_set_the_cookie(token_api):
    kept = sign_in(token_api, "operator-token", **{"x-forwarded-proto": "https"}).headers["set-cookie"]
    token_api.cookies.clear()
    assert kept.startswith("__Host-modelswitch-token=")
    assert {"secure", "path=/"} <= {part.strip().lower() for part in kept.split(";")}
    assert "domain" not in kept.lower()
    https = {"x-forwarded-proto": "https"}
    own, planted = "__Host-modelswitch-token=operator-token", "modelswitch-token=stranger-token"
    assert token_api.get("/api/v1/audit", headers={**https, "cookie": planted}).status_code == 401
    answer = token_api.get("/api/v1/audit?namespace=green", headers={**https, "cookie": f"{planted}; {own}"})
    assert answer.status_code == 200, "the operator's, not the stranger's"
    assert "max-age" in answer.headers["strict-transport-security"]


def test_of_two_tokens_in_cookies_none_counts(token_api):
    both = "modelswitch-token=operator-token; modelswitch-token=stranger-token"
    for headers in ([("cookie", both)], [("cookie", part.strip()) for part in both.split(";")]):
        answer = token_api.get("/api/v1/audit", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "Unauthenticated")
        assert "two" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 303),
        ({"origin": "http://HOST"}, 303),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({}, 403),
    ],
)
@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
def test_signing_in_and_out_is_held_to_this_site(token_api, headers, status, path):
    host = f"127.0.0.1:{token_api.base_url.port}"
    sent = {name: value.replace("HOST", host) for name, value in headers.items()}
    answer = token_api.post(path, data={"token": "operator-token"}, headers=sent)
    token_api.cookies.clear()
    assert answer.status_code == status


def test_the_cookie_counts_for_pages_and_for_rest(token_api):
    assert token_api.get("/", headers=COOKIE).status_code in {200, 503}
    assert token_api.get("/api/v1/audit", headers=COOKIE).status_code == 200
    assert token_api.get("/api/v1/audit", headers={"cookie": "modelswitch-token=nonsense"}).status_code == 401


def test_a_proxys_header_counts_before_the_cookie(token_api):
    headers = {**COOKIE, "authorization": "Bearer nonsense"}
    assert token_api.get("/api/v1/audit", headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"origin": "http://HOST"}, True),
        ({}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "http://HOST"}, False),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "null"}, False),
    ],
)
def test_with_a_cookie_only_this_very_site_changes_anything(token_api, headers, passes):
    host = f"127.0.0.1:{token_api.base_url.port}"
    sent = {name: value.replace("HOST", host) for name, value in headers.items()}
    answer = token_api.post("/api/v1/namespaces/blue/models/nobody/stop", headers={**COOKIE, **sent})
    assert answer.status_code == (404 if passes else 403)


def test_a_program_with_a_header_needs_no_browsers_words(token_api):
    assert token_api.post("/api/v1/namespaces/blue/models/nobody/stop", headers=OPERATOR).status_code == 404


def test_signing_out_forgets_the_token(token_api):
    answer = token_api.post("/sign-out", headers={**COOKIE, "sec-fetch-site": "same-origin"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    dropped = answer.headers.get_list("set-cookie")
    assert [cookie.partition("=")[0] for cookie in dropped] == ["__Host-modelswitch-token", "modelswitch-token"]
    assert all("Max-Age=0" in cookie for cookie in dropped)
