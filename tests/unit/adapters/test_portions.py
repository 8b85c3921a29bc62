"""Which models of a page have their pods listed together."""

from urllib.parse import quote

from functions.adapters.kserve.portions import NAMESPACES_APART, portions


def item(namespace, name):
    return {"metadata": {"namespace": namespace, "name": name}}


def test_each_namespace_gets_a_list_of_its_own():
    page = [item("blue", "a"), item("blue", "b"), item("green", "a")]
    assert list(portions(page)) == [("blue", page[:2]), ("green", page[2:])]


def test_more_namespaces_than_lists_are_worth_are_listed_together():
    page = [item(f"team-{number:02d}", "iris") for number in range(NAMESPACES_APART + 1)]
    assert list(portions(page)) == [(None, page)]
    assert len(list(portions(page[:-1]))) == NAMESPACES_APART


def test_the_names_of_one_list_fit_into_a_url():
    page = [item("blue", f"{number:063d}") for number in range(500)]
    found = list(portions(page))
    assert [one for _, some in found for one in some] == page
    assert {place for place, _ in found} == {"blue"}
    urls = [quote(",".join(one["metadata"]["name"] for one in some)) for _, some in found]
    assert max(map(len, urls)) < 6_500
    assert len(found) < 10


def test_an_empty_page_needs_no_list():
    assert list(portions([])) == []
