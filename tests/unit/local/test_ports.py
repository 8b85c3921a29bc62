"""A port that was given out is nobody else's, although nobody listens on it yet."""

import socket
import subprocess
import sys

from functions.local.supervisor import ports
from functions.local.supervisor.ports import free_ports

LOOKS = "from functions.local.supervisor import ports; ports._NO_CONNECTIONS_OWN = range({0}, {1}); print(ports.free_ports({2}))"


def looks(first, last, count):
    command = [sys.executable, "-c", LOOKS.format(first, last, count)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_two_looks_never_find_the_same_port(monkeypatch):
    monkeypatch.setattr(ports, "_NO_CONNECTIONS_OWN", range(19_000, 19_100))
    first, second = free_ports(20), free_ports(20)
    assert len({*first, *second}) == 40


def test_another_process_finds_none_of_ours_and_finds_them_when_we_have_ended(monkeypatch):
    monkeypatch.setattr(ports, "_NO_CONNECTIONS_OWN", range(19_100, 19_110))
    mine = free_ports(10)
    refused = looks(19_100, 19_110, 1)
    assert "1 free ports were looked for from 19100 to 19109, and 0 found" in refused.stderr
    assert sorted(mine) == list(range(19_100, 19_110))
    assert looks(19_110, 19_115, 5).returncode == looks(19_110, 19_115, 5).returncode == 0, "an end gives them back"


def test_a_port_in_use_is_not_found(monkeypatch):
    monkeypatch.setattr(ports, "_NO_CONNECTIONS_OWN", range(19_200, 19_202))
    with socket.create_server(("127.0.0.1", 19_200)):
        assert free_ports(1) == [19_201]


def test_a_port_that_has_its_use_already_is_left_out(monkeypatch):
    monkeypatch.setattr(ports, "_NO_CONNECTIONS_OWN", range(19_300, 19_302))
    assert free_ports(1, {19_300}) == [19_301]
