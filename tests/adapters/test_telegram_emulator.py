"""The Bot API emulator's wire protocol, spoken to as any HTTP client would."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mim.emulators.telegram import Emulator, Fault, serve

TOKEN = "42:" + "a" * 35
CONFLICT = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"


class Client:
    """Calls methods of one bot and returns (status, body)."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.http = http
        self.url = url

    async def __call__(self, method: str, token: str = TOKEN, **args: Any) -> tuple[int, Any]:
        data = {key: str(value) for key, value in args.items()}
        async with self.http.post(f"{self.url}/bot{token}/{method}", data=data) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with serve(emulator=Emulator(conflict_pause_s=0.2)) as server:
        yield server


@pytest.fixture
async def call(emulator: Emulator) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as http:
        yield Client(http, emulator.url)


async def polling(emulator: Emulator, *, on: bool = True) -> None:
    """Return as soon as a poll of the bot waits, or none does."""
    await asyncio.wait_for(emulator.bot(42).until_polling(on=on), 5)


async def test_get_me_describes_the_bot(call: Client) -> None:
    status, body = await call("getMe")
    assert (status, body["ok"]) == (200, True)
    assert body["result"].items() >= {"id": 42, "is_bot": True, "username": "sandbox_42_bot"}.items()


async def test_arguments_may_come_as_form_multipart_json_or_query(emulator: Emulator, call: Client) -> None:
    url = f"{emulator.url}/bot{TOKEN}/sendMessage"
    form = aiohttp.FormData({"chat_id": "7", "text": "multipart"})
    form.add_field("photo", b"bytes", filename="p.jpg")
    requests: list[dict[str, Any]] = [
        {"method": "POST", "data": {"chat_id": 7, "text": "form"}},
        {"method": "POST", "data": form},
        {"method": "POST", "json": {"chat_id": 7, "text": "json", "disable_notification": True}},
        {"method": "GET", "params": {"chat_id": 7, "text": "query"}},
    ]
    for request in requests:
        async with call.http.request(url=url, **request) as answer:
            assert answer.status == 200, await answer.text()
    assert [message["text"] for message in emulator.inbox(7)] == ["form", "multipart", "json", "query"]


async def test_files_are_told_apart_by_what_is_in_them(emulator: Emulator, call: Client) -> None:
    async def send(method: str, field: str, content: bytes, **args: str) -> tuple[int, Any]:
        form = aiohttp.FormData({"chat_id": "7", **args})
        form.add_field(field, content, filename="a.bin")
        async with call.http.post(f"{emulator.url}/bot{TOKEN}/{method}", data=form) as answer:
            return answer.status, await answer.json()

    status, body = await send("sendPhoto", "photo", b"\xff\xd8\xff...", caption="look")
    assert (status, body["result"]["caption"], body["result"]["photo"][0]["file_size"]) == (200, "look", 6)
    status, body = await send("sendDocument", "document", b"anything")
    assert (status, body["result"]["document"]["file_name"]) == (200, "a.bin")
    refusals = [
        (await send("sendPhoto", "photo", b"no picture"), "Bad Request: IMAGE_PROCESS_FAILED"),
        (await send("sendVideo", "video", b""), "Bad Request: file must be non-empty"),
        (await send("sendAudio", "video", b"x"), "Bad Request: there is no audio in the request"),
        (await send("sendAudio", "audio", b"x", caption="c" * 1025), "Bad Request: message caption is too long"),
        (
            await send("sendPhoto", "photo", b"\xff\xd8\xff" + bytes(10 << 20)),
            "Bad Request: file of size 10485763 bytes is too big for a photo; the maximum size is 10485760 bytes",
        ),
    ]
    for answer, description in refusals:
        assert answer == (400, {"ok": False, "error_code": 400, "description": description})
    assert [message["media"]["kind"] for message in emulator.inbox(7)] == ["image", "document"]


async def test_methods_know_no_case_and_an_unknown_one_is_404(emulator: Emulator, call: Client) -> None:
    assert (await call("GETME"))[0] == 200
    assert await call("getYou") == (404, {"ok": False, "error_code": 404, "description": "Not Found: method not found"})
    async with call.http.get(f"{emulator.url}/elsewhere") as answer:
        assert await answer.json() == {"ok": False, "error_code": 404, "description": "Not Found"}


