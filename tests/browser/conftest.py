"""A real Chromium against the running product, once at each width: a desk, a tablet, a phone."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Error, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "functions"))

from api_rig import world as api_world
from product import Product

SIZES = {1440: 900, 768: 1024, 390: 844}
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
expect.set_options(timeout=10_000)


@pytest.fixture(scope="session")
def chromium():
    """Debian's, not a downloaded one."""
    if not CHROMIUM:
        pytest.fail(
            "no chromium was found: install it (Debian: apt-get install chromium), or set CHROMIUM to its path", False
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def product(tmp_path_factory):
    with Product(tmp_path_factory.mktemp("run")) as running:
        running.reaches("running", "search", "answers-llm")
        yield running


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """The API where people sign in with tokens; the users are those of tests/functions/api_rig.py."""
    with api_world(tmp_path_factory.mktemp("api")) as made:
        yield made


@pytest.fixture(scope="session")
def token_api(world):
    with world.api(AUTH="token") as client:
        world.make("blue", "seen")
        world.make("green", "hidden")
        boss = {"authorization": "Bearer root-token"}
        for namespace, name in (("blue", "seen"), ("green", "hidden")):
            client.get(f"/api/v1/namespaces/{namespace}/models/{name}/status", headers=boss).raise_for_status()
        world.synced()
        yield client


@pytest.fixture(params=SIZES, ids=lambda width: f"{width}px")
def width(request):
    return request.param


def sideways(page):
    """By how many pixels it sticks out. A page whose model a test has deleted may be on its way to the one that says so."""
    wider = "document.documentElement.scrollWidth - innerWidth"
    try:
        return page.evaluate(wider)
    except Error:
        page.wait_for_load_state()
        return page.evaluate(wider)


@pytest.fixture
def opened(chromium, product, width):
    """Opens a page of the product; at the end nothing may have gone wrong in it, and nothing may stick out of it."""
    contexts = []

    def open_page(path="/", *, live=True, base=None, **options):
        size = {"width": width, "height": SIZES[width]}
        context = chromium.new_context(viewport=size, base_url=base or product.url, **options)
        contexts.append(context)
        page = context.new_page()
        page.wrong = []
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        page.on("console", lambda said: page.wrong.append(said.text) if "Security Policy" in said.text else None)
        page.goto(path)
        if live:
            expect(page.locator("#link")).to_have_text("live")
        return page

    yield open_page
    for context in contexts:
        for page in context.pages:
            page.wait_for_load_state()
            assert page.wrong == []
            assert sideways(page) <= 0, "it sticks out sideways"
        context.close()
