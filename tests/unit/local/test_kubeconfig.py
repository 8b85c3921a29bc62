"""The laptop's kubeconfig, which other processes wait for."""

import yaml

from functions.local.kubernetes.server import write_kubeconfig


def test_a_kubeconfig_is_never_seen_half_written(tmp_path):
    path = tmp_path / "laptop" / "kubeconfig"
    write_kubeconfig(path, "http://127.0.0.1:1")
    with path.open() as opened_before:
        write_kubeconfig(path, "http://127.0.0.1:2")
        assert yaml.safe_load(opened_before)["clusters"][0]["cluster"]["server"] == "http://127.0.0.1:1"
    assert yaml.safe_load(path.read_text())["clusters"][0]["cluster"]["server"] == "http://127.0.0.1:2"
    assert [entry.name for entry in path.parent.iterdir()] == ["kubeconfig"]
