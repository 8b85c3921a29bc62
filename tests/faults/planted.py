"""Bugs of others, and those that were found here, as changes of our source; and which tests must see each."""

from dataclasses import dataclass

LIFECYCLE = "functions/lifecycle"
STORE = "tests/contract/test_store.py"
SEARCH = "tests/faults/test_exhaustive.py"
STEP = "tests/unit/lifecycle/test_step.py"
LINE = "tests/contract/test_store_line.py"
ADAPTER = "tests/contract/test_kserve_adapter.py"


@dataclass(frozen=True)
class Planted:
    """`old` stands once in `file`; with `new` in its place, `seen_by` must fail, in a test whose name has `named`."""

    name: str
    file: str
    old: str
    new: str
    seen_by: str
    named: str = ""


PLANTED = (
    Planted(
        "the claim is a get and then a set",
        "functions/adapters/store.py",
        "            with _translated():\n                reply = await self._claim(",
        "            with _translated():\n"
        "                known = await self._redis.exists(seen)\n"
        '                await __import__("asyncio").sleep(0.05)  # a get-then-set\'s gap, wide enough to be met every time\n'
        "                if not known:\n"
        "                    await self._redis.delete(seen, model_key(ref), line_key(ref))\n"
        "                reply = await self._claim(",
        STORE,
        "fifty_claims_of_one_id",
    ),
    Planted(
        "the result is stored without looking who holds the claim",
        "functions/adapters/lua/commit.lua",
        "if seen[1] ~= token or seen[2] ~= 'pending' then return 'lost' end",
        "",
        STORE,
        "lost_its_lease",
    ),
    Planted(
        "the record of a command is dropped when it fails",
        "functions/adapters/lua/release.lua",
        "redis.call('HSET', KEYS[1], 'state', ARGV[2] == '1' and 'queued' or 'released')",
        "redis.call('DEL', KEYS[1])",
        STORE,
        "release_lets_the_same_command_try_again",
    ),
    Planted(
        "a seen id is keyed without its source",
        "functions/adapters/keys.py",
        "[channel, actor, subject, source, identity]",
        "[channel, actor, subject, identity]",
        STORE,
        "same_id_of_another_source",
    ),
    Planted(
        "the stop is set before what a start needs is kept",
        f"{LIFECYCLE}/patches.py",
        'STOP_ANNOTATION: "true", STOP_NOTE_ANNOTATION: stop_note.dump(), **others}',
        'STOP_ANNOTATION: "true", **others}',
        STEP,
        "loses_neither_the_stop_nor_receipt_nor_actor",
    ),
    Planted(
        "a sender's clock is trusted over the order of arrival",
        "functions/reconcile/command.py",
        "request = request.claimed(claimed.sequence, redelivered=claimed.redelivered, first_seen=claimed.first_seen)",
        "request = request.claimed(9_000_000 - int(request.id[1:]), redelivered=True)",
        SEARCH,
    ),
    Planted(
        "KServe's Stopped condition is taken for no pod left",
        f"{LIFECYCLE}/rules.py",
        "lambda s: s.seen.stop_wanted and bool(s.seen.pods),\n        state_messages.draining,",
        "lambda s: s.seen.stop_wanted and bool(s.seen.pods) and not s.seen.kserve_says_stopped,\n        state_messages.draining,",
        SEARCH,
    ),
    Planted(
        "pods are deleted under a live ReplicaSet, which breeds others",
        "functions/adapters/kserve/grace.py",
        'return metadata.get("uid") != owner.uid or metadata.get("deletionTimestamp") is not None',
        "return bool(metadata)",
        ADAPTER,
        "breeds_no_other",
    ),
    Planted(
        "a ReplicaSet is left pinned after a crash",
        f"{LIFECYCLE}/stopping.py",
        "    if not seen.pins:\n        return known\n    owners",
        "    if seen.pins or not seen.pins:\n        return known\n    owners",
        SEARCH,
    ),
    Planted(
        "two commands on one model are at work at once",
        "functions/adapters/lua/claim.lua",
        "if model[4] and model[4] ~= token and tonumber(model[5]) > now then",
        "if false then",
        STORE,
        "one_command_at_a_time",
    ),
    Planted(
        "a command that comes again late is done all the same",
        f"{LIFECYCLE}/decide.py",
        "    if request and ordered and request.redelivered and looked.record.sequence > request.sequence:\n",
        "    if False:\n",
        SEARCH,
    ),
    Planted(
        "a patch does not test what its decision rested on",
        f"{LIFECYCLE}/patches.py",
        "    operations = _guards(seen, raw_stop_note)\n",
        "    operations = _guards(seen, raw_stop_note)[:1]\n",
        SEARCH,
    ),
    Planted(
        "only a start that the record knows counts as done (found by the search)",
        f"{LIFECYCLE}/observe.py",
        "counts = planned and (",
        "counts = planned and record.sequence and (",
        STEP,
        "is_not_undone_by_an_older_stop",
    ),
    Planted(
        "a plan counts only once it was carried out (found by the search)",
        f"{LIFECYCLE}/observe.py",
        "(planned.by_event or ",
        "(False or ",
        STEP,
        "although_it_was_not_carried_out_yet",
    ),
    Planted(
        "a dropped command takes another's plan away (found by the search)",
        "functions/adapters/lua/commit.lua",
        "if doc ~= '' then redis.call('HDEL', KEYS[2], 'plan', 'plan_schema') end",
        "redis.call('HDEL', KEYS[2], 'plan', 'plan_schema')",
        STORE,
        "leaves_the_plan_of_another",
    ),
    Planted(
        "a queued start is done before the record knows of it (found by the search)",
        f"{LIFECYCLE}/upkeep.py",
        "        if noted is None or noted.key != run.key:\n",
        "        noted = run\n        if noted is None:\n",
        STEP,
        "keeps_its_place_and_its_actor",
    ),
    Planted(
        "a command that finds its model busy leaves nothing behind",
        "functions/adapters/lua/claim.lua",
        "local seq, fresh\n",
        "local seq, fresh\n"
        "if arriving and model[4] and model[4] ~= token and tonumber(model[5]) > now then return {'line', now, 0, 1} end\n",
        LINE,
        "keeps_the_place",
    ),
    Planted(
        "what comes first in line is done first, although a later command undoes it",
        "functions/adapters/lua/claim.lua",
        "for place = #entries - 1, 1, -2 do",
        "for place = 0, 1, -2 do",
        LINE,
        "no_place_among_stops_and_starts",
    ),
    Planted(
        "a command in line whose step failed for now is gone",
        "functions/reconcile/command.py",
        "stays = not heard or (",
        "stays = (",
        "tests/unit/lifecycle/test_step_line.py",
        "keeps_its_place",
    ),
)
