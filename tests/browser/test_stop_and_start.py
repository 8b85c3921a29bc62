"""Stopping and starting by button: what is said before, what is seen meanwhile, what is told after."""

from playwright.sync_api import expect
from rows import ask, at_a_desk, confirm, row, shows


@at_a_desk
def test_a_stop_says_what_will_happen_and_then_does_it(opened, product):
    page = opened()
    dialog = ask(page, "answers-llm", "Stop")
    expect(dialog).to_contain_text("1 pod will end")
    expect(dialog).to_contain_text("2 GPUs and 32 GiB of memory come free")
    expect(dialog).to_contain_text("Requests in flight: unknown")
    expect(dialog).to_contain_text("No InferenceGraph uses it")
    assert product.status("search", "answers-llm")["state"] == "running", "nothing may happen before the confirmation"
    dialog.locator("[name=reason]").fill("night")
    confirm(page, "stop")
    expect(dialog.locator("#summary")).to_have_text("1 of 1 stopped.", timeout=15_000)
    dialog.locator("[data-close]").click()
    stopped = row(page, "answers-llm")
    expect(stopped.locator(".freed").first).to_have_text("2 freed")
    expect(stopped.locator(".said")).to_contain_text("by local")
    expect(stopped.locator(".why")).to_have_text("night")
    shows(page, "translator", "running", 20)  # it waited for those very GPUs
    ask(page, "translator", "Stop")
    confirm(page, "stop")
    page.locator("dialog [data-close]").click()
    shows(page, "translator", "stopped", 20)
    dialog = ask(page, "answers-llm", "Start")
    expect(dialog).to_contain_text("2 GPUs will be needed")
    confirm(page, "start")
    expect(dialog.locator("#summary")).to_have_text("1 of 1 running.", timeout=20_000)
    product.command("start", "search", "translator")
    page.locator("dialog [data-close]").click()
    shows(page, "translator", "error", 20)


@at_a_desk
def test_cancelling_does_nothing(opened, product):
    page = opened()
    dialog = ask(page, "card-fraud", "Stop")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    ask(page, "card-fraud", "Stop")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert product.status("fraud", "card-fraud")["desired"] == "running"


def test_force_is_a_choice_of_its_own_and_wants_the_name_typed(opened, product, width):
    page = opened()
    with product.model("fraud", f"long-{width}", shutdown_seconds=20) as name:
        shows(page, name, "running")
        dialog = ask(page, name, "Stop")
        submit = dialog.locator("[type=submit]")
        expect(submit).to_be_enabled()
        dialog.get_by_label("Force: end it at once.").check()
        expect(submit).to_be_disabled()
        dialog.locator("[name=typed]").fill(name[:-1])
        expect(submit).to_be_disabled()
        dialog.locator("[name=typed]").fill(name)
        confirm(page, "stop")
        expect(dialog.locator("#summary")).to_have_text("1 of 1 stopped.", timeout=15_000)
        assert product.status("fraud", name)["receipt"]["grace"][0]["grace_seconds"] == 1


@at_a_desk
def test_requests_in_flight_are_counted_where_the_pods_tell_and_unknown_elsewhere(opened, product):
    page = opened()
    with (
        product.model("fraud", "busy", requests_in_flight=3),
        product.model("fraud", "idle", requests_in_flight=0),
        product.model("fraud", "silent"),
    ):
        said = {
            "busy": "Requests in flight: 3, by",
            "idle": "Requests in flight: 0, by",
            "silent": "in flight: unknown",
        }
        for name, words in said.items():
            shows(page, name, "running")
            dialog = ask(page, name, "Stop")
            expect(dialog.locator(".requests")).to_contain_text(words)
            dialog.get_by_role("button", name="Cancel").click()
        for name in said:
            row(page, name).locator(".pick").check()
        page.locator("#stop-many").click()
        expect(page.locator("dialog .requests")).to_contain_text("Requests in flight: at least 3, by")
        expect(page.locator("dialog .which li", has_text="busy")).to_contain_text("3 requests in flight")
        expect(page.locator("dialog .which li", has_text="silent")).not_to_contain_text("in flight")


@at_a_desk
def test_graphs_that_ask_the_model_are_named(opened):
    dialog = ask(opened(), "anomaly-detector", "Stop")
    expect(dialog.locator(".warn")).to_contain_text("dispute-pipeline asks anomaly-detector")


