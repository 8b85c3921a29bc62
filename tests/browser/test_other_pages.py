"""A model's page, capacity, audit."""

import uuid

from playwright.sync_api import expect
from product import wait_for
from rows import at_a_desk


def test_a_models_page_tells_its_story(opened, product, width):
    with product.model("fraud", f"story-{width}") as name:
        page = opened(f"/models/fraud/InferenceService/{name}")
        expect(page.locator(".pods")).to_contain_text("ContainersReady")
        expect(page.locator("#starting ~ p", has_text="No start was seen")).to_be_visible()
        product.publish("stop", "fraud", name, event_id := f"nightly-{uuid.uuid4()}", reason="night", actor="scheduler")
        expect(page.locator(".headline .word")).to_have_text("stopped", timeout=15_000)
        expect(page.locator("body")).to_contain_text("No pod is left")
        expect(page.locator(".card", has_text="Receipt")).to_contain_text("0 GPUs, 512 MiB, 1 pod")
        expect(page.locator(".card", has_text="Holds that")).to_contain_text("Stopped by scheduler: night.")
        timeline = page.locator(".timeline")
        expect(timeline).to_contain_text(event_id)
        expect(timeline).to_contain_text("/tests/pipeline")
        expect(timeline.locator(".took").first).to_contain_text(" s")
        page.get_by_role("button", name=f"Start {name}").click()
        page.locator("dialog [type=submit]").click()
        expect(page.locator("dialog #summary")).to_have_text("1 of 1 running.", timeout=15_000)
        page.locator("dialog [data-close]").click()
        expect(page.locator("body")).to_contain_text("The next start is expected to take")


@at_a_desk
def test_a_models_page_has_the_same_as_commands(opened, product, width):
    with product.model("fraud", f"spelled-{width}") as name:
        page = opened(f"/models/fraud/InferenceService/{name}")
        texts = page.locator(".command code").all_text_contents()
        assert any(text.startswith(f"modelswitch stop fraud/{name}") for text in texts)
        curl = next(text for text in texts if "/api/v1/" in text)
        assert f"{product.url}/api/v1/namespaces/fraud/models/{name}/stop" in curl
        event = next(text for text in texts if "ce-type: dev.modelswitch.model.stop-requested.v1" in text)
        assert product.broker in event
        assert f"ce-subject: namespaces/fraud/inferenceservices/{name}" in event


def test_errors_stand_with_what_to_do_next(opened):
    page = opened("/models/fraud/InferenceService/geo-velocity")
    expect(page.locator(".notice")).to_contain_text("ImagePullBackOff")
    expect(page.locator(".failures")).to_contain_text("Check the image's name")
    expect(page.locator(".pods .trouble")).to_contain_text("Back-off pulling image")
    expect(page).to_have_title("(1) geo-velocity · modelswitch")


@at_a_desk
def test_a_model_that_is_not_there_is_said_in_plain_words(opened):
    page = opened("/models/fraud/InferenceService/nobody", live=False)
    expect(page.locator("h1")).to_have_text("Not found")
    expect(page.locator(".message")).to_contain_text("kubectl get inferenceservices -n fraud")


def test_capacity_is_a_picture_with_its_numbers(opened, product):
    page = opened("/capacity")
    search, fraud = (page.locator("tbody tr", has_text=name) for name in ("search", "fraud"))
    expect(search.locator("td").first).to_contain_text("4 held, no quota · 2 waited for")
    expect(fraud.locator("td").first).to_contain_text("0 held of 1 allowed")
    widths = search.locator("svg").first.locator("rect").evaluate_all("all => all.map(one => one.getBBox().width)")
    assert [round(width) for width in widths] == [1000, 667, 333]
    assert fraud.locator("svg").first.locator(".bar-mark").count() == 1
    product.command("stop", "search", "embeddings")
    expect(search.locator("td").first).to_contain_text("1 freed", timeout=15_000)
    expect(page.locator(".plain-table")).to_contain_text("embeddings")
    product.command("start", "search", "embeddings")
    expect(search.locator("td").first).to_contain_text("4 held", timeout=15_000)


def test_what_was_refused_is_found_and_sent_again_under_a_new_id(opened, product, width):
    name, event_id = f"late-{width}", f"early-{uuid.uuid4()}"
    product.publish("stop", "fraud", name, event_id, reason="too early")
    page = opened(f"/audit?q={event_id}")

    def found():
        page.reload()
        return page.locator(".entries li", has_text="NotFound").count()

    wait_for(found, "the refused command is in the audit")
    entry = page.locator(".entries li", has_text="NotFound").first
    expect(entry).to_contain_text("Stop refused")
    with product.model("fraud", name):
        sent = []
        page.on("request", lambda one: sent.append(one.headers) if ":stop" in one.url else None)
        entry.get_by_role("button", name="Send again").click()
        expect(page.locator("dialog [name=reason]")).to_have_value("too early")
        page.locator("dialog [type=submit]").click()
        expect(page.locator("dialog #summary")).to_have_text("1 of 1 stopped.", timeout=15_000)
        assert sent[0]["x-correlation-id"] == event_id
        assert sent[0]["idempotency-key"] != event_id


@at_a_desk
def test_what_is_poison_is_in_the_audit_and_says_why_it_cannot_be_sent_again(opened, product):
    page = opened("/audit")
    product.publish("stop", "no namespace", "x", marker := f"poison-{uuid.uuid4()}")

    def found():
        page.goto(f"/audit?q={marker}")
        return page.locator(".entries li").count()

    wait_for(found, "the poison is in the audit", 30)
    expect(page.locator(".entries")).to_contain_text("Can't be sent again from here")
    expect(page.locator(".entries")).to_contain_text("names no model")
