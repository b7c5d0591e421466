"""Getting a file from a URL that a stranger chose, so that it can be sent on: never from inside, never without end.

The socket is guarded, not the name: whatever a name resolves to, and however an address is written, no connection to
an address that is not public is opened. Redirects are not followed, sizes are counted while reading, everything has one
deadline, and what the file is gets told by its first bytes, not by what the server calls it.

    async with fetch(message.media, context.data_dir, Limits.of(context.settings)) as file:
        ...  # file.path, mode 0600, is removed at the end of the block
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import mimetypes
import os
import re
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)
from yarl import URL

from mim.contracts.content import Media, MediaKind
from mim.contracts.errors import ErrorCode, Refused

MAX_BYTES = 64 * 1024 * 1024
PORTS = (80, 443, 8080, 8443)

_WITHIN_S = 20.0
_BLOCK = 1 << 18
_HEAD = 512
_PREFIX = "fetched-"
_LONGEST_NAME = 128

# The IANA special-purpose registries, and what translates or tunnels to IPv4 addresses nobody checked: NAT64
# (RFC 6052, RFC 8215), 6to4 (RFC 3056), Teredo and ORCHID (2001::/23). `ipaddress.is_global` lets some of these pass,
# and what it says changes with the version of Python.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/3"),
        *("64:ff9b::/96", "64:ff9b:1::/48", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
)
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")  # all that IANA ever assigned of IPv6 for hosts


def is_public(address: str) -> bool:
    """Whether an IP address, as sockets write it, belongs to a host on the open internet. Pure.

    An IPv4 address inside an IPv6 one (`::ffff:10.0.0.1`) counts as itself. What is no address is not public.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip.scope_id is not None or ip not in _GLOBAL_UNICAST:
            return False
    return not any(ip in network for network in _NOT_PUBLIC)


class Guard:
    """Makes the sockets of HTTP sessions, and refuses to make one to an address that is not public.

    Example:

        session = ClientSession(connector=guard.connector())
        refused = guard.watch()
        ...  # a request that fails with something in `refused` was one to such an address
    """

    def __init__(self, *, allow_private: bool = False) -> None:
        self._allow_private = allow_private
        self._refused: ContextVar[list[str] | None] = ContextVar("refused", default=None)

    def watch(self) -> list[str]:
        """What is refused from now on to requests of this task."""
        refused: list[str] = []
        self._refused.set(refused)
        return refused

    def connector(self, *, keep_s: float | None = None) -> TCPConnector:
        """A connector for a session. Names are looked up anew for each connection; one is kept open for `keep_s` after
        a request, or not at all."""
        if keep_s is None:
            return TCPConnector(socket_factory=self._socket, use_dns_cache=False, force_close=True)
        return TCPConnector(socket_factory=self._socket, use_dns_cache=False, keepalive_timeout=keep_s, limit=0)

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = info
        if not (self._allow_private or is_public(str(address[0]))):
            if (refused := self._refused.get()) is not None:
                refused.append(str(address[0]))
            raise OSError(errno.EACCES, "not a public address")
        return socket.socket(family, kind, protocol)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may cost. `allow_private` also opens all ports."""

    max_bytes: int = MAX_BYTES
    allow_private: bool = False
    timeout_s: float = _WITHIN_S

    @classmethod
    def of(cls, settings: Mapping[str, str], most_bytes: int | None = None) -> Self:
        """From a session's `media_max_bytes` and `media_private`; `most_bytes` is the messenger's own limit."""
        max_bytes = int(settings.get("media_max_bytes") or MAX_BYTES)
        private = settings.get("media_private", "").lower() in ("true", "1", "yes", "on")
        return cls(min(max_bytes, most_bytes or max_bytes), private)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that was fetched; `content_type` is what its first bytes say."""

    path: Path
    content_type: str
    file_name: str
    size_bytes: int


@asynccontextmanager
async def fetch(media: Media, folder: Path, limits: Limits) -> AsyncIterator[Fetched]:
    """Fetch a file into `folder` for the length of the block.

    Raises: Refused: MEDIA_UNREACHABLE if it could not be had, MEDIA_REFUSED if it must not be had from there or is not
        what it should be, STORAGE_FULL.
    """
    url = _checked(media.source or "", limits)
    with temporary(folder) as (path, file):
        with file:
            answer = await _deliver(url, file, media.kind, limits)
        content_type = _content_type(media, answer)
        yield Fetched(path, content_type, _name(media, answer, content_type), answer.size_bytes)


