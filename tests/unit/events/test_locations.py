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
        ("S3://models/a", "s3://models/a", True),
        ("s3://Models/a", "s3://models/a", False),
        ("gcs://models/a", "gs://models/a", True),
        ("HTTPS://Store.example/a", "https://store.example/a", True),
        ("hf://org/repo", "hf://org/repo:main", True),
        ("hf://org/repo:v1", "hf://org/repo:v1", True),
        ("hf://org/repo:v1", "hf://org/repo:v2", False),
        ("hf://org/repo", "hf://org/repo:v2", False),
        ("hf://repo:v1", "hf://repo:v1", True),
        ("hf://repo:main", "hf://repo", True),
        ("oci://registry/a", "oci://registry/a:latest", True),
        ("oci://registry:5000/a:1", "oci://Registry:5000/a:1", True),
        ("oci://registry/a@sha256:1", "oci://registry/a@sha256:2", False),
        ("https://x.blob.core.windows.net/c/m?sv=2024&sp=r&sig=a%2Fb/c", "https://x.blob.core.windows.net/c/m", True),
        ("https://h/c/m?sv=2024&sig=a", "https://h/c/m?sv=2025&sig=b", True),
        ("https://h/m?X-Amz-Date=1&X-Amz-Signature=2", "https://h/m", True),
        ("https://h/m?id=1&Expires=2&Signature=3", "https://h/m?id=1", True),
        ("https://h/m?id=1", "https://h/m?id=2", False),
        ("https://h/m?sp=r", "https://h/m", False),
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
        ("s3://models/%2e%2E/secrets", "leaves its models"),
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


@pytest.mark.parametrize(
    ("written", "loaded", "concerned"),
    [
        ("oci://r/a:1@sha256:new", "oci://r/a:1", True),
        ("oci://r/a:latest@sha256:new", "oci://r/a", True),
        ("oci://r/a@sha256:new", "oci://r/a@sha256:new", True),
        ("oci://r/a:1@sha256:new", "oci://r/a@sha256:new", True),
        ("oci://r/a:1@sha256:new", "oci://r/a:1@sha256:old", False),
        ("oci://r/a:1", "oci://r/a:1@sha256:old", False),
        ("oci://r/a:1@sha256:new", "oci://r/a:2", False),
        ("oci://r/a@sha256:new", "oci://r/a:1", False),
        ("oci://r/b/a:1@sha256:new", "oci://r/a:1", False),
    ],
)
def test_a_tag_that_was_written_concerns_no_model_that_is_pinned_to_another_digest(written, loaded, concerned):
    assert Location.parse(written).overlaps(Location.parse(loaded)) is concerned


@pytest.mark.parametrize("folder", ["a%2Db", "%c3%bc", "100%", "a%20b", "%2e%2e"])
def test_the_path_on_a_claim_is_the_folders_very_name(folder):
    assert Location.parse(f"pvc://models/{folder}").path == folder


def test_what_signs_a_url_is_kept_nowhere():
    assert "secret" not in str(Location.parse("https://x.blob.core.windows.net/c/m?se=1&skoid=2&sig=secret"))


@pytest.mark.parametrize(
    ("uri", "unversioned"),
    [
        ("oci://r:5000/a:1@sha256:d", "oci://r:5000/a"),
        ("oci://r/a@sha256:d", "oci://r/a"),
        ("hf://org/repo:v1", "hf://org/repo"),
        ("hf://repo:v1", "hf://repo"),
        ("s3://b/a:1", "s3://b/a:1"),
    ],
)
def test_what_it_is_a_version_of(uri, unversioned):
    assert str(Location.parse(uri).unversioned) == unversioned


@given(scheme=st.sampled_from(SCHEMES), path=PATHS)
def test_its_text_names_the_same_place(scheme, path):
    location = Location.parse(f"{scheme}://place/{path}/")
    assert Location.parse(str(location)) == location
    assert location.ancestors[-1] == location
    assert all(location.overlaps(above) for above in location.ancestors)