async def test_tokens_that_are_malformed_refused_or_revoked_get_401(emulator: Emulator, call: Client) -> None:
    unauthorized = (401, {"ok": False, "error_code": 401, "description": "Unauthorized"})
    assert (await call("getMe", "42:short"))[0] == 401
    emulator.refused.add("43")
    assert await call("getMe", "43:" + "a" * 35) == unauthorized
    assert (await call("getMe"))[0] == 200
    emulator.revoke(42)
    assert await call("getMe") == unauthorized
    assert (await call("getMe", "42:" + "b" * 35))[0] == 200


async def test_without_auto_bots_and_auto_chats_only_known_ones_exist(emulator: Emulator, call: Client) -> None:
    emulator.auto_bots = emulator.auto_chats = False
    assert (await call("getMe"))[0] == 401
    emulator.add_bot(TOKEN)
    assert (await call("sendMessage", chat_id=7, text="x"))[1]["description"] == "Bad Request: chat not found"
    emulator.add_chat(7)
    assert (await call("sendMessage", chat_id=7, text="x"))[0] == 200
    with pytest.raises(ValueError, match="no bot 99"):
        emulator.say(99, 7, "hello")


@pytest.mark.parametrize(
    ("args", "description"),
    [
        ({"text": "x"}, "Bad Request: chat_id is empty"),
        ({"chat_id": "@nobody", "text": "x"}, "Bad Request: chat not found"),
        ({"chat_id": 7, "text": ""}, "Bad Request: message text is empty"),
        ({"chat_id": 7, "text": "x" * 4097}, "Bad Request: message is too long"),
        ({"chat_id": 7, "text": "x", "parse_mode": "rtf"}, "Bad Request: unsupported parse_mode"),
    ],
)
async def test_messages_that_telegram_refuses_are_400(call: Client, args: dict[str, Any], description: str) -> None:
    assert await call("sendMessage", **args) == (400, {"ok": False, "error_code": 400, "description": description})


async def test_message_ids_rise_from_the_first_id() -> None:
    async with serve(emulator=Emulator(first_id=225)) as emulator, aiohttp.ClientSession() as http:
        call = Client(http, emulator.url)
        sent = [(await call("sendMessage", chat_id=chat, text="x"))[1]["result"] for chat in (7, 8, -100500)]
    assert [message["message_id"] for message in sent] == [225, 226, 227]
    assert [message["chat"]["type"] for message in sent] == ["private", "private", "supergroup"]


async def test_an_update_stays_until_a_higher_offset_confirms_it(emulator: Emulator, call: Client) -> None:
    for text in ("one", "two", "three"):
        emulator.say(42, 7, text)

    async def texts(**args: Any) -> list[str]:
        return [update["message"]["text"] for update in (await call("getUpdates", **args))[1]["result"]]

    assert await texts(limit=2) == ["one", "two"]
    assert await texts(offset=2) == ["two", "three"]
    assert await texts(offset=-1) == ["three"]
    assert emulator.bots()[0]["pending_updates"] == 1


async def test_an_offset_from_before_a_restart_confirms_nothing(emulator: Emulator, call: Client) -> None:
    emulator.say(42, 7, "after the restart")
    assert (await call("getUpdates", offset=1_000))[1]["result"][0]["message"]["text"] == "after the restart"


async def test_a_long_poll_is_answered_when_something_comes(emulator: Emulator, call: Client) -> None:
    poll = asyncio.create_task(call("getUpdates", timeout=50))
    await polling(emulator)
    emulator.say(42, 7, "hello", name="Bea")
    update = (await poll)[1]["result"][0]
    assert update["message"]["from"]["first_name"] == "Bea"
    assert await call("getUpdates", offset=update["update_id"] + 1, timeout=1) == (200, {"ok": True, "result": []})


async def test_kinds_of_updates_that_were_not_asked_for_are_dropped(emulator: Emulator, call: Client) -> None:
    await call("getUpdates", allowed_updates='["callback_query"]')
    emulator.say(42, 7, "unheard")
    assert emulator.bots()[0]["pending_updates"] == 0


async def test_a_second_poll_ends_the_first_with_409(emulator: Emulator, call: Client) -> None:
    first = asyncio.create_task(call("getUpdates", timeout=50))
    await polling(emulator)
    second = asyncio.create_task(call("getUpdates", timeout=50))
    assert await first == (409, {"ok": False, "error_code": 409, "description": CONFLICT})
    emulator.say(42, 7, "for the second")
    assert (await second)[1]["result"][0]["message"]["text"] == "for the second"
    assert emulator.bots()[0]["max_pollers"] == 2


