"""Where people sign in: what a token shows, what it does not, and what pages of other sites can do: nothing."""

import contextlib

import pytest
from playwright.sync_api import expect
from product import wait_for
from rows import at_a_desk, row, shows


def ends(api, namespace, name, state):
    """Each look brings the record up to date: there is no tick here that would."""
    boss = {"authorization": "Bearer root-token"}
    address = f"/api/v1/namespaces/{namespace}/models/{name}/status"
    wait_for(lambda: api.get(address, headers=boss).json()["state"] == state, f"{name} is {state}")


@pytest.fixture
def signed_in(opened, token_api):
    base = str(token_api.base_url)

    def sign_in(token):
        page = opened("/", base=base, live=False)
        expect(page.locator("h1")).to_have_text("Please sign in")
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Sign in").click()
        return page

    return sign_in


def test_a_pasted_token_signs_in_and_is_out_of_scripts_reach(signed_in):
    page = signed_in("operator-token")
    expect(row(page, "hidden")).to_be_visible()
    [cookie] = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("h1")).to_have_text("Please sign in")
    assert page.context.cookies() == []


@at_a_desk
def test_a_wrong_token_is_refused_in_plain_words_and_not_kept(signed_in):
    page = signed_in("nonsense")
    expect(page.get_by_role("alert")).to_contain_text("the cluster does not know this token")
    assert page.context.cookies() == []


def test_who_may_see_one_namespace_sees_nothing_of_the_other(signed_in, world, token_api):
    boss = {"authorization": "Bearer root-token"}
    page = signed_in("stranger-token")
    expect(page.locator("#link")).to_have_text("live")
    expect(page.locator("#count-models")).to_have_text(str(page.locator("tr.model").count()))
    token_api.post("/api/v1/namespaces/green/models/hidden/stop", headers=boss).raise_for_status()
    token_api.post("/api/v1/namespaces/blue/models/seen/stop", headers=boss).raise_for_status()
    shows(page, "seen", "stopping")
    for path in ("/", "/capacity", "/audit?show=all", "/?namespace=green", "/audit?show=all&q=hidden"):
        page.goto(path)
        body = page.locator("main").inner_text().replace("q=hidden", "")
        assert "green" not in body, path
        assert "hidden" not in body, path
    page.goto("/models/green/InferenceService/hidden")
    expect(page.locator("h1")).to_have_text("Not allowed")
    for namespace, name in (("green", "hidden"), ("blue", "seen")):
        address = f"/api/v1/namespaces/{namespace}/models/{name}/start"
        ends(token_api, namespace, name, "stopped")
        token_api.post(address, headers=boss).raise_for_status()
        ends(token_api, namespace, name, "running")


@at_a_desk
def test_a_page_of_another_site_can_do_nothing_with_the_cookie(signed_in, opened, token_api, product):
    """The other site: the product itself, at another port."""
    page = signed_in("operator-token")
    target = f"{str(token_api.base_url).rstrip('/')}/api/v1/namespaces/blue/models/seen/stop"
    expect(row(page, "seen")).to_be_visible()
    statuses = []
    page.on("response", lambda answer: statuses.append(answer.status) if "/stop" in answer.url else None)
    page.goto(product.url.replace("127.0.0.1", "localhost") + "/docs")
    page.wrong.clear()
    page.evaluate(
        """address => { const form = document.createElement('form'); form.method = 'post'; form.action = address;
           document.body.append(form); form.submit(); }""",
        target,
    )
    assert 202 not in statuses
    page.wrong.clear()


@at_a_desk
def test_what_others_wrote_is_shown_as_text(signed_in, world, token_api):
    wicked = "<img src=x onerror=alert(1)><b>bold</b>"
    boss = {"authorization": "Bearer root-token"}
    page = signed_in("operator-token")
    token_api.post("/api/v1/namespaces/blue/models/seen/stop", headers=boss, json={"reason": wicked}).raise_for_status()
    ends(token_api, "blue", "seen", "stopped")
    shows(page, "seen", "stopped")
    expect(row(page, "seen").locator(".why")).to_have_text(wicked)
    assert page.locator("tr.model .why img, tr.model .why b").count() == 0
    page.goto("/models/blue/InferenceService/seen")
    assert page.locator("main img").count() == 0
    expect(page.locator("main").first).to_contain_text(wicked)
    token_api.post("/api/v1/namespaces/blue/models/seen/start", headers=boss).raise_for_status()
    ends(token_api, "blue", "seen", "running")


def test_who_may_only_read_sees_buttons_off_with_the_reason_on_every_page(signed_in, world, token_api, width):
    boss = {"authorization": "Bearer root-token"}
    ends(token_api, "blue", "seen", "running")
    token_api.post("/api/v1/namespaces/blue/models/nobody/stop", headers=boss)  # refused: that it can be sent again
    reason = "You may not change models here. An administrator of blue"
    page = signed_in("reader-token")

    def is_off(button):
        expect(page.locator("#link")).to_have_text("live")
        expect(button).to_have_attribute("aria-disabled", "true")
        expect(page.locator(f"#{button.get_attribute('aria-describedby')}")).to_contain_text(reason)
        button.click(force=True)
        expect(page.locator("#toast")).to_contain_text(reason)
        expect(page.locator("dialog")).to_be_hidden()

    is_off(row(page, "seen").get_by_role("button", name="Stop seen"))
    row(page, "seen").locator(".pick").check()
    is_off(page.locator("#stop-many"))
    is_off(page.locator("#start-many"))
    page.goto("/models/blue/InferenceService/seen")
    is_off(page.locator(".headline-act button"))
    page.goto("/audit?q=nobody")
    is_off(page.locator(".entries li button.resend").first)
    page.goto("/capacity")
    assert page.locator("main button.act").count() == 0
    assert world.get("blue", "seen")["metadata"]["annotations"].get("serving.kserve.io/stop") != "true"


@at_a_desk
def test_one_page_too_many_says_so_instead_of_a_lost_connection(signed_in, token_api):
    headers = {"authorization": "Bearer operator-token"}
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            answer = stack.enter_context(token_api.stream("GET", "/api/v1/events", headers=headers))
            assert answer.status_code == 200
        page = signed_in("operator-token")
        expect(row(page, "hidden")).to_be_visible()
        expect(page.locator("#link")).to_have_text("too many open pages")
