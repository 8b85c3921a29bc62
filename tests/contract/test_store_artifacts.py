"""Which models an artifact concerns, from the index on a real Redis: no record is read, no list is made."""

import asyncio
import time
from datetime import UTC, datetime

from events.location import Location
from events.model import Kind, ModelRef
from events.status import State
from functions.lifecycle.record import Record
from functions.reconcile.ports import Commit

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def record(name, *artifacts, namespace="fraud", kind=Kind.INFERENCE_SERVICE, version=1):
    ref = ModelRef(namespace=namespace, name=name, kind=kind)
    return Record(
        ref=ref, uid=name, version=version, pods_version=1, state=State.RUNNING, observed_at=NOW, artifacts=artifacts
    )


async def known(store, *records, expected=0):
    await asyncio.gather(*map(store.commit, [Commit(one.ref, expected, one) for one in records]))


async def names(store, uri, namespace="fraud"):
    return [ref.name for ref in await store.concerned(Location.parse(uri), namespace)]


async def test_the_very_place_what_is_inside_it_and_what_it_is_in(store):
    await known(
        store,
        record("exact", "pvc://models/a"),
        record("inside", "pvc://models/a/b"),
        record("whole", "pvc://models"),
        record("neighbour", "pvc://models/ab"),
        record("elsewhere", "pvc://other/a"),
    )
    assert await names(store, "pvc://models/a") == ["exact", "inside", "whole"]
    assert await names(store, "pvc://models/a/model.pkl") == ["exact", "whole"]
    assert await names(store, "pvc://models") == ["exact", "inside", "neighbour", "whole"]
    assert await names(store, "pvc://nothing") == []


async def test_a_claim_is_its_namespaces_and_a_bucket_everybodys(store):
    await known(
        store,
        record("mine", "pvc://models/a", "s3://bucket/a"),
        record("yours", "pvc://models/a", "s3://bucket/a", namespace="search"),
    )
    assert await names(store, "pvc://models/a") == ["mine"]
    assert await names(store, "pvc://models/a", "search") == ["yours"]
    assert await names(store, "s3://bucket/a", None) == ["mine", "yours"]
    assert await names(store, "s3://bucket/a", "search") == ["yours"]


async def test_a_model_that_loads_something_else_now_or_is_gone_is_not_found(store):
    first = record("scorer", "pvc://models/a")
    await known(store, first)
    await known(store, record("scorer", "pvc://models/b", version=2), expected=1)
    assert (await names(store, "pvc://models/a"), await names(store, "pvc://models/b")) == ([], ["scorer"])
    await store.commit(Commit(first.ref, 2, None, forget=True))
    assert await names(store, "pvc://models/b") == []


async def test_versions_of_an_image_are_found_by_what_was_written_and_told_apart(store):
    await known(
        store,
        record("one", "oci://r/a:1"),
        record("pinned", "oci://r/a@sha256:new"),
        record("old", "oci://r/a:1@sha256:old"),
        record("two", "oci://r/a:2"),
        record("newest", "oci://r/a"),
        record("another", "oci://r/ab:1"),
        record("revised", "hf://org/repo:v1", namespace="search"),
    )
    assert await names(store, "oci://r/a:1@sha256:new", None) == ["one", "pinned"]
    assert await names(store, "oci://r/a:1", None) == ["one"]
    assert await names(store, "oci://r/a:latest", None) == ["newest"]
    near = await store.other_versions(Location.parse("oci://r/a:3"), None)
    assert {ref.name for _, ref in near} == {"one", "pinned", "old", "two", "newest"}
    assert ("oci://r/a:2", "two") in [(uri, ref.name) for uri, ref in near]
    of_repository = await store.other_versions(Location.parse("hf://org/repo"), None)
    assert [(uri, ref.name) for uri, ref in of_repository] == [("hf://org/repo:v1", "revised")]
    assert await store.other_versions(Location.parse("hf://org/repo"), "fraud") == []
    assert await store.other_versions(Location.parse("s3://r/a:3"), None) == []


async def test_of_a_thousand_models_on_one_claim_one_is_found_at_once(store):
    await known(store, *(record(f"model-{number:04}", f"pvc://models/{number:04}") for number in range(1000)))
    begun = time.perf_counter()
    assert await names(store, "pvc://models/0500") == ["model-0500"]
    print(f"one of 1,000 found in {(time.perf_counter() - begun) * 1000:.1f} ms")
