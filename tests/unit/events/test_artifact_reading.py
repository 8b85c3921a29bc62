"""What is there, its digest, and when it counts as complete: on real files."""

import hashlib
import os
import subprocess

import pytest
from artifact_files import later, mark, model, removed_later, write

from events.artifact import Completeness
from events.artifacts.reading import CHUNK_BYTES, Changed, Reader
from events.artifacts.settling import Rule, Settling
from events.artifacts.survey import Absent, Unfit, survey

SHA256SUM = (
    r"find . -type f ! -name _SUCCESS ! -path '*/.*' -printf '%P\0' | xargs -0 sha256sum | LC_ALL=C sort | sha256sum"
)


def digest(path):
    return Reader().digest(survey(path))


def test_a_file_has_the_digest_that_sha256sum_prints(tmp_path):
    path = write(tmp_path, content=os.urandom(2 * CHUNK_BYTES + 7))
    assert digest(path) == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert survey(path).size == 2 * CHUNK_BYTES + 7


def test_a_folder_has_the_digest_that_a_shell_finds(tmp_path):
    for name in (
        "b.bin",
        "a/deep/one.bin",
        "a.bin",
        "with space",
        "back\\slash",
        "two\nlines",
        "ünï",
        "a/_SUCCESS",
        ".git/x",
        "c/.y",
    ):
        write(tmp_path, name, name.encode())
    write(tmp_path, os.fsdecode(b"not-\xff-utf8"), b"x")
    mark(tmp_path)
    shell = subprocess.run(["bash", "-c", SHA256SUM], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert digest(tmp_path) == f"sha256:{shell.split()[0]}"
    assert len(survey(tmp_path).files) == 8


def test_the_digest_follows_content_and_names_and_nothing_else(tmp_path):
    folder = model(tmp_path / "m", b"one")
    first = digest(folder)
    os.utime(folder / "model.pkl", (0, 0))
    mark(folder)
    write(folder, ".hidden", b"x")
    assert digest(folder) == first
    (folder / "model.pkl").rename(folder / "other.pkl")
    assert digest(folder) != first


def test_only_what_was_written_to_is_read_again(tmp_path):
    write(tmp_path, "big", b"x" * 1000)
    write(tmp_path, "small", b"y")
    read = []
    reader = Reader(read.append)
    first = reader.digest(survey(tmp_path))
    assert reader.digest(survey(tmp_path)) == first
    assert sum(read) == 1001
    later(tmp_path / "small", b"z")
    assert reader.digest(survey(tmp_path)) != first
    assert sum(read) == 1002


def test_a_copy_that_keeps_the_old_time_is_read_again(tmp_path):
    path = write(tmp_path, "w", b"one")
    before = path.stat()
    seen = survey(tmp_path)
    later(path, b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert survey(tmp_path).fingerprint != seen.fingerprint


@pytest.mark.parametrize("how", ["grow", "replace", "remove", "add"])
def test_what_is_written_while_it_is_read_has_no_digest(tmp_path, how):
    path = write(tmp_path, "a", b"x" * 10)
    write(tmp_path, "b", b"y" * 10)

    def meddle(_count):
        match how:
            case "grow":
                path.open("ab").write(b"more")
            case "replace":
                write(tmp_path, "new", b"z" * 10).rename(path)
            case "remove":
                (tmp_path / "b").unlink(missing_ok=True)
            case "add":
                write(tmp_path, "c", b"z")

    with pytest.raises(Changed):
        Reader(meddle).digest(survey(tmp_path))


@pytest.mark.parametrize("name", ["nothing-here", "model.pkl/below-a-file"])
def test_nothing_is_absent(tmp_path, name):
    write(tmp_path)
    with pytest.raises(Absent, match="does not exist"):
        survey(tmp_path / name)


def test_a_folder_without_content_is_absent(tmp_path):
    mark(tmp_path)
    with pytest.raises(Absent, match="holds no file"):
        survey(tmp_path)
    write(tmp_path, "model.pkl", b"")
    with pytest.raises(Absent, match="empty files only"):
        survey(tmp_path)


def test_links_inside_are_followed_and_others_refused(tmp_path):
    write(tmp_path, "m/blobs/1", b"x")
    (tmp_path / "m/model.pkl").symlink_to("blobs/1")
    (tmp_path / "m/alias").symlink_to("blobs")
    assert [file.name for file in survey(tmp_path / "m").files] == ["alias/1", "blobs/1", "model.pkl"]
    (tmp_path / "m/round").symlink_to(".")
    with pytest.raises(Unfit, match="leads back"):
        survey(tmp_path / "m")
    (tmp_path / "m/round").unlink()
    (tmp_path / "m/out").symlink_to(write(tmp_path, "secret", b"x"))
    with pytest.raises(Unfit, match="leads out"):
        survey(tmp_path / "m")
    (tmp_path / "secret").unlink()
    with pytest.raises(Unfit, match="leads nowhere"):
        survey(tmp_path / "m")


def test_a_pipe_is_refused_and_never_opened(tmp_path):
    write(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(Unfit):
            survey(path)


def test_a_marker_counts_while_nothing_is_younger(tmp_path):
    model(tmp_path, marked=False)
    assert not survey(tmp_path).marked
    mark(tmp_path)
    assert survey(tmp_path).marked
    later(tmp_path / "model.pkl", b"half of the next")
    assert not survey(tmp_path).marked


def test_a_marker_does_not_count_once_something_was_removed(tmp_path):
    """A training that begins by clearing its folder, and leaves the old marker for last."""
    write(tmp_path, "scaler.pkl")
    model(tmp_path)
    removed_later(tmp_path / "scaler.pkl")
    assert not survey(tmp_path).marked


def whole(path, **rule):
    return Settling(path, Rule(**({"stable": 0.1, "wait": 0.0} | rule))).whole()


def test_complete_by_its_marker_at_once(tmp_path):
    found = whole(model(tmp_path), stable=3600)
    assert (found.complete, found.digest, found.size) == (
        Completeness.SUCCESS_FILE,
        digest(tmp_path),
        survey(tmp_path).size,
    )


def test_complete_when_it_stays_the_same(tmp_path):
    assert whole(model(tmp_path, marked=False), wait=5).complete is Completeness.STABLE
    assert whole(tmp_path, stable=0).complete is Completeness.DECLARED
    mark(tmp_path)
    assert whole(tmp_path, wait=5, success_file=False).complete is Completeness.STABLE


def test_complete_at_once_where_it_is_what_was_declared(tmp_path):
    seen = survey(model(tmp_path, marked=False))
    assert whole(tmp_path, stable=3600, digest=digest(tmp_path), size=seen.size).complete is Completeness.DECLARED
    with pytest.raises(Unfit, match="still being written"):
        whole(tmp_path, stable=3600, digest=digest(tmp_path), size=seen.size + 1)


def test_a_marker_that_is_demanded_is_all_that_counts(tmp_path):
    with pytest.raises(Unfit, match="_SUCCESS"):
        whole(model(tmp_path, marked=False), stable=0, success_file=True)
    mark(tmp_path)
    assert whole(tmp_path, success_file=True).complete is Completeness.SUCCESS_FILE


def test_what_is_not_there_is_waited_for_only_with_its_marker(tmp_path):
    with pytest.raises(Absent):
        whole(tmp_path / "m", wait=3600)
    with pytest.raises(Absent):
        whole(tmp_path / "m", wait=0.1, success_file=True)