def uploaded(media: Media, path: Path, size_bytes: int, limits: Limits) -> Fetched:
    """A file that was uploaded, as what it is to be sent as. Raises: Refused (MEDIA_REFUSED) if it is not that."""
    if size_bytes > limits.max_bytes:
        raise _too_large(media.kind, limits)
    with path.open("rb") as file:
        head = file.read(_HEAD)
    answer = _Answer(URL("upload://upload/"), head, size_bytes, "application/octet-stream", None)
    content_type = _content_type(media, answer)
    return Fetched(path, content_type, _name(media, answer, content_type), size_bytes)


@contextmanager
def temporary(folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A file of our own for the length of the block, mode 0600. Raises: Refused (STORAGE_FULL)."""
    path, file = _open(folder)
    try:
        with file:
            yield path, file
    finally:
        _remove(path)


def sweep(folder: Path) -> None:
    """Remove what a killed process left behind in a folder; only when nothing is being fetched into it."""
    for path in folder.glob(f"{_PREFIX}*"):
        _remove(path)


# ------------------------------------------------------------------------------------------------ the way there


@dataclass(frozen=True, slots=True)
class _Answer:
    url: URL
    head: bytes
    size_bytes: int
    said_type: str
    said_name: str | None


def _checked(source: str, limits: Limits) -> URL:
    try:
        url = URL(source)
        host, port = url.host, url.port
    except ValueError:
        host, port = None, None
    if not host or url.scheme not in ("http", "https"):
        raise _refused("the file's address is not an http or https URL, such as https://example.com/file.png")
    if url.user is not None or url.password is not None:
        raise _refused("the file's address must not hold a user name or password")
    if port not in PORTS and not limits.allow_private:
        ports = ", ".join(map(str, PORTS))
        raise _refused(f"files are not fetched from port {port}: serve it on one of {ports}, or set MIM_MEDIA_PRIVATE")
    return url


async def _deliver(url: URL, file: BinaryIO, kind: MediaKind, limits: Limits) -> _Answer:
    """Fetch into `file`, and say what every failure means."""
    guard = Guard(allow_private=limits.allow_private)
    refused = guard.watch()
    try:
        async with asyncio.timeout(limits.timeout_s), _session(guard) as session:
            async with session.get(url, allow_redirects=False) as response:
                return await _receive(response, url, file, kind, limits)
    except TimeoutError:
        raise _unreachable(f"{url.host} did not deliver the file within {limits.timeout_s:g} s") from None
    except ValueError:  # aiohttp's InvalidURL, for addresses like 127.1, is one
        raise _refused("the file's address cannot be used: check it") from None
    except (ClientConnectorCertificateError, ClientConnectorSSLError):
        raise _unreachable(f"no safe connection to {url.host}: its certificate is not valid") from None
    except ClientConnectorDNSError:
        raise _unreachable(f"there is no host {url.host}: check the file's address") from None
    except ClientConnectorError:
        if refused:
            text = f"{url.host} is not on the public internet: use a public address, or set MIM_MEDIA_PRIVATE"
            raise _refused(text) from None
        raise _unreachable(f"{url.host} cannot be reached: check the file's address") from None
    except ClientError as error:
        raise _unreachable(f"{url.host} broke off ({type(error).__name__})") from None
    except OSError:
        raise Refused(ErrorCode.STORAGE_FULL, "there is no room on the disk to fetch the file: free some") from None


def _session(guard: Guard) -> ClientSession:
    return ClientSession(
        connector=guard.connector(),
        cookie_jar=DummyCookieJar(),
        timeout=ClientTimeout(total=None),
        headers={"User-Agent": "mim", "Accept": "*/*", "Accept-Encoding": "identity"},
    )


async def _receive(response: ClientResponse, url: URL, file: BinaryIO, kind: MediaKind, limits: Limits) -> _Answer:
    if 300 <= response.status < 400:
        raise _unreachable(f"{url.host} redirects ({response.status}), which is not followed: give the final address")
    if response.status != 200:
        raise _unreachable(f"{url.host} answers {response.status} instead of the file: check its address")
    if (response.content_length or 0) > limits.max_bytes:
        raise _too_large(kind, limits)
    head, size_bytes = b"", 0
    async for block in response.content.iter_chunked(_BLOCK):
        size_bytes += len(block)
        if size_bytes > limits.max_bytes:
            raise _too_large(kind, limits)
        head = (head + block)[:_HEAD] if len(head) < _HEAD else head
        await asyncio.to_thread(file.write, block)
    await asyncio.to_thread(file.flush)
    if not size_bytes:
        raise _refused("the file is empty")
    disposition = response.content_disposition
    return _Answer(url, head, size_bytes, response.content_type, disposition.filename if disposition else None)


def _too_large(kind: MediaKind, limits: Limits) -> Refused:
    most = f"{limits.max_bytes / (1 << 20):.3g} MiB" if limits.max_bytes >= 1 << 20 else f"{limits.max_bytes:,} bytes"
    remedy = "send a smaller one" + (", or send it as a document" if kind is not MediaKind.DOCUMENT else "")
    return _refused(f"the file is larger than {most}, the most that can be sent as {kind}: {remedy}")


def _refused(text: str) -> Refused:
    return Refused(ErrorCode.MEDIA_REFUSED, text)


def _unreachable(text: str) -> Refused:
    return Refused(ErrorCode.MEDIA_UNREACHABLE, text)


def _open(folder: Path) -> tuple[Path, BinaryIO]:
    try:
        handle, name = tempfile.mkstemp(prefix=_PREFIX, dir=folder)  # mode 0600
    except OSError:
        raise Refused(ErrorCode.STORAGE_FULL, "no file can be made in the data folder: is the disk full?") from None
    return Path(name), os.fdopen(handle, "wb")


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


# ---------------------------------------------------------------------------------------------- what came of it

_BEGINNINGS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    *((bytes((0xFF, second)), "audio/mpeg") for second in (0xFB, 0xFA, 0xF3, 0xF2, 0xE3, 0xE2)),
    *((bytes((0xFF, second)), "audio/aac") for second in (0xF1, 0xF9)),
    (b"%PDF-", "application/pdf"),
)
_IN_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
_BRANDS = {b"qt  ": "video/quicktime", b"M4A ": "audio/mp4", b"M4B ": "audio/mp4"}
_STILLS = (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis")  # ISO media too, but pictures
_TAKEN = {
    MediaKind.IMAGE: ("image/jpeg", "image/png", "image/webp", "image/gif"),
    MediaKind.AUDIO: ("audio/ogg", "audio/mpeg", "audio/mp4", "audio/wav", "audio/aac"),
    MediaKind.VIDEO: ("video/mp4", "video/quicktime", "video/webm"),
    MediaKind.VOICE: ("audio/ogg",),
    MediaKind.STICKER: ("image/webp",),
}
_FORMATS = {
    MediaKind.IMAGE: "an image (JPEG, PNG, WebP or GIF)",
    MediaKind.AUDIO: "audio (Ogg, MP3, M4A, AAC or WAV)",
    MediaKind.VIDEO: "a video (MP4, QuickTime or WebM)",
    MediaKind.VOICE: "a voice message (Ogg with Opus)",
    MediaKind.STICKER: "a sticker (WebP)",
}


def sniff(head: bytes) -> str | None:
    """The content type of a file by its first bytes, of the formats that messengers show; None for all others. Pure.

    Signatures: https://mimesniff.spec.whatwg.org and https://mp4ra.org (brands).
    """
    for beginning, content_type in _BEGINNINGS:
        if head.startswith(beginning):
            return content_type
    if head.startswith(b"RIFF"):
        return _IN_RIFF.get(head[8:12])
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "video/webm" if b"webm" in head[:64] else None
    if head[4:8] == b"ftyp" and head[8:12] not in _STILLS:
        return _BRANDS.get(head[8:12], "video/mp4")
    return None


def _content_type(media: Media, answer: _Answer) -> str:
    """Raises: Refused if the file is not of its kind."""
    found = sniff(answer.head)
    if media.kind is MediaKind.DOCUMENT:
        guessed, _ = mimetypes.guess_type(_named(media, answer))
        return found or guessed or answer.said_type
    if media.kind is MediaKind.AUDIO and found == "video/mp4":
        found = "audio/mp4"  # many programs give an MP4 file with nothing but sound the common brand
    if found not in _TAKEN[media.kind]:
        said = re.sub(r"[^\w.+/-]", "", answer.said_type)[:60]
        if media.upload is not None:
            raise _refused(f"the uploaded file is not {_FORMATS[media.kind]}: send it as a document")
        text = f"what {answer.url.host} delivers ({said}) is not {_FORMATS[media.kind]}"
        raise _refused(f"{text}: give the address of the file itself, or send it as a document")
    return found


def _named(media: Media, answer: _Answer) -> str:
    return media.file_name or answer.said_name or answer.url.name or media.kind


def _name(media: Media, answer: _Answer, content_type: str) -> str:
    """A file name for the receiver: the last part of a path, with an ending if there is one for the type."""
    name = re.split(r"[/\\]", _named(media, answer).encode(errors="replace").decode())[-1]
    name = re.sub(r"[\x00-\x1f\x7f]+", "_", name).strip(" .") or media.kind
    if not re.search(r"\.\w{1,8}$", name):
        name += mimetypes.guess_extension(content_type) or ""
    return name[-_LONGEST_NAME:]
