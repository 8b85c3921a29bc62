"""The pod's serving certificate, renewed in place."""

import shutil
import ssl
import subprocess

import pytest

from functions.api.tls import Certificate


def issue(folder, name):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed: it makes the test's certificates")
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    words += ["-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt")]
    subprocess.run(words, check=True, capture_output=True)


def served_by(certificate):
    """The certificate that a new connection gets, DER."""
    client, server = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = ssl.create_default_context()
    asking.check_hostname, asking.verify_mode = False, ssl.CERT_NONE
    a = asking.wrap_bio(server, client)
    b = certificate.context.wrap_bio(client, server, server_side=True)
    for _ in range(4):
        for side in (a, b):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return a.getpeercert(binary_form=True)


def test_a_renewed_certificate_counts_from_the_next_connection_on(tmp_path):
    issue(tmp_path, "first")
    certificate = Certificate(str(tmp_path / "tls.crt"), str(tmp_path / "tls.key"))
    first = served_by(certificate)
    assert not certificate.renew(), "nothing has changed"
    issue(tmp_path, "second")
    assert certificate.renew()
    assert served_by(certificate) != first


@pytest.mark.parametrize("broken", ["tls.crt", "tls.key"])
def test_what_is_half_written_leaves_the_old_one_in_use(tmp_path, broken):
    issue(tmp_path, "first")
    certificate = Certificate(str(tmp_path / "tls.crt"), str(tmp_path / "tls.key"))
    first = served_by(certificate)
    kept = (tmp_path / broken).read_bytes()
    issue(tmp_path, "second")
    whole = (tmp_path / broken).read_bytes()
    for content in (kept, b"", b"no PEM"):
        (tmp_path / broken).write_bytes(content)
        assert not certificate.renew()
        assert served_by(certificate) == first
    (tmp_path / broken).unlink()
    assert not certificate.renew()
    (tmp_path / broken).write_bytes(whole)
    assert certificate.renew()
    assert served_by(certificate) != first
