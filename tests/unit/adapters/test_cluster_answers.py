"""Answers of an API server, or of a proxy before it, that are not what was asked for."""

import json

import pytest
from aiohttp import web

from functions.adapters.bounded_json import DEEPEST
from functions.adapters.cluster import LARGEST, PAGE, Forbidden, Missing
from functions.lifecycle.errors import ClusterRefused, ClusterUnavailable


def nested(levels):
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Please sign in</html>",
        b"[]",
        b'"ok"',
        b"null",
        b"3",
        b'{"a": ',
        b"\xff\xfe",
        b'{"a": ' + nested(5000),
        nested(5000),
    ],
    ids=["html", "list", "string", "null", "number", "cut", "no-utf8", "cut-and-deep", "deep-list"],
)
async def test_what_is_no_object_is_no_answer_of_an_api_server(cluster, api_server, body):
    api_server.answers = lambda _: web.Response(body=body, content_type="application/json")
    with pytest.raises(ClusterUnavailable, match="not a JSON object"):
        await cluster.get("/version")


@pytest.mark.parametrize("status", [400, 403, 404, 422, 500, 502])
async def test_an_error_without_a_status_object_keeps_its_meaning(cluster, api_server, status):
    meant = {403: Forbidden, 404: Missing, 500: ClusterUnavailable, 502: ClusterUnavailable}.get(status, ClusterRefused)
    for body in (
        b"<html>no</html>",
        b"[]",
        nested(5000),
        b'{"message": {"a": 1}}',
        b'{"details": [], "reason": 3}',
        b"",
    ):
        api_server.answers = lambda _, body=body: web.Response(status=status, body=body)
        with pytest.raises(meant):
            await cluster.json_patch("/api/v1/things/x", [])


@pytest.mark.parametrize("odd", ["", "text", 3, True, None, ["a"]], ids=str)
async def test_what_is_no_object_in_a_list_costs_none_of_its_neighbours(cluster, api_server, odd):
    fine = [{"metadata": {"name": "first"}}, {"metadata": {"name": "last"}}]
    api_server.answers = lambda _: web.json_response({"items": [fine[0], odd, fine[1]]})
    assert await cluster.list_all("/api/v1/things") == fine


@pytest.mark.parametrize("items", [True, 3, "text", {"a": 1}], ids=str)
async def test_a_list_that_is_none_is_not_taken_for_an_empty_one(cluster, api_server, items):
    api_server.answers = lambda _: web.json_response({"items": items})
    with pytest.raises(ClusterUnavailable, match="`items` is not a list"):
        await cluster.list_all("/api/v1/things")


async def test_one_object_nested_too_deep_leaves_the_others_of_its_page_readable(cluster, api_server):
    item = '{"metadata": {"name": "%s"}, "spec": {"text": "[[{\\"\\\\", "deep": %s, "after": %d}}'
    items = [item % ("odd", nested(5000).decode(), 1), item % ("fine", "[1]", 2)]
    text = f'{{"items": [{", ".join(items)}], "metadata": {{"continue": ""}}}}'
    api_server.answers = lambda _: web.Response(text=text, content_type="application/json")
    odd, fine = await cluster.list_all("/api/v1/things")
    assert fine["spec"] == {"text": '[[{"\\', "deep": [1], "after": 2}
    assert (odd["metadata"]["name"], odd["spec"]["after"]) == ("odd", 1)
    assert json.dumps(odd).count("[") < DEEPEST + 3


async def test_a_page_that_is_too_large_is_read_in_smaller_ones(cluster, api_server):
    """A hundred objects, five of them as large as an object can be, and one page of them all is more than is read."""
    names = [f"model-{number}" for number in range(100)]
    large = "x" * (LARGEST // 4)

    def answer(request):
        start, limit = int(request.query.get("continue", 0)), int(request.query["limit"])
        items = [
            {"name": name, "large": large if int(name[6:]) % 20 == 0 else ""} for name in names[start : start + limit]
        ]
        end = start + limit
        metadata = {"continue": str(end)} if end < len(names) else {}
        return web.json_response({"items": items, "metadata": metadata})

    api_server.answers = answer
    assert [item["name"] for item in await cluster.list_all("/api/v1/things")] == names
    assert int(api_server.asked[0]["limit"]) == PAGE


async def test_an_answer_without_end_is_not_read_to_its_end(cluster, api_server):
    api_server.answers = lambda _: web.Response(body=b'{"a": "' + b"x" * (LARGEST + 1) + b'"}')
    with pytest.raises(ClusterUnavailable, match="larger than"):
        await cluster.get("/version")
    with pytest.raises(ClusterUnavailable, match="larger than"):
        await cluster.list_all("/api/v1/things")
    api_server.answers = lambda _: web.json_response({"kind": "Version"})
    assert await cluster.get("/version") == {"kind": "Version"}
