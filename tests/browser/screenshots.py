"""Writes docs/images/*.png from the product as it runs: `make screenshots`. Every page, light and dark, desk and phone."""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parent))

from product import ROOT, Product

IMAGES = ROOT / "docs/images"
DESK, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
PAGES = {
    "models": "/",
    "model": "/models/search/InferenceService/answers-llm",
    "capacity": "/capacity",
    "audit": "/audit?show=commands",
}


def scene(product):
    """Something has happened: an event stopped the answers, so the translator runs; somebody was too early."""
    product.reaches("running", "search", "answers-llm")
    product.publish("stop", "search", "answers-llm", "nightly-1", reason="night: nobody asks", actor="scheduler")
    product.reaches("stopped", "search", "answers-llm")
    product.reaches("running", "search", "translator", 60)
    product.command("stop", "fraud", "card-fraud", reason="wrong scores since noon")
    product.publish("stop", "search", "summariser", "nightly-2", reason="night: nobody asks", actor="scheduler")
    product.reaches("stopped", "fraud", "card-fraud")


def take(browser, product, name, size, scheme, *, open_dialog=False):
    context = browser.new_context(viewport=size, color_scheme=scheme, base_url=product.url)
    page = context.new_page()
    page.goto(PAGES[name])
    expect(page.locator("#link")).to_have_text("live")
    if name == "models":
        page.locator("#tries summary").click()
    if open_dialog:
        page.locator('tr.model[data-name="anomaly-detector"] button.act').click()
        expect(page.locator("dialog form")).to_be_visible()
    ending = "-".join(
        part
        for part in (
            name,
            "confirm" if open_dialog else "",
            "phone" if size is PHONE else "",
            scheme if scheme == "dark" else "",
        )
        if part
    )
    page.screenshot(path=IMAGES / f"{ending}.png", full_page=size is DESK and not open_dialog)
    context.close()


def main():
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.stderr.write("no chromium was found; install it (Debian: apt-get install chromium)\n")
        return 1
    with (
        tempfile.TemporaryDirectory() as folder,
        Product(Path(folder)) as product,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"]) as browser,
    ):
        scene(product)
        for name in PAGES:
            take(browser, product, name, DESK, "light")
            take(browser, product, name, PHONE, "light")
        take(browser, product, "models", DESK, "dark")
        take(browser, product, "models", DESK, "light", open_dialog=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
