"""A server that is not the one it says it is: nothing is sent to it, whatever the environment asks for."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from raw_server import Connection, RawServer

from mirror.web.downloads import Downloads
from mirror.web.failures import Untrusted
from mirror.web.transport import RequestsWire

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRET = {"Authorization": "Bearer canary", "Cookie": "canary=1"}
# What each certificate is made for. All but the first are trusted in the test, so that only this is wrong with them.
KINDS = {
    "nobody signed it": ("IP:127.0.0.1", "20200101000000Z", "20991231000000Z"),
    "another host": ("DNS:elsewhere.example", "20200101000000Z", "20991231000000Z"),
    "it has ended": ("IP:127.0.0.1", "20200101000000Z", "20200102000000Z"),
}
# ``openssl req`` alone makes none that has ended.
AUTHORITY = """
[ca]
default_ca = own
[own]
database = {folder}/known
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = named
[any]
commonName = supplied
[named]
subjectAltName = {name}
basicConstraints = CA:TRUE
"""
# What makes other programs trust another certificate, or none at all.
OTHERS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "AWS_CA_BUNDLE")
SWITCHES = {
    "PYTHONHTTPSVERIFY": "0",
    "CURL_INSECURE": "1",
    "NODE_TLS_REJECT_UNAUTHORIZED": "0",
    "GIT_SSL_NO_VERIFY": "1",
}


class Unread:
    """A sink of a file that must never come."""

    def restart(self) -> None:
        raise AssertionError

    def write(self, piece: bytes) -> None:
        raise AssertionError


def ask(url: str, verify: str | None) -> None:
    wire = RequestsWire(url)
    if verify is not None:
        wire._session.verify = verify
    wire.send("GET", "/x", params={}, headers=SECRET, body=None)


def download(url: str, verify: str | None) -> None:
    downloads = Downloads()
    if verify is not None:
        downloads._session.verify = verify
    downloads.fetch(urlsplit(f"{url}/file"), {"Authorization": "Bearer canary"}, Unread())


def certificate(folder: Path, name: str, begins: str, ends: str) -> str:
    """Return where a certificate is (``.crt``), and its key (``.key``)."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl, which makes a certificate for a server that speaks TLS")
    path = str(folder / "server")
    (folder / "known").touch()
    (folder / "authority").write_text(AUTHORITY.format(folder=folder, name=name))
    asked = ["req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", f"{path}.key"]
    signed = ["ca", "-batch", "-notext", "-selfsign", "-config", str(folder / "authority"), "-keyfile", f"{path}.key"]
    signed += ["-startdate", begins, "-enddate", ends, "-in", f"{path}.csr", "-out", f"{path}.crt"]
    for arguments in ([*asked, "-out", f"{path}.csr"], signed):
        subprocess.run([openssl, *arguments], capture_output=True, check=True)
    return path


@pytest.mark.parametrize("send", [ask, download])
@pytest.mark.parametrize("kind", list(KINDS))
def test_nothing_is_sent_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, send: Callable[[str, str | None], None]
) -> None:
    path = certificate(tmp_path, *KINDS[kind])
    for name in OTHERS:
        monkeypatch.setenv(name, f"{path}.crt")
    for name, value in SWITCHES.items():
        monkeypatch.setenv(name, value)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{path}.crt", f"{path}.key")
    came: list[bytes] = []

    def answer(connection: Connection) -> None:
        try:
            with context.wrap_socket(connection.socket, server_side=True) as secured:
                secured.settimeout(5)
                came.append(secured.recv(1 << 16))
        except (TimeoutError, ssl.SSLError, ConnectionError):
            came.append(b"")

    with RawServer(answer) as server, pytest.raises(Untrusted) as caught:
        send(f"https://127.0.0.1:{server.port}", None if kind == "nobody signed it" else f"{path}.crt")
    assert b"".join(came) == b""
    assert "canary" not in str(caught.value)
