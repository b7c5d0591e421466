"""The emulator as a program of its own, and its control API."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mim.emulators.whatsapp import WhatsAppEmulator, serve

WITHIN_S = 15


@contextlib.asynccontextmanager
async def program(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mim.emulators.whatsapp", str(folder), stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def written(folder: Path, pid: int) -> dict[str, int]:
    """What the program with this process id says about its ports; empty until it does."""
    try:
        ports: dict[str, int] = json.loads((folder / "ports.json").read_text())
    except FileNotFoundError:
        return {}
    return ports if ports["pid"] == pid else {}


async def ports_of(folder: Path, process: asyncio.subprocess.Process) -> dict[str, int]:
    async with asyncio.timeout(WITHIN_S):
        while not (ports := await asyncio.to_thread(written, folder, process.pid)):
            assert process.returncode is None
    return ports


async def call(port: int, action: str, **body: object) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as http, http.post(f"http://127.0.0.1:{port}/{action}", json=body) as answer:
        return answer.status, await answer.json()


def mapped_files(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


async def test_the_program_serves_until_it_is_terminated_and_comes_back_as_it_was(tmp_path: Path) -> None:
    async with program(tmp_path) as process:
        ports = await ports_of(tmp_path, process)
        assert "neonize-linux" not in mapped_files(process.pid)
        _, bob = await call(ports["control"], "contact", phone="+1 555 000 2222", name="Bob")
        process.terminate()
        assert await asyncio.wait_for(process.wait(), WITHIN_S) == 0
    trusted = [(tmp_path / name).read_bytes() for name in ("ca.pem", "root.pub")]

    async with program(tmp_path) as process:
        again = await ports_of(tmp_path, process)
        assert {**again, "pid": 0} == {**ports, "pid": 0}
        assert [(tmp_path / name).read_bytes() for name in ("ca.pem", "root.pub")] == trusted
        assert await call(again["control"], "contact", phone="15550002222") == (200, bob)


@pytest.fixture
async def whatsapp(tmp_path: Path) -> AsyncIterator[WhatsAppEmulator]:
    async with serve(tmp_path) as emulator:
        yield emulator


@pytest.mark.parametrize(
    ("action", "body", "sentence"),
    [
        ("scan", {"qr": "nonsense", "phone": "15550001111"}, "this is no QR code of WhatsApp: pass its whole text"),
        ("scan", {}, "the field 'qr' is missing"),
        ("code", {"code": "AAAA-BBBB", "phone": "15550001111"}, "no client asked for a pairing code for 15550001111"),
        ("contact", {"phone": "Bob"}, "'Bob' is not a phone number: use the country code and 5 to 15 digits in all"),
        ("logout", {"phone": "15550001111", "device": 3}, "15550001111 has no linked device 3: see links"),
        (
            "incoming",
            {"from": "15550002222", "to": "15550001111", "text": "hi"},
            "15550001111 has no linked device: scan a QR code with it first",
        ),
        ("drop", {"phone": "15550001111", "device": 3}, "15550001111 has no linked device 3: see links"),
    ],
)
async def test_what_cannot_be_done_is_said_in_a_sentence(
    whatsapp: WhatsAppEmulator, action: str, body: dict[str, object], sentence: str
) -> None:
    assert await call(whatsapp.ports.control, action, **body) == (400, {"error": sentence})


async def test_nothing_is_known_before_anything_happened(whatsapp: WhatsAppEmulator) -> None:
    port = whatsapp.ports.control
    assert await call(port, "links") == (200, {"devices": []})
    assert await call(port, "events") == (200, {"events": []})
    assert await call(port, "inbox", phone="15550001111") == (200, {"messages": []})


@pytest.mark.parametrize(
    "target", ["example.com:443", "web.whatsapp.com:80", "web.whatsapp.com.example.com:443", "127.0.0.1:443"]
)
async def test_the_tunnel_leads_nowhere_else(whatsapp: WhatsAppEmulator, target: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", whatsapp.ports.proxy)
    writer.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), WITHIN_S)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 403 ")


async def test_a_client_that_talks_nonsense_does_no_harm(whatsapp: WhatsAppEmulator) -> None:
    url = f"https://127.0.0.1:{whatsapp.ports.tls}/ws/chat"
    async with aiohttp.ClientSession() as http:
        for first in (b"", b"x", b"WA\x06\x03\x00\x00\x05hello", b"ED\x00\x01\xff\xff\xff"):
            async with http.ws_connect(url, ssl=False) as client:
                await client.send_bytes(first)
                await client.close()
    assert await call(whatsapp.ports.control, "links") == (200, {"devices": []})


async def test_the_media_host_takes_only_what_is_named_rightly(whatsapp: WhatsAppEmulator) -> None:
    blob = b"sealed"
    name = base64.urlsafe_b64encode(hashlib.sha256(blob).digest()).decode()
    other = base64.urlsafe_b64encode(hashlib.sha256(b"other").digest()).decode()
    url = f"https://127.0.0.1:{whatsapp.ports.tls}/mms/image"
    statuses = []
    async with aiohttp.ClientSession() as http:
        for token, query in (
            (name, {"token": name, "auth": "sandbox-15550001111"}),
            (name, {"token": name, "auth": "stolen"}),
            (name, {"token": other, "auth": "sandbox-15550001111"}),
            (other, {"token": other, "auth": "sandbox-15550001111"}),
        ):
            async with http.post(f"{url}/{token}", params=query, data=blob, ssl=False) as answer:
                statuses.append(answer.status)
                if answer.status == 200:
                    assert set(await answer.json(content_type=None)) == {"url", "direct_path", "handle"}
    assert statuses == [200, 401, 401, 400]
    assert [path.read_bytes() for path in (whatsapp.folder / "media").iterdir()] == [blob]
