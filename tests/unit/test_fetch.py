"""Fetching files that strangers name: what is public, and what becomes of every kind of bad server."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from mim.contracts.content import Media, MediaKind
from mim.contracts.errors import ErrorCode, Refused
from mim.runtime.fetch import MAX_BYTES, Fetched, Guard, Limits, fetch, is_public, sniff, sweep

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


# --------------------------------------------------------------------------------------------------- addresses

PRIVATE = {
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "carrier NAT",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local, cloud metadata",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "protocol assignments",
    "192.0.2.0/24": "documentation",
    "192.88.99.0/24": "6to4 relays",
    "192.168.0.0/16": "private",
    "198.18.0.0/15": "benchmarks",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved and broadcast",
    "::/8": "unspecified, loopback, IPv4-compatible",
    "64:ff9b::/96": "NAT64",
    "64:ff9b:1::/48": "local NAT64",
    "100::/64": "discard",
    "2001::/32": "Teredo",
    "2001:2::/48": "benchmarks",
    "2001:20::/28": "ORCHID",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "3fff::/20": "documentation",
    "4000::/2": "never assigned",
    "5f00::/16": "segment routing",
    "fc00::/7": "unique local",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
    "ff00::/8": "multicast",
}


@pytest.mark.parametrize("network", PRIVATE)
def test_no_address_of_a_special_network_is_public(network: str) -> None:
    special = ipaddress.ip_network(network)
    middle = special.network_address + special.num_addresses // 2
    for address in (special.network_address, special.network_address + 1, middle, special.broadcast_address):
        if special.version == 6 and isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            continue
        assert not is_public(str(address)), f"{address}: {PRIVATE[network]}"
        if special.version == 4:
            assert not is_public(f"::ffff:{address}"), f"mapped {address}"


@pytest.mark.parametrize(
    "address",
    [
        *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"),
        *("128.0.0.1", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255"),
        *("192.0.1.0", "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0"),
        *("203.0.112.255", "203.0.114.0", "223.255.255.255", "149.154.167.220"),
        *("2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450:4001:81b::200e", "2001:200::1", "2003::1"),
        "::ffff:8.8.8.8",
    ],
)
def test_hosts_of_the_open_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        "example.com",
        "127.1",
        "0x7f.0.0.1",
        "2130706433",
        "8.8.8.8:80",
        "2606:4700::1%eth0",
        "fe80::1%1",
    ],
)
def test_what_is_no_plain_address_is_not_public(text: str) -> None:
    assert not is_public(text)


@given(st.ip_addresses())
def test_nothing_that_python_calls_special_is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    special = not address.is_global or address.is_multicast or address.is_reserved or address.is_link_local
    if special and getattr(address, "ipv4_mapped", None) is None:
        assert not is_public(str(address))


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_counts_as_itself(address: ipaddress.IPv4Address) -> None:
    assert is_public(f"::ffff:{address}") == is_public(str(address))
    for translated in (f"64:ff9b::{address}", f"::{address}"):
        assert not is_public(translated)


def test_the_guard_makes_no_socket_to_an_address_that_is_not_public() -> None:
    guard = Guard()
    refused = guard.watch()
    for address in ("127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1"):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with pytest.raises(OSError, match="not a public address"):
            guard._socket((family, socket.SOCK_STREAM, 0, "", (address, 80)))
    assert refused == ["127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1"]
    allowing = Guard(allow_private=True)
    refused = allowing.watch()
    allowing._socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 80))).close()
    assert not refused


# ---------------------------------------------------------------------------------------------------- fetching


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/{name:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def answering(body: bytes, content_type: str = "application/octet-stream", **headers: str) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=body, content_type=content_type, headers=named)

    return handler


LOCAL = Limits(max_bytes=10_000, allow_private=True, timeout_s=5)


async def fetched(source: str, folder: Path, kind: str = "document", limits: Limits = LOCAL) -> tuple[Fetched, bytes]:
    """What came, and its bytes; afterwards the folder is empty again."""
    async with fetch(Media(kind=MediaKind(kind), source=source), folder, limits) as file:
        content = file.path.read_bytes()
        assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
        assert list(folder.iterdir()) == [file.path]
    assert not list(folder.iterdir())
    return file, content


async def refusal(source: str, folder: Path, kind: str = "document", limits: Limits = LOCAL) -> Refused:
    with pytest.raises(Refused) as refused:
        await fetched(source, folder, kind, limits)
    assert not list(folder.iterdir())
    return refused.value


async def test_a_file_is_there_for_the_length_of_the_block(tmp_path: Path) -> None:
    async with serving(answering(PNG, "application/octet-stream")) as url:
        file, content = await fetched(f"{url}/a/picture.png?signature=secret", tmp_path, "image")
    assert content == PNG
    assert (file.content_type, file.file_name, file.size_bytes) == ("image/png", "picture.png", len(PNG))


async def test_redirects_are_an_error_that_says_so(tmp_path: Path) -> None:
    async def handler(_: web.Request) -> web.Response:
        raise web.HTTPFound("http://169.254.169.254/latest")

    async with serving(handler) as url:
        error = await refusal(url, tmp_path)
    assert error.code is ErrorCode.MEDIA_UNREACHABLE
    assert "redirects (302)" in error.message
    assert "give the final address" in error.message


@pytest.mark.parametrize("status", [204, 403, 404, 500])
async def test_another_status_than_200_is_an_error(tmp_path: Path, status: int) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status)

    async with serving(handler) as url:
        error = await refusal(f"{url}/?token=secret", tmp_path)
    assert error.code is ErrorCode.MEDIA_UNREACHABLE
    assert str(status) in error.message
    assert "secret" not in error.message


async def test_a_size_that_is_told_beforehand_is_refused_before_it_is_read(tmp_path: Path) -> None:
    async with serving(answering(bytes(10_001))) as url:
        error = await refusal(url, tmp_path)
    assert error.code is ErrorCode.MEDIA_REFUSED
    assert "larger than 10,000 bytes" in error.message


async def test_a_size_that_is_not_told_is_counted(tmp_path: Path) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(1_000))

    async with serving(endless) as url:
        error = await refusal(url, tmp_path)
    assert error.code is ErrorCode.MEDIA_REFUSED
    async with serving(answering(bytes(10_000))) as url:
        file, _ = await fetched(url, tmp_path)
    assert file.size_bytes == 10_000


async def test_a_bomb_is_counted_as_what_it_becomes(tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    async with serving(answering(bomb, Content_Encoding="gzip")) as url:
        error = await refusal(url, tmp_path, limits=Limits(len(bomb) + 1_000, allow_private=True))
    assert error.code is ErrorCode.MEDIA_REFUSED


async def test_a_server_that_drips_is_left_after_the_deadline(tmp_path: Path) -> None:
    gone = asyncio.Event()

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x")
        await gone.wait()
        return response

    async with serving(drip) as url:
        error = await refusal(url, tmp_path, limits=Limits(allow_private=True, timeout_s=0.2))
        gone.set()
    assert error.code is ErrorCode.MEDIA_UNREACHABLE
    assert "within 0.2 s" in error.message


async def test_a_file_that_breaks_off_is_not_taken_for_whole(tmp_path: Path) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "5000"})
        await response.prepare(request)
        await response.write(bytes(100))
        assert request.transport is not None
        request.transport.abort()
        return response

    async with serving(cut) as url:
        error = await refusal(url, tmp_path)
    assert error.code is ErrorCode.MEDIA_UNREACHABLE


async def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    async with serving(answering(b"")) as url:
        assert (await refusal(url, tmp_path)).code is ErrorCode.MEDIA_REFUSED


async def test_a_page_is_no_image_whatever_it_is_called(tmp_path: Path) -> None:
    page = b"<!doctype html><title>Please log in</title>"
    async with serving(answering(page, "text/html")) as url:
        error = await refusal(f"{url}/picture.png", tmp_path, "image")
        assert error.code is ErrorCode.MEDIA_REFUSED
        assert "text/html" in error.message
        assert "not an image" in error.message
    async with serving(answering(page, "image/png")) as url:
        assert (await refusal(f"{url}/picture.png", tmp_path, "image")).code is ErrorCode.MEDIA_REFUSED
        file, content = await fetched(f"{url}/page.html", tmp_path, "document")
    assert (file.content_type, content) == ("text/html", page)


@pytest.mark.parametrize(
    ("path", "disposition", "name"),
    [
        ("/report.pdf", None, "report.pdf"),
        ("/%D0%BE%D1%82%D1%87%D1%91%D1%82.pdf", None, "отчёт.pdf"),
        ("/download?id=7", 'attachment; filename="sales.pdf"', "sales.pdf"),
        ("/download", None, "download.pdf"),
        ("/", None, "document.pdf"),
        ("/x", 'attachment; filename="../../etc/passwd"', "passwd.pdf"),
        ("/a%09%5Cb%09c", None, "b_c.pdf"),
    ],
)
async def test_the_receivers_file_name(tmp_path: Path, path: str, disposition: str | None, name: str) -> None:
    headers = {"Content_Disposition": disposition} if disposition else {}
    async with serving(answering(b"%PDF-1.7 ...", **headers)) as url:
        file, _ = await fetched(url + path, tmp_path)
        assert (file.file_name, file.content_type) == (name, "application/pdf")
        given = Media(kind=MediaKind.DOCUMENT, source=url + path, file_name="mine/named.txt")
        async with fetch(given, tmp_path, LOCAL) as renamed:
            assert renamed.file_name == "named.txt"


# --------------------------------------------------------------------------------------------- not fetched at all


async def test_private_addresses_are_not_called_however_they_are_written(tmp_path: Path) -> None:
    called = False

    async def handler(_: web.Request) -> web.Response:
        nonlocal called
        called = True
        return web.Response(body=PNG)

    async with serving(handler) as url:
        port = url.rpartition(":")[2]
        guarded = Limits()
        for host in ("127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433", "[::ffff:127.0.0.1]", "0.0.0.0"):
            # Port 80 of loopback is closed or somebody else's: the guard has to speak before anything is tried.
            error = await refusal(f"http://{host}/", tmp_path, limits=guarded)
            assert error.code is ErrorCode.MEDIA_REFUSED, host
            assert "public internet" in error.message or "cannot be used" in error.message
        assert (await refusal(f"http://127.0.0.1:{port}/", tmp_path, limits=guarded)).code is ErrorCode.MEDIA_REFUSED
    assert not called


async def test_a_name_that_leads_inside_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[str] = []

    async def rebound(_: object, host: str, port: int, **__: object) -> list[dict[str, object]]:
        looked_up.append(host)
        address = {"hostname": host, "host": "10.0.0.1", "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}
        return [address]

    monkeypatch.setattr("aiohttp.resolver.ThreadedResolver.resolve", rebound)
    monkeypatch.setattr("aiohttp.connector.DefaultResolver.resolve", rebound)
    error = await refusal("http://rebound.example.com/a.png", tmp_path, limits=Limits())
    assert error.code is ErrorCode.MEDIA_REFUSED
    assert looked_up == ["rebound.example.com"]


@pytest.mark.parametrize(
    "source",
    [
        *("ftp://example.com/a", "file:///etc/passwd", "http://", "http:///a", "gopher://example.com", "a.png", ""),
        *("http://user:secret@example.com/a", "http://user@example.com/", "http://example.com:99999/"),
        *("http://example.com:22/", "http://example.com:6379/", "https://example.com:25/"),
    ],
)
async def test_addresses_that_are_refused_unseen(tmp_path: Path, source: str) -> None:
    media = Media.model_construct(kind=MediaKind.DOCUMENT, source=source, file_name=None)
    with pytest.raises(Refused) as refused:
        async with fetch(media, tmp_path, Limits()):
            raise AssertionError("it was fetched")
    assert refused.value.code is ErrorCode.MEDIA_REFUSED
    assert "secret" not in refused.value.message
    assert not list(tmp_path.iterdir())


async def test_a_host_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        error = await refusal(f"http://127.0.0.1:{closed.getsockname()[1]}/", tmp_path)
    assert error.code is ErrorCode.MEDIA_UNREACHABLE
    error = await refusal(f"http://{'a' * 64}.example.com/", tmp_path)
    assert error.code in (ErrorCode.MEDIA_UNREACHABLE, ErrorCode.MEDIA_REFUSED)


async def test_a_folder_that_takes_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        async with fetch(Media(kind=MediaKind.IMAGE, source="http://127.0.0.1/"), tmp_path / "gone", LOCAL):
            raise AssertionError("it was fetched")
    assert refused.value.code is ErrorCode.STORAGE_FULL


# ------------------------------------------------------------------------------------------------ settings, formats


def test_limits_come_from_settings() -> None:
    assert Limits.of({}) == Limits(MAX_BYTES, allow_private=False)
    assert Limits.of({"media_max_bytes": "1000", "media_private": "True"}) == Limits(1_000, allow_private=True)
    assert Limits.of({"media_max_bytes": "1000", "media_private": "False"}, 10) == Limits(10)
    assert Limits.of({"media_max_bytes": "1000"}, 5_000) == Limits(1_000)


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / "fetched-left").write_bytes(b"x")
    (tmp_path / "session.sqlite3").write_bytes(b"x")
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["session.sqlite3"]


@pytest.mark.parametrize(
    ("head", "content_type"),
    [
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
        (PNG, "image/png"),
        (b"GIF89a...", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        (b"RIFF\0\0\0\0AVI ", None),
        (b"OggS\0\x02", "audio/ogg"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90", "audio/mpeg"),
        (b"\xff\xf1\x50", "audio/aac"),
        (b"\0\0\0\x20ftypisom", "video/mp4"),
        (b"\0\0\0\x20ftypM4A ", "audio/mp4"),
        (b"\0\0\0\x14ftypqt  ", "video/quicktime"),
        (b"\0\0\0\x20ftypheic", None),
        (b"\x1aE\xdf\xa3\x01\0\0\x1fB\x82\x84webm", "video/webm"),
        (b"\x1aE\xdf\xa3\x01\0\0\x1fB\x82\x88matroska", None),
        (b"%PDF-1.4", "application/pdf"),
        (b"PK\x03\x04", None),
        (b"<html>", None),
        (b"", None),
    ],
)
def test_formats_are_told_by_their_first_bytes(head: bytes, content_type: str | None) -> None:
    assert sniff(head) == content_type


@given(st.binary(max_size=64))
def test_any_bytes_can_be_sniffed(head: bytes) -> None:
    assert sniff(head) is None or "/" in str(sniff(head))


async def test_a_sound_in_a_video_container_is_audio_where_audio_is_wanted(tmp_path: Path) -> None:
    async with serving(answering(b"\0\0\0\x20ftypisom" + bytes(50))) as url:
        assert (await fetched(f"{url}/a.m4a", tmp_path, "audio"))[0].content_type == "audio/mp4"
        assert (await fetched(f"{url}/a.mp4", tmp_path, "video"))[0].content_type == "video/mp4"
        assert (await refusal(f"{url}/a.png", tmp_path, "image")).code is ErrorCode.MEDIA_REFUSED
