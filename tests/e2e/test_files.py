"""Files both ways: uploaded block by block and sent; those that came in are fetched when they are asked for."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.e2e.conftest import System

Json = dict[str, Any]
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8_000  # larger than any other body may be
PHONE, BOB = "15551118001", "15552228001"


async def test_a_file_is_uploaded_sent_received_and_fetched(system: System) -> None:
    made = await system.ready_whatsapp(PHONE)
    path = f"/api/v1/instances/{made['instance_id']}/media"
    status, _, raw = await system.raw("PUT", path, PICTURE)
    assert status == 201, raw
    key = {"Authorization": f"Bearer {made['api_key']}"}
    for way in (f"http://127.0.0.1:{made['port']}/api/v1/media", f"/{made['port']}/api/v1/media"):
        status, _, raw = await system.raw("PUT", way, PICTURE, headers=key)
        assert status == 201, raw
        again = json.loads(raw)
    uploaded = again["upload"]
    assert uploaded == hashlib.sha256(PICTURE).hexdigest()
    assert (again["content_type"], again["size_bytes"]) == ("image/png", len(PICTURE))
    body = {"to": BOB, "text": "look", "media": {"kind": "image", "upload": uploaded}}
    status, sent = await system.call("POST", f"/api/v1/instances/{made['instance_id']}/messages", body)
    assert status == 200, sent
    (got,) = (await system.control("whatsapp", "inbox", phone=BOB))["messages"]
    assert (got["text"], got["media"]["sha256"]) == ("look", uploaded)
    body["media"] = {"kind": "video", "upload": uploaded}
    status, refused = await system.call("POST", f"/api/v1/instances/{made['instance_id']}/messages", body)
    assert (status, refused["code"]) == (502, "MEDIA_REFUSED")
    body["media"] = {"kind": "image", "upload": "0" * 64}
    status, refused = await system.call("POST", f"/api/v1/instances/{made['instance_id']}/messages", body)
    assert (status, refused["code"]) == (502, "MEDIA_UNREACHABLE")

    voice = b"OggS\0\x02" + bytes(9_000)
    media = {"kind": "voice", "content": base64.b64encode(voice).decode(), "content_type": "audio/ogg"}
    async with system.events(f"?instance_id={made['instance_id']}&types=message.received") as events:
        await system.control("whatsapp", "incoming", to=PHONE, media=media, **{"from": BOB})
        _, _, event = await anext(events)
    message = event["data"]["message"]
    assert message["media"]["kind"] == "voice"
    assert base64.b64encode(voice[:30]).decode() not in str(event)
    place = f"/api/v1/messages/{message['chat_id']}/{message['id']}/media"
    for url in (f"http://127.0.0.1:{made['port']}{place}", f"/{made['port']}{place}"):
        status, headers, raw = await system.raw("GET", url, headers=key)
        assert (status, raw, headers["Content-Type"]) == (200, voice, "application/octet-stream")
        assert headers["Content-Disposition"].startswith("attachment")
    status, _, raw = await system.raw("GET", f"/{made['port']}{place}".replace(message["id"], "nothing"), headers=key)
    assert status == 404, raw


async def test_what_is_too_large_or_nothing_is_refused(system: System) -> None:
    made = await system.create("telegram", start=False)
    path = f"/api/v1/instances/{made['instance_id']}/media"
    status, answer = await system.call("PUT", path)
    assert (status, answer["code"]) == (422, "INVALID_FIELDS")
    status, _, raw = await system.raw("PUT", path, bytes(64 * 1024 * 1024 + 1))
    assert (status, b"TOO_LARGE" in raw) == (413, True)
