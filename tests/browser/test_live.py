"""What changes while somebody looks: at once, from wherever it came, and across a lost connection."""

import time

from playwright.sync_api import expect
from rows import at_a_desk, row, shows


def test_a_change_is_on_the_page_within_a_second(opened, product):
    page = opened()
    product.command("stop", "fraud", "device-risk", reason="elsewhere")
    shows(page, "device-risk", "stopping", 1)
    product.reaches("stopped", "fraud", "device-risk", 60)
    shows(page, "device-risk", "stopped", 1)
    expect(row(page, "device-risk").locator(".why")).to_have_text("elsewhere")
    expect(page.locator("#count-stopped")).to_have_text("2", timeout=3000)
    product.command("start", "fraud", "device-risk")
    shows(page, "device-risk", "running", 20)


def test_a_change_from_outside_shows_within_five_seconds_and_says_so(opened, product):
    page = opened()
    product.annotate("fraud", "card-fraud", "true")
    expect(row(page, "card-fraud").locator(".outside")).to_be_visible(timeout=5000)
    expect(row(page, "card-fraud").locator(".who")).to_contain_text("kubectl-annotate")
    shows(page, "card-fraud", "stopped")
    product.annotate("fraud", "card-fraud", None)
    shows(page, "card-fraud", "running", 20)
    expect(row(page, "card-fraud").locator(".outside")).to_have_count(0)


@at_a_desk
def test_models_come_and_go_by_themselves(opened, product, width):
    page = opened()
    with product.model("fraud", f"guest-{width}") as name:
        shows(page, name, "running")
    expect(row(page, name)).to_have_count(0)


@at_a_desk
def test_the_page_of_a_model_that_was_deleted_says_so(opened, product, width):
    with product.model("fraud", f"gone-{width}") as name:
        page = opened(f"/models/fraud/InferenceService/{name}")
        expect(page.locator(".headline .word")).to_have_text("running")
    expect(page.locator("h1")).to_have_text("Not found")
    expect(page.locator(".message")).to_contain_text("kubectl get inferenceservices -n fraud")


def test_trouble_is_in_the_title_and_the_icon(opened, product, width):
    page = opened()
    expect(page).to_have_title("(2) Models · modelswitch")
    expect(page.locator("#favicon")).to_have_attribute("href", "/static/icon-trouble.svg")
    name = product.make("fraud", f"sick-{width}", wait=False, runtime="sklearn-nightly")
    expect(page).to_have_title("(3) Models · modelswitch")
    product.remove("fraud", name)
    expect(page).to_have_title("(2) Models · modelswitch")


@at_a_desk
def test_capacity_and_audit_count_the_models_in_trouble_too(opened):
    for path, title in (("/capacity", "Capacity"), ("/audit", "Audit")):
        expect(opened(path)).to_have_title(f"(2) {title} · modelswitch")


@at_a_desk
def test_a_models_page_tells_of_its_own_trouble_only(opened, product, width):
    with product.model("fraud", f"ailing-{width}", wait=False, runtime="sklearn-nightly") as name:
        product.reaches("error", "fraud", name)
        page = opened(f"/models/fraud/InferenceService/{name}")
        expect(page).to_have_title(f"(!) {name} · modelswitch")
        product.command("stop", "fraud", name)
        expect(page.locator(".headline .word")).to_have_text("stopped", timeout=15_000)
        expect(page).to_have_title(f"{name} · modelswitch")
        expect(page.locator("#favicon")).to_have_attribute("href", "/static/icon.svg")
        page.evaluate("document.addEventListener('totals', () => { window.told = true; })")
        with product.model("fraud", f"elsewhere-{width}"):
            page.wait_for_function("window.told")
            expect(page).to_have_title(f"{name} · modelswitch")


@at_a_desk
def test_a_lost_connection_is_shown_and_mends_itself_without_a_gap(opened, product):
    page = opened()
    product.kill("api")
    expect(page.locator("#link")).to_have_text("connection lost, trying again", timeout=5000)
    expect(page).to_have_title("(offline) Models · modelswitch")
    product.annotate("fraud", "card-fraud", "true")  # while nobody listens
    expect(page.locator("#link")).to_have_text("live", timeout=30_000)
    shows(page, "card-fraud", "stopped", 5)
    product.annotate("fraud", "card-fraud", None)
    shows(page, "card-fraud", "running", 20)


@at_a_desk
def test_what_changes_between_the_page_and_its_stream_is_not_missed(opened, product):
    page = opened("about:blank", live=False)
    # A slow network, not a wait: the stream opens only after the change.
    page.route("**/live*", lambda route: (time.sleep(1.5), route.continue_()))
    page.goto("/")
    product.command("stop", "fraud", "chargeback")
    product.reaches("stopped", "fraud", "chargeback")
    shows(page, "chargeback", "stopped", 5)
    product.command("start", "fraud", "chargeback")
    shows(page, "chargeback", "running", 20)