def test_many_are_stopped_at_once_and_started_again(opened, product):
    page = opened()
    chosen = ("card-fraud", "chargeback", "legacy-rules")
    for name in chosen:
        row(page, name).locator(".pick").check()
    expect(page.locator("#picked")).to_have_text("3 selected")
    page.locator("#stop-many").click()
    dialog = page.locator("dialog")
    expect(dialog.locator("h2")).to_have_text("Stop 2 models?")
    expect(dialog.locator(".left-out")).to_contain_text("legacy-rules fraud: It is stopped already.")
    confirm(page, "stop")
    expect(dialog.locator("#summary")).to_have_text("2 of 2 stopped.", timeout=20_000)
    dialog.locator("[data-close]").click()
    expect(page.locator("#toolbar")).to_be_hidden()
    for name in chosen[:2]:
        row(page, name).locator(".pick").check()
    expect(page.locator("#stop-many")).to_have_attribute("aria-disabled", "true")
    assert "None of the selected models can be stopped" in page.locator("#stop-many").get_attribute("title")
    page.locator("#start-many").click()
    confirm(page, "start")
    expect(dialog.locator("#summary")).to_have_text("2 of 2 running.", timeout=20_000)


def test_more_than_ten_want_a_phrase_typed(opened):
    page = opened()
    for box in page.locator(".pick").all():
        box.check()
    page.locator("#stop-many").click()
    dialog = page.locator("dialog")
    expect(dialog.locator("h2")).to_have_text("Stop 11 models?")
    expect(dialog.locator("[type=submit]")).to_be_disabled()
    dialog.locator("[name=typed]").fill("stop 11 models")
    expect(dialog.locator("[type=submit]")).to_be_enabled()
    dialog.get_by_role("button", name="Cancel").click()
    page.locator("#pick-none").click()
    expect(page.locator("#toolbar")).to_be_hidden()


def test_what_failed_is_told_with_its_reason_and_tried_again(opened, product, width):
    """The model goes between the confirmation and the stop, and is there again for the second try."""
    page = opened()
    with product.model("fraud", f"fickle-{width}") as name:
        shows(page, name, "running")
        ask(page, name, "Stop")
        keys = []
        page.on(
            "request", lambda sent: keys.append(sent.headers.get("idempotency-key")) if ":stop" in sent.url else None
        )
        product.remove("fraud", name)
        confirm(page, "stop")
        dialog = page.locator("dialog")
        expect(dialog.locator("#summary")).to_have_text("0 of 1 stopped, 1 failed.")
        expect(dialog.locator(".item-failed")).to_contain_text("Check the name")
        product.make("fraud", name)
        dialog.locator("#retry").click()
        expect(dialog.locator("#summary")).to_have_text("1 of 1 stopped.", timeout=15_000)
        assert len(keys) == len(set(keys)) == 2


def test_a_button_that_cannot_work_is_off_and_says_why(opened, product, width):
    page = opened()
    with product.model("fraud", f"queue-{width}", shutdown_seconds=6) as name:
        product.command("stop", "fraud", name)
        shows(page, name, "stopping")
        dialog = ask(page, name, "Start")
        expect(dialog).to_contain_text("starts when the last pod is gone")
        confirm(page, "start")
        dialog.locator("[data-close]").click()
        product.status("fraud", name)
        page.reload()
        button = row(page, name).get_by_role("button", name=f"Start {name}")
        expect(button).to_have_attribute("aria-disabled", "true")
        described = page.locator(f"#{button.get_attribute('aria-describedby')}")
        expect(described).to_contain_text("A start is waiting already")
        button.click(force=True)
        expect(page.locator("#toast")).to_contain_text("A start is waiting already")
        expect(dialog).to_be_hidden()


@at_a_desk
def test_two_people_who_stop_and_start_at_once_see_the_same_true_end(opened, product):
    one, two = opened(), opened()
    ask(one, "card-fraud", "Stop")
    confirm(one, "stop")
    one.locator("dialog [data-close]").click()
    shows(two, "card-fraud", "stopped", 15)
    ask(two, "card-fraud", "Start")
    product.command("start", "fraud", "card-fraud", reason="was quicker")
    confirm(two, "start")
    expect(two.locator("dialog #summary")).to_have_text("1 of 1 running.", timeout=15_000)
    two.locator("dialog [data-close]").click()
    for page in (one, two):
        shows(page, "card-fraud", "running", 15)
        page.goto("/models/fraud/InferenceService/card-fraud")
        expect(page.locator(".timeline")).to_contain_text("Start accepted")
        page.goto("/")