async def test_a_poll_whose_client_went_away_is_no_poll(emulator: Emulator, call: Client) -> None:
    first = asyncio.create_task(call("getUpdates", timeout=50))
    await polling(emulator)
    first.cancel()
    await polling(emulator, on=False)
    emulator.say(42, 7, "for the next")
    assert (await call("getUpdates", timeout=50))[0] == 200
    assert emulator.bots()[0]["max_pollers"] == 1


async def test_a_webhook_and_a_poll_exclude_each_other(emulator: Emulator, call: Client) -> None:
    poll = asyncio.create_task(call("getUpdates", timeout=50))
    await polling(emulator)
    await call("setWebhook", url="https://example.org/hook")
    assert (await poll)[1]["description"] == "Conflict: terminated by setWebhook request"
    status, body = await call("getUpdates")
    assert (status, body["description"].partition(";")[0]) == (
        409,
        "Conflict: can't use getUpdates method while webhook is active",
    )
    assert (await call("getWebhookInfo"))[1]["result"]["url"] == "https://example.org/hook"
    await call("deleteWebhook")
    emulator.say(42, 7, "polled again")
    assert (await call("getUpdates"))[0] == 200


async def test_a_revoked_token_ends_its_poll(emulator: Emulator, call: Client) -> None:
    poll = asyncio.create_task(call("getUpdates", timeout=50))
    await polling(emulator)
    emulator.revoke(42)
    assert (await poll)[0] == 401


async def test_faults_hit_the_calls_they_name_and_then_are_over(emulator: Emulator, call: Client) -> None:
    emulator.fault(Fault(bot=42, method="getMe", status=429, retry_after=5, times=2))
    limited = {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 5",
        "parameters": {"retry_after": 5},
    }
    assert (await call("getMe", "43:" + "a" * 35))[0] == 200
    assert await call("getMe") == (429, limited) == await call("getMe")
    assert (await call("getMe"))[0] == 200
    emulator.fault(Fault(method="sendMessage", lose=True))
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await call("sendMessage", chat_id=7, text="arrives, but nobody hears of it")
    emulator.fault(Fault(method="sendMessage", drop=True))
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await call("sendMessage", chat_id=7, text="does not arrive")
    assert len(emulator.inbox(7)) == 1
    with pytest.raises(ValueError, match="at least 1"):
        Fault(times=0)


async def test_an_unreachable_bot_loses_its_poll_and_every_call_until_it_is_back(
    emulator: Emulator, call: Client
) -> None:
    poll = asyncio.create_task(call("getUpdates", timeout=50))
    await polling(emulator)
    emulator.unreachable(42)
    for lost in (poll, asyncio.create_task(call("getMe"))):
        with pytest.raises(aiohttp.ClientConnectionError):
            await lost
    assert (await call("getMe", "43:" + "a" * 35))[0] == 200
    emulator.unreachable(42, on=False)
    assert (await call("getMe"))[0] == 200


async def test_calls_are_recorded_without_tokens(emulator: Emulator, call: Client) -> None:
    await call("getMe")
    await call("sendMessage", chat_id="@nobody", text="x")
    assert list(emulator.calls) == [(42, "getme", 200), (42, "sendmessage", 400)]


async def test_as_a_process_it_is_driven_over_its_control_port(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "mim.emulators.telegram", str(tmp_path))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20), aiohttp.ClientSession() as http:
            ports = json.loads(await process.stdout.readline())
            assert json.loads((tmp_path / "ports.json").read_text()) == ports
            call = Client(http, f"http://127.0.0.1:{ports['api']}")

            async def control(verb: str, **fields: object) -> tuple[int, Any]:
                async with http.post(f"http://127.0.0.1:{ports['control']}/{verb}", json=fields) as answer:
                    return answer.status, await answer.json()

            await call("sendMessage", chat_id=7, text="hello")
            assert (await control("inbox", chat=7))[1]["messages"][0]["text"] == "hello"
            assert (await control("say", **{"bot": 42, "from": 7, "text": "hi", "name": "Bea"}))[1]["message_id"] > 1
            assert (await call("getUpdates"))[1]["result"][0]["message"]["text"] == "hi"
            assert (await control("fault", bot=42, status=500))[0] == 200
            assert (await call("getMe"))[0] == 500
            assert (await control("revoke", bot=42))[0] == 200
            assert (await call("getMe"))[0] == 401
            assert (await control("bots"))[1]["bots"][0]["sent"] == 1
            for verb, fields, status in (("say", {"bot": 42}, 400), ("fault", {"wrong": 1}, 400), ("sing", {}, 404)):
                answered, body = await control(verb, **fields)
                assert (answered, list(body)) == (status, ["error"])
    finally:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
