"""Storage URIs: what they name, which of them touch, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.location import SCHEMES, Location

PATHS = st.lists(st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True), max_size=4).map("/".join)


@pytest.mark.parametrize(
    ("one", "other", "touch"),
    [
        ("pvc://models/a", "pvc://models/a", True),
        ("pvc://models/a", "pvc://models/a/model.pkl", True),
        ("pvc://models", "pvc://models/a", True),
        ("pvc://models/a", "pvc://models/ab", False),
        ("pvc://models/a", "pvc://other/a", False),
        ("s3://models/a", "pvc://models/a", False),
        ("oci+native://registry/a:1", "oci://registry/a:1", True),
        ("oci+fetch://registry/a:1", "oci+native://registry/a:1", True),
        ("oci://registry/a:1", "oci://registry/a:2", False),
        ("s3://models/%c3%bcben", "s3://models/üben", True),
        ("s3://models/a%2db", "s3://models/a-b", True),
        ("s3://models/a%20b", "s3://models/a%20b/c", True),
        ("s3://models/a%2fb", "s3://models/a%2Fb", True),
        ("s3://models/a%2Fb", "s3://models/a/b", False),
        ("s3://models/100%", "s3://models/100%", True),
        ("s3://models/%FF", "s3://models/%ff", True),
    ],
)
def test_which_touch(one, other, touch):
    assert Location.parse(one).overlaps(Location.parse(other)) is touch
    assert Location.parse(other).overlaps(Location.parse(one)) is touch


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("ftp://host/a", "no scheme that KServe loads from"),
        ("models/a", "no scheme"),
        ("", "no scheme"),
        ("pvc:///a", "no scheme"),
        ("pvc://models/../secrets", "leaves its models"),
        ("pvc://models/a/./b", "leaves its models"),
        ("pvc://models/%2e%2E/secrets", "leaves its models"),
        ("pvc://Models/a", "names no claim"),
        ("s3://bucket/a b", "a space"),
        ("s3://bucket/a\\b", "backslash"),
        ("s3://bucket/a\nb", "control character"),
        ("s3://bucket/" + "a" * 3000, "3012 characters"),
    ],
)
def test_what_is_refused_says_why(uri, words):
    with pytest.raises(ValueError, match=words):
        Location.parse(uri)


@given(scheme=st.sampled_from(SCHEMES), path=PATHS)
def test_its_text_names_the_same_place(scheme, path):
    location = Location.parse(f"{scheme}://place/{path}/")
    assert Location.parse(str(location)) == location
    assert location.ancestors[-1] == location
    assert all(location.overlaps(above) for above in location.ancestors)
