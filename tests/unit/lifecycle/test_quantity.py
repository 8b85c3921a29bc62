"""Quantities as Kubernetes writes them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.lifecycle.quantity import format_memory, format_quantity, parse_quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [("500m", "0.5"), ("8Gi", 8 * 1024**3), ("1G", 10**9), ("2", 2), ("1e3", 1000), (None, 0), (4, 4), ("1.5Ki", 1536)],
)
def test_every_form(text, value):
    assert parse_quantity(text) == Decimal(str(value))


@pytest.mark.parametrize("text", ["", "8 Gi", "many", "1Zi", "--1"])
def test_nonsense_is_refused(text):
    with pytest.raises(ValueError, match="no Kubernetes quantity"):
        parse_quantity(text)


def test_nonsense_is_named_with_what_was_expected():
    with pytest.raises(
        ValueError, match=r"^'8 Gi' is no Kubernetes quantity; expected a number with a suffix such as 500m"
    ):
        parse_quantity("8 Gi")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (1024**3, "1Gi"),
        (1024**3 - 1024**2, "1023Mi"),
        (1536 * 1024**2, "1.5Gi"),
        (1024**3 * 5 // 3, "1.67Gi"),
        (1024**2 * 5 // 3, "1.67Mi"),
        (100 * 1024**3, "100Gi"),
    ],
)
def test_memory_is_rounded_to_two_digits_and_shown_without_an_exponent(size, text):
    assert format_memory(size) == text


@pytest.mark.parametrize(("value", "text"), [("1.50", "1.5"), ("100", "100"), ("0.250", "0.25")])
def test_other_quantities_are_plain_numbers(value, text):
    assert format_quantity(Decimal(value)) == text


def test_memory_as_people_write_it():
    assert format_memory(0) == "0Gi"
    assert format_memory(8 * 1024**3) == "8Gi"
    assert format_memory(512 * 1024**2) == "512Mi"
    assert format_memory(10 * 1024**3) == "10Gi"


@given(st.integers(1, 2**45))
def test_memory_is_a_valid_quantity_close_to_the_truth(size):
    assert abs(parse_quantity(format_memory(size)) - size) <= max(size * 0.006, 6000)
