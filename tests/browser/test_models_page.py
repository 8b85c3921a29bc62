"""The models page: what a row says, and how to find one."""

import re
import time

from playwright.sync_api import expect
from rows import at_a_desk, row, shows


def names(page):
    return page.locator("tr.model .name").all_inner_texts()


def test_a_row_says_state_holdings_and_why(opened):
    page = opened()
    translator, answers = row(page, "translator"), row(page, "answers-llm")
    expect(translator.locator(".word")).to_have_text("error")
    expect(translator.locator(".reason")).to_have_text("Unschedulable")
    expect(translator.locator(".why")).to_contain_text("Insufficient nvidia.com/gpu")
    expect(answers.locator(".gpus")).to_have_text("2")
    expect(answers.locator(".memory")).to_have_text("32 GiB")
    expect(row(page, "legacy-rules").locator(".outside")).to_have_text("from outside")


@at_a_desk
def test_every_state_has_a_shape_of_its_own(opened):
    page = opened()
    shapes = page.evaluate(
        """() => [...document.querySelectorAll('.chip .state')].map(one => {
            const style = getComputedStyle(one.querySelector('.shape'));
            return [style.borderRadius, style.clipPath, style.transform, style.borderStyle].join(' ')})"""
    )
    assert len(shapes) == len(set(shapes)) == 5


def test_the_endpoint_is_copied(opened):
    page = opened(permissions=["clipboard-read", "clipboard-write"])
    row(page, "answers-llm").locator(".copy").click()
    expect(page.locator("#toast")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == "http://answers-llm-search.example.com"


def test_a_view_is_filtered_and_is_in_the_url(opened):
    page = opened()
    page.locator(".chip-error").click()
    expect(page.locator("tr.model")).to_have_count(2)
    page.locator("select[name=namespace]").select_option("search")
    expect(page.locator("tr.model")).to_have_count(1)
    assert "state=error" in page.url
    assert "namespace=search" in page.url
    page.reload()
    assert names(page) == ["translator"]
    page.go_back()
    expect(page.locator("tr.model")).to_have_count(2)
    page.locator("a.clear").click()
    expect(page.locator("tr.model")).to_have_count(12)


@at_a_desk
def test_a_filter_that_was_set_before_its_script_came_counts_too(opened):
    page = opened("about:blank", live=False)
    # A slow network, not a wait: the script comes only after the choice.
    page.route("**/static/filters.js", lambda route: (time.sleep(1), route.continue_()))
    page.goto("/", wait_until="commit")
    page.locator("select[name=namespace]").select_option("search")
    expect(page.locator("tr.model")).to_have_count(4)
    assert page.url.endswith("/?namespace=search")


def test_a_search_finds_names_labels_and_kinds_while_it_is_typed(opened):
    page = opened()
    page.locator("#q").press_sequentially("team=answers")
    expect(page.locator("tr.model")).to_have_count(2)
    expect(page.locator("#q")).to_be_focused()
    page.locator("#q").fill("nothing like it")
    expect(page.locator(".empty h2")).to_have_text("Nothing fits these filters")
    page.locator("#q").fill("llminference")
    expect(page.locator("tr.model .name")).to_have_text(["query-rewriter"])


def test_a_view_is_sorted_and_grouped(opened):
    page = opened()
    page.locator("select[name=sort]").select_option("gpus")
    expect(page.locator("tr.model .name").first).to_have_text("answers-llm")
    page.locator("input[name=group]").check()
    expect(page.locator("tr.group")).to_have_text(["fraud", "search"])
    assert re.search(r"sort=gpus.*group=namespace", page.url)
    page.goto("/?sort=-name")
    assert names(page) == sorted(names(page), reverse=True)


def test_without_javascript_everything_can_be_read_and_filtered(opened):
    page = opened("/?state=error", java_script_enabled=False, live=False)
    assert names(page) == ["geo-velocity", "translator"]
    page.locator("select[name=kind]").select_option("InferenceGraph")
    page.locator(".apply").click()
    expect(page.locator(".empty h2")).to_be_visible()
    assert "modelswitch stop NAMESPACE/NAME" in page.content()
    page.locator(".empty a").click()
    page.get_by_role("link", name="translator").click()
    expect(page.locator("h1")).to_have_text("translator")


@at_a_desk
def test_kserves_word_stands_beside_ours_where_it_differs(opened, product, width):
    page = opened()
    with product.model("fraud", f"slow-{width}", shutdown_seconds=5) as name:
        shows(page, name, "running")
        product.command("stop", "fraud", name)
        shows(page, name, "stopping")
        expect(row(page, name).locator(".kserve-word")).to_have_text("KServe says Stopped", timeout=4000)
        shows(page, name, "stopped")
        expect(row(page, name).locator(".kserve-word")).to_be_hidden()


def test_the_first_visit_shows_what_to_try_until_it_is_closed(opened):
    page = opened()
    expect(page.locator("#tries")).to_contain_text("Stop answers-llm")
    expect(page.locator("#tries")).to_contain_text("translator waits for GPUs")
    expect(page.locator("#tries code").first).to_contain_text("ce-type: dev.modelswitch.model.stop-requested.v1")
    page.locator("#tries summary").click()
    page.reload()
    assert page.locator("#tries").get_attribute("open") is None
