"""Finding things on the pages the way people do: by a model's name."""

import pytest
from playwright.sync_api import expect

at_a_desk = pytest.mark.parametrize("width", [1440], indirect=True)
"""For what can't depend on the width: it is tried at one."""


def row(page, name):
    return page.locator(f'tr.model[data-name="{name}"]')


def shows(page, name, state, seconds=10):
    expect(row(page, name).locator(".word")).to_have_text(state, timeout=seconds * 1000)


def confirm(page, verb):
    """What the open confirmation's own button does."""
    page.locator("dialog .confirm [type=submit]").click()
    expect(page.locator("dialog .progress")).to_be_visible()


def ask(page, name, verb):
    row(page, name).get_by_role("button", name=f"{verb} {name}").click()
    dialog = page.locator("dialog")
    expect(dialog.locator("form.confirm")).to_be_visible()
    return dialog
