"""A model's page, capacity, audit."""

import uuid

from playwright.sync_api import expect
from product import wait_for
from rows import at_a_desk


def test_a_models_page_tells_its_story(opened, product, width):
    with product.model("fraud", f"story-{width}") as name:
        page = opened(f"/models/fraud/InferenceService/{name}")
        expect(page.locator(".pods")).to_contain_text("ContainersReady")
        expect(page.locator("#starting ~ p", has_text="No start was observed")).to_be_visible()
        product.publish("stop", "fraud", name, event_id := f"nightly-{uuid.uuid4()}", reason="night", actor="scheduler")
        expect(page.locator(".headline .word")).to_have_text("stopped", timeout=15_000)
        expect(page.locator("body")).to_contain_text("No pod is left")
        expect(page.locator(".card", has_text="Receipt")).to_contain_text("0 GPUs, 512 MiB, 1 pod")
        expect(page.locator(".card", has_text="Holds that")).to_contain_text("(claims to be scheduler): night.")
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
    expect(page).to_have_title("(!) geo-velocity · modelswitch")


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


def test_an_event_that_died_is_sent_again_with_all_that_it_carried(opened, product, width):
    """A stop that a wrong Trigger delivered to the function for artifacts, which refused it."""
    event_id, name = f"lost-{uuid.uuid4()}", f"lost-{width}"
    with product.model("fraud", name, shutdown_seconds=1):
        product.publish(
            *("stop", "fraud", name, event_id),
            to=product.function_url("artifact_written"),
            correlation=f"run-{width}",
            reason="drift",
            timeout="7m",
        )
        page = opened(f"/audit?q={event_id}")
        entry = page.locator(".entries li").first
        expect(entry).to_contain_text("is not for this function")
        entry.locator(".letter summary").click()
        expect(entry.locator(".letter pre")).to_contain_text('"timeout": "7m"')
        sent = []
        page.on("request", lambda one: sent.append(one) if ":stop" in one.url else None)
        entry.get_by_role("button", name="Send again").click()
        expect(page.locator("dialog [name=reason]")).to_have_value("drift")
        expect(page.locator("dialog [name=timeout] option:checked")).to_contain_text("7m, as asked first")
        page.locator("dialog [type=submit]").click()
        expect(page.locator("dialog #summary")).to_have_text("1 of 1 stopped.", timeout=15_000)
        assert sent[0].headers["x-correlation-id"] == f"run-{width}"
        assert sent[0].headers["idempotency-key"] != event_id
        page.locator("dialog [data-close]").click()
        page.goto(f"/audit?show=all&q=run-{width}")
        expect(page.locator(".entries li", has_text="Stop accepted")).to_have_count(1)
        expect(page.locator(".entries li", has_text=event_id)).to_have_count(1)


@at_a_desk
def test_an_event_that_is_no_stop_and_no_start_is_shown_before_it_is_sent_again(opened, product, width):
    """A reload that the function for artifacts refused; the model has no such artifact, and that is then said."""
    event_id = f"lost-{uuid.uuid4()}"
    artifact = {"uri": "gs://models/other", "digest": f"sha256:{'0' * 64}", "size": 1}
    url = product.function_url("artifact_written")
    product.publish("reload", "fraud", "card-fraud", event_id, to=url, correlation="run-r", artifact=artifact)
    page = opened(f"/audit?q={event_id}")
    page.get_by_role("button", name="Send again").click()
    dialog = page.locator("dialog")
    expect(dialog).to_contain_text("dev.modelswitch.model.reload-requested.v1")
    expect(dialog.locator("pre")).to_contain_text("gs://models/other")
    dialog.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#toast")).to_contain_text("does not load gs://models/other")
    page.goto("/audit?q=run-r")
    expect(page.locator(".entries li", has_text="Reload refused")).to_have_count(1)


@at_a_desk
def test_the_timeline_times_the_steps_of_a_reload(opened, product, width):
    with product.model("fraud", "renewed", start_seconds=2) as name:
        artifact = {"uri": "gs://models/iris", "digest": f"sha256:{'7' * 64}", "size": 1}
        product.publish("reload", "fraud", name, event_id := f"train-{uuid.uuid4()}", artifact=artifact)
        page = opened(f"/models/fraud/InferenceService/{name}")
        steps = page.locator(".timeline li")
        done = steps.filter(has_text="Reloaded").filter(has_text=event_id)
        expect(done).to_have_count(1, timeout=20_000)
        expect(done).to_contain_text(" in all")
        expect(steps.filter(has_text="New pods are made").locator(".took")).to_contain_text("after ")
        expect(steps.filter(has_text="Reload accepted")).to_contain_text(event_id)
        seconds = float(done.locator(".took").last.inner_text().split(" ")[0])
        assert 1.5 < seconds < 20, "the pretended container takes two seconds to start"
