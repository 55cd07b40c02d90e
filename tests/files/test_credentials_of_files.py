"""Where a token or a cookie goes, and which addresses get no request at all."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from files.file_service import file_id

from mirror.errors import UsageError
from mirror.web.downloads import Downloads, checked_storage_url, parted
from mirror.web.failures import Unreachable

if TYPE_CHECKING:
    from files.file_service import FileService

    from mirror.source import FileSink

SECRET_HEADERS = {"authorization", "cookie", "chatgpt-account-id", "referer", "origin", "oai-device-id", "user-agent"}


def hostile_addresses() -> list[str]:
    """Five hundred addresses that lead elsewhere, in ways that parsers disagree about."""
    id_ = file_id(1)
    hosts = [
        "chatgpt.com.evil.test",
        "evil.test",
        "chatgpt.com@evil.test",
        "evil.test#chatgpt.com",
        "chatgpt.com:8443",
        "files.oaiusercontent.com:444",
        "user:pass@files.oaiusercontent.com",
        "files.oaiusercontent.com.evil.test",
        "evil-oaiusercontent.com",
        "xoaiusercontent.com",
        "127.0.0.1",
        "127.0.0.1:1",
        "[::1]",
        "[::ffff:10.0.0.1]",
        "10.0.0.1",
        "169.254.169.254",
        "0x7f000001",
        "2130706433",
        "localhost",
        "files.oaiusercontent.com.",
        "FILES.oaiusercontent.com\\@evil.test",
        "files.oaiusercontent.com%2eevil.test",
        "files。oaiusercontent.com",
        "evil.test\\files.oaiusercontent.com",
        "attacker.blob.core.windows.net",
        "bucket.s3.us-east-1.amazonaws.com",
        "chatgpt.com%00.evil.test",
        "chatgpt.com\t.evil.test",
        "",
    ]
    schemes = ["https://", "http://", "//", "ftp://", "file://", "HTTPS://", "gopher://", "data:", "javascript:"]
    paths = [f"/{id_}?sig=1", f"/backend-api/estuary/content?id={id_}", "/latest/meta-data/"]
    found = [f"{scheme}{host}{path}" for scheme in schemes for host in hosts for path in paths]
    own = [
        "/backend-api/me",
        "/backend-api/conversations",
        "/api/auth/session",
        f"/backend-api/estuary/content/../../me?id={id_}",
        f"/backend-api/estuary/../me?id={id_}",
        f"/backend-api/estuary/content?id={file_id(2)}",
        f"/backend-api/estuary/content?id={id_}&id={file_id(2)}",
        f"/backend-api/estuary/content?id={id_}#x",
        "/backend-api/files/library/mounted/materialize",
        f"/{file_id(2)}",
        "\x00",
        " ",
        "\\\\evil.test\\x",
    ]
    # Of the storage host itself, which a test allows, only the right forms are taken; they are not in this list.
    return sorted(set(found + own))


def test_there_are_five_hundred() -> None:
    assert len(hostile_addresses()) >= 500


def test_a_hostile_address_gets_no_request(service: FileService) -> None:
    """Two real connections could be made: to the service, and to its storage host. No other address is tried."""
    addresses = hostile_addresses()
    random.Random(3).shuffle(addresses)
    given = iter(addresses)
    file = service.add(1, alter_address=lambda _: next(given))
    service.next_run()
    reader = service.reader()
    before = len(service.mirrored.service.requests)
    stored = 0
    for _ in range(len(addresses) - 2):
        answer = service.fetch(reader, file.id)
        stored += answer == "stored"
    assert stored == 0
    asked = {request.path for request in service.mirrored.service.requests[before:]}
    assert asked == {f"/backend-api/files/download/{file.id}"}
    assert service.mirrored.service.storage.requests == []


def test_the_storage_host_sees_nothing_of_the_person(service: FileService) -> None:
    for n in range(1, 4):
        service.add(n, host="storage")
    assert service.next_run() == 0
    requests = service.mirrored.service.storage.requests
    assert len(requests) == 3
    assert not any(SECRET_HEADERS & request.headers.keys() for request in requests)


def test_the_cookie_alone_goes_to_pages_outside_the_backend(service: FileService) -> None:
    service.add(1, host="library", library_id="libfile_1")
    service.add(2, host="api")
    service.add(3)
    assert service.next_run() == 0
    for request in service.mirrored.service.requests:
        if request.path.startswith("/api/") and "auth" not in request.path:
            assert "authorization" not in request.headers
            assert "cookie" in request.headers
    estuary = service.mirrored.asked("/backend-api/estuary/content")
    assert all("authorization" in request.headers for request in estuary)


@pytest.mark.parametrize("target", ["https://evil.test/x", "http://127.0.0.1:1/x", "//evil.test/x", "/backend-api/me"])
def test_a_redirect_is_checked_like_a_fresh_address(service: FileService, target: str) -> None:
    service.add(1)
    file = service.add(2, host="redirecting", library_id="libfile_2", redirects_to=target)
    service.next_run()
    assert service.state(file.id)[0] == "refused"
    assert service.mirrored.asked("/me") == []


def test_no_address_is_stored_or_logged(service: FileService) -> None:
    service.add(1)
    service.add(2, host="storage", fault="500")
    service.next_run()
    said = "\n".join(service.mirrored.notes)
    kept = service.mirrored.path.read_bytes() + b"".join(
        path.read_bytes() for path in service.mirrored.path.parent.glob("chats.db-*")
    )
    assert "sig=" not in said
    assert b"sig=" not in kept


def test_a_mounted_file_causes_no_request(service: FileService) -> None:
    service.converse([], mounted_library_file_references=[{"mounted_library_file_id": "mnt_1", "name": "d.docx"}])
    assert service.next_run() == 0
    assert service.states() == {"mounted:mnt_1": "refused"}
    assert service.asked_for_files() == []


@pytest.mark.parametrize(
    "address",
    [
        "https://files.oaiusercontent.com/file-1?sig=a%2Bb",
        "https://sdmntprwestus.oaiusercontent.com/files/0/raw?se=1&sig=x",
        "https://chatgpt.com/backend-api/estuary/content?id=file_1&sig=0",
    ],
)
def test_a_real_address_is_taken_as_it_is(address: str) -> None:
    assert parted(address).geturl() == address


def test_a_further_origin_is_for_this_computer_only() -> None:
    assert checked_storage_url("http://127.0.0.1:9", "https://chatgpt.com") is None
    assert checked_storage_url("http://127.0.0.1:9/", "http://localhost:8") == "http://127.0.0.1:9"
    with pytest.raises(UsageError):
        checked_storage_url("https://evil.test", "http://127.0.0.1:8")


class NoSink:
    def restart(self) -> None:
        raise AssertionError

    def write(self, chunk: bytes) -> None:
        raise AssertionError


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "fe80::1%eth0", "192.168.1.1"])
def test_a_storage_host_inside_a_private_network_gets_no_request(address: str) -> None:
    sink: FileSink = NoSink()
    found = [(2, 1, 6, "", (one, 443)) for one in ("20.60.1.1", address)]
    downloads = Downloads(resolve=lambda _host, _port: found)
    with pytest.raises(Unreachable, match="private network"):  # asked for again later, for it may be a network's page
        downloads.fetch(urlsplit("https://files.oaiusercontent.com/file-1"), {}, sink)


def test_an_unknown_host_is_no_answer() -> None:
    def unknown(_host: str, _port: int) -> list[Any]:
        raise OSError

    with pytest.raises(Unreachable):
        Downloads(resolve=unknown).fetch(urlsplit("https://files.oaiusercontent.com/file-1"), {}, NoSink())
