"""Amounts as people read them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.lifecycle.quantity import format_memory, format_quantity, memory_in_bytes


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
def test_memory_is_read_back_close_to_the_truth(size):
    assert abs(memory_in_bytes(format_memory(size)) - size) <= max(size * 0.006, 6000)


@pytest.mark.parametrize("text", ["", "Gi", "1", "1G", "-1Gi", "1e3Gi", "1.2.3Gi", "NaNGi", "٣Gi", " 1Gi"])
def test_what_was_not_written_here_is_not_read_back(text):
    with pytest.raises(ValueError, match="not an amount of memory"):
        memory_in_bytes(text)
