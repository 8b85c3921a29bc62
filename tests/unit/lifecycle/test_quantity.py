"""Quantities as Kubernetes writes them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.lifecycle.quantity import format_memory, parse_quantity


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


def test_memory_as_people_write_it():
    assert format_memory(0) == "0Gi"
    assert format_memory(8 * 1024**3) == "8Gi"
    assert format_memory(512 * 1024**2) == "512Mi"
    assert format_memory(10 * 1024**3) == "10Gi"


@given(st.integers(1, 2**45))
def test_memory_is_a_valid_quantity_close_to_the_truth(size):
    assert abs(parse_quantity(format_memory(size)) - size) <= max(size * 0.006, 6000)
