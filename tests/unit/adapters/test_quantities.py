"""Quantities as Kubernetes reads them, and what it never lets in."""

import re
from decimal import Decimal, localcontext

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from functions.adapters.quantities import LARGEST, parse_quantity
from functions.lifecycle.quantity import format_memory, format_quantity, memory_in_bytes


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500m", "0.5"),
        ("8Gi", 8 * 1024**3),
        ("1G", 10**9),
        ("2", 2),
        ("1e3", 1000),
        ("1E3", 1000),
        ("1E", 10**18),
        ("1Ei", 2**60),
        ("100u", "0.0001"),
        ("100n", "1e-7"),
        ("+1", 1),
        ("-1Ki", -1024),
        (".5", "0.5"),
        ("5.", 5),
        (None, 0),
        (4, 4),
        (0.1, "0.1"),
        ("1.5Ki", 1536),
    ],
)
def test_every_form(text, value):
    assert parse_quantity(text) == Decimal(str(value))


@pytest.mark.parametrize(
    "text", ["8Ei", "10E", "16Ei", "1e999999999", "9" * 60, 10**5000, 1e308, "1e20Ei"], ids=lambda _: ""
)
def test_what_is_too_large_is_capped_as_kubernetes_does(text):
    assert parse_quantity(text) == LARGEST
    assert format_memory(parse_quantity(text)) == "8589934592Gi"


@pytest.mark.parametrize(
    ("text", "value"), [("1e-999999999", "1e-9"), ("0.5n", "1e-9"), ("1.0000000001", "1.000000001")]
)
def test_what_is_too_fine_is_rounded_up_as_kubernetes_does(text, value):
    assert parse_quantity(text) == Decimal(value)


NONSENSE = [
    "",
    "8 Gi",
    " 1",
    "1\n",
    "many",
    "1Zi",
    "--1",
    "NaN",
    "sNaN1",
    "Infinity",
    "-inf",
    "1_000",
    "٣",
    "1ki",
    "1ui",
]
NONSENSE += ["9" * 5000, "1e99999999999999999999", True, [], {}, float("nan"), float("inf"), b"1"]


@pytest.mark.parametrize("text", NONSENSE, ids=lambda text: repr(text)[:20])
def test_nonsense_is_named_with_what_was_expected(text):
    with pytest.raises(
        ValueError, match=r"is not a Kubernetes quantity; expected a number with a suffix such as 500m"
    ) as told:
        parse_quantity(text)
    assert len(str(told.value)) < 200


@given(
    st.text(max_size=12)
    | st.floats()
    | st.integers()
    | st.from_regex(r"[+-]?[0-9.]{1,9}([eE][+-]?[0-9]{1,9})?([numkMGTPE]i?)?")
)
def test_whatever_it_is_it_is_a_number_that_can_be_written_or_no_quantity(value):
    try:
        found = parse_quantity(value)
    except ValueError:
        return
    assert abs(found) <= LARGEST
    assert len(format_quantity(found)) < 40
    assert int(found) <= LARGEST


# apimachinery's resource.Quantity: <sign><digits with a point><suffix>, or an exponent in its place.
LEGAL = r"[+-]?([0-9]{1,6}(\.[0-9]{0,6})?|\.[0-9]{1,6})([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?"
FACTORS = {
    unit: Decimal(1000) ** power for power, unit in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)
}
FACTORS |= {f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)}


@given(st.from_regex(LEGAL, fullmatch=True))
def test_every_legal_form_is_the_number_that_it_says(text):
    assume(text.isascii())
    number, suffix = re.fullmatch(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)(.*)", text).groups()
    with localcontext(prec=120):
        exact = Decimal(number) * FACTORS[suffix]
        read = parse_quantity(text)
        assert read == (exact if abs(exact) <= LARGEST else LARGEST.copy_sign(exact)) or abs(read - exact) < Decimal(
            "1e-9"
        )


@pytest.mark.parametrize("memory", ["1Ei", "1E", "1e18", "9.2E", ".5Ei", "8191Pi"])
def test_a_quota_or_a_request_of_that_size_is_shown_and_compared(memory):
    assert parse_quantity(memory) > parse_quantity("100Ti")
    assert memory_in_bytes(format_memory(parse_quantity(memory))) == pytest.approx(int(parse_quantity(memory)))
