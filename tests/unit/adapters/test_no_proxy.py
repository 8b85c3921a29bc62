"""NO_PROXY as Go's clients, kubectl among them, read it."""

import pytest

from functions.adapters.no_proxy import is_direct, proxy_for


@pytest.mark.parametrize(
    ("url", "no_proxy"),
    [
        ("https://10.96.0.1:443", "10.96.0.0/12"),
        ("https://10.96.0.1", "localhost, 10.96.0.0/12 ,.svc"),
        ("https://10.96.0.1", "10.96.0.1"),
        ("https://10.96.0.1:6443", "10.96.0.1:6443"),
        ("https://[fd00:10:96::1]", "fd00:10:96::/112"),
        ("https://[fd00:10:96::1]:6443", "[fd00:10:96::1]:6443"),
        ("https://[fd00:10:96::1]", "fd00:10:96:0::1"),
        ("https://api.example.com", "example.com"),
        ("https://example.com", "example.com"),
        ("https://api.example.com", ".example.com"),
        ("https://api.example.com", "*.example.com"),
        ("https://API.Example.com", "api.EXAMPLE.com"),
        ("https://api.example.com:6443", "example.com:6443"),
        ("https://api.example.com", "example.com:443"),
        ("https://anything", "*"),
        ("https://anything", "10.0.0.0/8,*"),
        ("https://kubernetes.default.svc", ".svc,.cluster.local"),
    ],
)
def test_what_no_proxy_names_is_reached_directly(url, no_proxy):
    assert is_direct(url, no_proxy)


@pytest.mark.parametrize(
    ("url", "no_proxy"),
    [
        ("https://10.112.0.1", "10.96.0.0/12"),
        ("https://api.example.com", "10.96.0.0/12"),
        ("https://10.96.0.1:6443", "10.96.0.1:443"),
        ("https://myexample.com", "example.com"),
        ("https://example.com", ".example.com"),
        ("https://example.com:6443", "example.com:443"),
        ("https://fd00.example", "fd00::/8"),
        ("https://10.96.0.1", "10.96.0.0/99, 10.96/12, /, :, [, ,,"),
        ("https://10.96.0.1", ""),
    ],
)
def test_everything_else_goes_through_the_proxy(url, no_proxy):
    assert not is_direct(url, no_proxy)


def test_the_environment_decides(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "172.30.0.0/16")
    assert proxy_for("https://172.30.0.1:443") is None
    assert proxy_for("https://172.31.0.1:443") == "http://proxy.example:3128"
    assert proxy_for("http://172.31.0.1") is None
