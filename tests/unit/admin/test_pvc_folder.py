"""A folder as an artifact: its digest is the one that sha256sum, the loader's scripts and tar agree on."""

import hashlib
import io
import subprocess
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.admin.pvc import scripts
from functions.admin.pvc.errors import Refusal
from functions.admin.pvc.folder import digest_of, read_folder, tar_length, tar_stream

NAMES = st.from_regex(r"[a-z_ ]{1,8}(/[a-zA-Z0-9 é'$*-]{1,8}){0,2}", fullmatch=True).filter(
    lambda name: (
        not any(part.startswith(("-", " ")) or part.strip() != part or part == "_SUCCESS" for part in name.split("/"))
    )
)
FILES = st.dictionaries(NAMES, st.binary(max_size=2000), min_size=1, max_size=6).filter(
    lambda files: not any(other.startswith(f"{name}/") for name in files for other in files)
)


def put(root, files):
    for name, content in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return root


def shell(script, *words, stdin=b""):
    return subprocess.run(["sh", "-c", script, "sh", *map(str, words)], input=stdin, capture_output=True, check=False)


async def packed(folder):
    return b"".join([chunk async for chunk in tar_stream(folder)])


def test_the_digest_is_of_the_sorted_lines_that_sha256sum_prints(tmp_path):
    put(tmp_path, {"b": b"2", "a/c": b"1"})
    lines = sorted(
        f"{hashlib.sha256(content).hexdigest()}  {path}\n" for path, content in {"b": b"2", "a/c": b"1"}.items()
    )
    assert read_folder(tmp_path).digest == f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"


def test_hidden_files_and_the_success_file_are_no_part_of_it(tmp_path):
    put(tmp_path, {"a": b"1"})
    before = read_folder(tmp_path).digest
    put(tmp_path, {"_SUCCESS": b"x", ".git/config": b"x", "deep/.hidden": b"x", "deep/_SUCCESS": b""})
    assert read_folder(tmp_path).digest == before


@settings(max_examples=15, deadline=None)
@given(FILES)
async def test_what_is_sent_is_received_with_the_same_digest(tmp_path_factory, files):
    root = tmp_path_factory.mktemp("folder")
    folder = read_folder(put(root / "model", files))
    archive = await packed(folder)
    assert len(archive) == tar_length(folder)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert {info.name for info in tar} == {entry.path for entry in folder.entries}
    staged, final = root / "claim" / ".modelswitch" / "x", root / "claim" / "path" / "to it"
    received = shell(scripts.RECEIVE, staged, len(archive), stdin=archive + b"more that is not ours")
    assert received.returncode == 0, received.stderr
    done = shell(scripts.FINISH, staged, final, folder.digest)
    assert done.returncode == 0, done.stderr + done.stdout
    assert f'"digest": "{folder.digest}", "size": {folder.size}, "files": {len(folder.entries)}' in done.stdout.decode()
    assert read_folder(final).digest == folder.digest
    again = shell(scripts.FINISH, staged, final, folder.digest)
    assert again.returncode == 0, "an answer that was lost is given again"


def test_what_has_arrived_before_is_known_by_its_lines(tmp_path):
    folder = read_folder(put(tmp_path / "model", {"a": b"1", "deep/b c": b"2"}))
    staged = put(tmp_path / "staged", {"deep/b c": b"2", "a": b"half"})
    lines = shell(scripts.LIST, staged).stdout.decode().splitlines()
    there = dict(reversed(line.split("  ", 1)) for line in lines)
    assert [entry.path for entry in folder.without(there).entries] == ["a"]


@pytest.mark.parametrize(
    ("there", "staged", "expected", "code"),
    [
        ({"other": b"x"}, {"a": b"1"}, "", scripts.OTHER_CONTENT),
        ({}, {"a": b"1"}, "sha256:else", scripts.WRONG_DIGEST),
        ({}, {}, "", scripts.EMPTY),
        ({}, {".hidden": b"x"}, "", scripts.EMPTY),
    ],
)
def test_the_loader_refuses_and_touches_nothing(tmp_path, there, staged, expected, code):
    place, final = put(tmp_path / "staged", staged), put(tmp_path / "final", there)
    assert shell(scripts.FINISH, place, final, expected).returncode == code
    assert {path.name for path in final.iterdir()} == set(there) if there else True
    assert not (final / "_SUCCESS").exists()


def test_the_same_content_in_its_place_is_no_trouble(tmp_path):
    place, final = put(tmp_path / "staged", {"a": b"1"}), put(tmp_path / "final", {"a": b"1"})
    assert shell(scripts.FINISH, place, final, "").returncode == 0
    assert (final / "_SUCCESS").exists()


@pytest.mark.parametrize("name", ["a\nb", "a\\b"])
def test_a_name_that_sha256sum_would_escape_is_refused(tmp_path, name):
    put(tmp_path, {name: b"x"})
    with pytest.raises(Refusal, match="line break or a backslash"):
        read_folder(tmp_path)


def test_links_to_files_are_files_and_others_are_refused(tmp_path):
    put(tmp_path, {"model/a": b"1", "blobs/b": b"2"})
    model = tmp_path / "model"
    (model / "b").symlink_to(tmp_path / "blobs" / "b")
    assert [entry.path for entry in read_folder(model).entries] == ["a", "b"]
    (model / "c").symlink_to(tmp_path / "blobs")
    with pytest.raises(Refusal, match="link to a folder"):
        read_folder(model)
    (model / "c").unlink()
    (model / "c").symlink_to(tmp_path / "gone")
    with pytest.raises(Refusal, match="link to nowhere"):
        read_folder(model)


async def test_a_file_that_shrinks_while_it_is_sent_is_noticed(tmp_path):
    folder = read_folder(put(tmp_path, {"a": b"12345"}))
    (tmp_path / "a").write_bytes(b"1")
    with pytest.raises(Refusal, match="became shorter"):
        await packed(folder)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(Refusal, match="holds no file"):
        read_folder(tmp_path)
    assert digest_of({}) != digest_of({"a": "0"})
