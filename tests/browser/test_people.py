"""Keyboard, screen reader, zones, dark: whoever looks, and however."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from rows import ask, at_a_desk, row

PAGES = {
    "models": "/",
    "filtered away": "/?q=nothing-at-all",
    "model": "/models/search/InferenceService/answers-llm",
    "error": "/models/fraud/InferenceService/geo-velocity",
    "capacity": "/capacity",
    "audit": "/audit?show=all",
    "reference": "/docs",
}


def violations(page):
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:200]} {node.get('failureSummary', '')[:300]}"
        for one in found
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]


@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 1440), ("light", 390), ("dark", 1440), ("dark", 768)], indirect=["width"]
)
def test_axe_finds_nothing_serious(opened, scheme):
    page = opened(color_scheme=scheme)
    for path in PAGES.values():
        page.goto(path)
        assert violations(page) == [], path
    page.goto("/")
    ask(page, "card-fraud", "Stop")
    assert violations(page) == [], "the confirmation"


def test_everything_works_from_the_keyboard(opened, product):
    page = opened()
    page.keyboard.press("j")
    expect(row(page, "anomaly-detector")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(row(page, "answers-llm").locator(".pick")).to_be_checked()
    page.keyboard.press("k")
    expect(row(page, "anomaly-detector")).to_be_focused()
    page.keyboard.press("s")
    expect(page.locator("dialog h2")).to_have_text("Stop anomaly-detector?")
    expect(page.locator("dialog [name=reason]")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("jx")
    expect(page.locator("#q")).to_have_value("jx")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("dialog")).to_contain_text("next, previous model")
    page.keyboard.press("Escape")
    page.goto("/")
    expect(page.locator("#link")).to_have_text("live")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("anomaly-detector")


def test_focus_and_selection_outlive_a_change_of_the_row(opened, product):
    page = opened()
    row(page, "card-fraud").locator(".pick").check()
    row(page, "card-fraud").get_by_role("button", name="Stop").focus()
    product.command("stop", "fraud", "card-fraud")
    expect(row(page, "card-fraud").locator(".word")).to_have_text("stopped", timeout=15_000)
    expect(row(page, "card-fraud").locator(".pick")).to_be_checked()
    expect(row(page, "card-fraud").locator("button.act")).to_be_focused()
    product.command("start", "fraud", "card-fraud")
    expect(row(page, "card-fraud").locator(".word")).to_have_text("running", timeout=20_000)


@at_a_desk
def test_moments_are_in_the_users_own_zone(opened):
    page = opened("/models/search/InferenceService/answers-llm", timezone_id="Asia/Tokyo", locale="en-GB")
    expect(page.locator(".timeline .when").first).to_contain_text("GMT+9")


@at_a_desk
def test_dark_is_dark_and_light_is_light(opened):
    def ground(scheme):
        page = opened(color_scheme=scheme)
        red, green, blue = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)")
        return red + green + blue

    assert ground("dark") < 120 < 600 < ground("light")
