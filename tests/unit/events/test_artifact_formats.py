"""Files that are, or are not, what their names say."""

import gzip
import io
import json
import pickle
import zipfile

import pytest
from artifact_files import safetensors, write

from events.artifacts import formats
from events.artifacts.formats import check
from events.artifacts.survey import Unfit, survey

VALUE = {"weights": list(range(300)), "name": "scorer"}


def zipped():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.npy", "x" * 100)
    return out.getvalue()


GOOD = [
    *[(f"{protocol}.pkl", pickle.dumps(VALUE, protocol)) for protocol in range(6)],
    ("none.pkl", pickle.dumps(None, 0)),
    ("true.pickle", pickle.dumps(True, 0)),
    ("text.pkl", pickle.dumps("text", 0)),
    ("m.joblib", pickle.dumps([b"x" * 10_000])),
    ("gz.joblib", gzip.compress(pickle.dumps(VALUE))),
    ("torch.pkl", zipped()),
    ("m.safetensors", safetensors()),
    ("m.json", json.dumps(VALUE).encode()),
    ("m.npz", zipped()),
    ("m.onnx", b"\x08\x07\x12\x07pytorch"),
    ("m.h5", b"\x89HDF\r\n\x1a\n rest"),
    ("m.gguf", b"GGUF\x03\x00"),
    ("whatever.xyz", b"nobody knows"),
]
BAD = [
    ("cut.pkl", pickle.dumps(VALUE)[:-1], "end is missing"),
    ("html.pkl", b"<html>login</html>.", "begin as a pickle"),
    ("empty.pkl", b"", "begin as a pickle"),
    ("new.joblib", b"\x80\x09xx.", "begin as a pickle"),
    ("cut.safetensors", safetensors(b"\x00" * 4, declared=8), "4 bytes are missing"),
    ("head.safetensors", safetensors()[:20], "longer than the file"),
    ("tiny.safetensors", b"\x01\x02", "longer than the file"),
    ("odd.safetensors", b"\x02\x00\x00\x00\x00\x00\x00\x00[]rest", "can't be read"),
    ("cut.json", b'{"a": [1, 2', "does not parse"),
    ("nan.json", b"\xff\xfe", "does not parse"),
    ("cut.npz", zipped()[:-10], "no directory"),
    ("html.onnx", b"<html>", "does not begin"),
    ("html.h5", b"<html>", "does not begin"),
    ("html.gguf", b"<html>", "does not begin"),
]


@pytest.mark.parametrize(("name", "content"), GOOD, ids=[name for name, _ in GOOD])
def test_good_files_pass(tmp_path, name, content):
    check(survey(write(tmp_path, name, content)))


@pytest.mark.parametrize(("name", "content", "why"), BAD, ids=[name for name, *_ in BAD])
def test_bad_files_are_named_with_the_reason(tmp_path, name, content, why):
    write(tmp_path, "good.json", b"{}")
    write(tmp_path, f"sub/{name}", content)
    with pytest.raises(Unfit, match=why) as refused:
        check(survey(tmp_path))
    assert f"sub/{name}" in refused.value.message


def test_a_large_json_is_looked_at_from_both_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "_MOST_JSON_BYTES", 10)
    check(survey(write(tmp_path, "m.json", b'{"a": [not parsed]} \n')))
    with pytest.raises(Unfit, match="no end"):
        check(survey(write(tmp_path, "m.json", b'{"a": [1, 2, 3')))


class Trap:
    def __reduce__(self):
        return (exec, ("raise SystemExit('a pickle was loaded')",))


def test_a_pickle_is_never_loaded(tmp_path):
    check(survey(write(tmp_path, "trap.pkl", pickle.dumps(Trap()))))
