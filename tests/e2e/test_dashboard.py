"""The dashboard as an operator uses it: Chromium against a whole system, and what it shows to whom."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
import zxingcpp
from aiohttp import web
from PIL import Image
from tests.e2e.browser import CHROMIUM, DASHBOARD, Browser, Page, need_browser, node
from tests.e2e.conftest import BOT_TOKEN, StartSystem, System

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
MOST_SCRIPT_BYTES = 200_000
MOST_SHIFT = 0.02
"""Chromium calls up to 0.1 good."""
PICTURES = os.environ.get("MIM_PICTURES")
"""A folder to keep the pictures in, to be looked at."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    need_browser()
    async with Browser() as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def browser(chromium: Browser) -> AsyncIterator[Browser]:
    yield chromium
    await chromium.close_pages()


async def keep(page: Page, name: str) -> None:
    """Keep a picture for a person to look at."""
    if PICTURES:
        picture = await page.picture(full=True)
        await asyncio.to_thread((Path(PICTURES) / f"{name}.png").write_bytes, picture)


async def read_qr(page: Page) -> str:
    """The text of the QR code on the screen, read from the picture as a phone's camera would."""
    await page.see("[data-qr]")
    for _ in range(20):
        picture = Image.open(io.BytesIO(await page.picture()))
        if found := zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode):
            return found[0].text
    raise AssertionError("no QR code in the picture")


async def test_whatsapp_from_nothing_to_a_sent_text(browser: Browser, system: System) -> None:
    page = await browser.open()
    await page.goto(system.url)
    await page.click("role=link[name='New instance']")
    await page.fill("role=textbox[name=/^Name/]", "Shop")
    await page.fill("role=textbox[name=/^User/]", "acme")
    await page.click("role=button[name='Create']")
    code = await read_qr(page)
    assert await page.complaints() == []
    await page.evaluate("window.sinceThen = true")  # a reload would lose it

    await system.control("whatsapp", "scan", qr=code, phone="15553330001")
    await page.see("main [data-status=client_ready]")
    await page.see("text=Logged in")

    await page.click("role=link[name='Send a message']")
    await page.fill("role=textbox[name=/^To/]", "15553330002")
    await page.click("role=button[name='Open the chat']")
    await page.fill("role=textbox[name=/^Text/]", "hello from the page")
    await page.key("Enter")
    await page.see("li[data-mine] >> text=Read")
    inbox = (await system.control("whatsapp", "inbox", phone="15553330002"))["messages"]
    assert [message["text"] for message in inbox] == ["hello from the page"]
    assert await page.getAttribute("li[data-mine]", "data-message") == inbox[0]["id"]
    assert await page.evaluate("window.sinceThen")
    assert await page.complaints() == []


async def test_whatsapp_with_a_code_that_is_typed_on_the_phone(browser: Browser, system: System) -> None:
    made = await system.create("whatsappweb", name="No camera")
    page = await browser.open()
    await page.goto(f"{system.url}/instances/{made['instance_id']}?tab=login")
    await page.see("[data-qr]")
    await page.evaluate("window.sinceThen = true")
    await page.fill("role=textbox[name=/^Phone number/]", "+15553330021")
    await page.click("role=button[name='Get a code']")
    await page.see("[data-code]")
    code = (await page.innerText("[data-code]")).strip()
    assert re.fullmatch(r"[A-Z0-9]{4}-?[A-Z0-9]{4}", code), code
    assert await page.complaints() == []
    await keep(page, "pairing-code")

    await system.control("whatsapp", "code", code=code, phone="15553330021")
    await page.see("h1 + div [data-status=client_ready]")
    await page.see("text=Logged in")
    assert await page.evaluate("window.sinceThen")


async def test_a_passkey_that_the_phone_asks_for_is_told_and_the_login_begins_anew(
    browser: Browser, system: System
) -> None:
    made = await system.create("whatsappweb", name="Passkey")
    page = await browser.open()
    await page.goto(f"{system.url}/instances/{made['instance_id']}?tab=login")
    code = await read_qr(page)
    await system.control("whatsapp", "passkey", qr=code)
    await page.see("role=heading[name='Confirm with the passkey on the phone']")
    await page.see("main >> text=/turn the passkey off/")
    assert await page.complaints() == []
    await keep(page, "passkey")
    await page.click("role=button[name='Start a new login']")
    assert await read_qr(page) != code


async def test_telegram_with_a_bad_token_shows_why_and_takes_a_good_one(browser: Browser, system: System) -> None:
    token = BOT_TOKEN.format(99_999_001)
    api = json.loads((system.folder / "sandbox" / "telegram" / "ports.json").read_text())["api"]
    await system.raw("GET", f"http://127.0.0.1:{api}/bot{token}/getMe")  # Telegram knows the bot from now on
    await system.control("telegram", "revoke", bot=int(token.partition(":")[0]))
    page = await browser.open()
    await page.goto(f"{system.url}/instances/new")
    await page.click("role=radio[name=/Telegram/]")
    await page.fill("role=textbox[name=/^User/]", "acme")
    await page.fill("css=input[type=password] >> nth=0", token)
    await page.click("role=button[name='Create']")
    await page.see("main [data-status=error]")
    await page.see("main >> text=/token/i")
    assert await page.complaints() == []

    await page.fill("css=input[type=password] >> nth=0", BOT_TOKEN.format(99_999_002))
    await page.click("role=button[name='Continue']")
    await page.see("main [data-status=client_ready]")


async def test_a_persons_telegram_account_logs_in_by_phone_code_and_password(browser: Browser, system: System) -> None:
    phone = "+15559993001"
    await system.control("mtproto", "person", phone=phone, name="Page", username="page_e2e", password="correct horse")
    page = await browser.open()
    await page.goto(f"{system.url}/instances/new")
    await page.click("role=radio[name=/Telegram/]")
    await page.fill("role=textbox[name=/^User/]", "acme")
    await page.selectOption("role=combobox[name='Account']", "user")
    await page.click("role=button[name='Create']")
    assert (await read_qr(page)).startswith("tg://login?token=")
    await page.see("text=Open Telegram on the phone")
    assert await page.complaints() == []
    await keep(page, "telegram-user-qr")
    await page.evaluate("window.sinceThen = true")

    await page.fill("role=textbox[name='Phone number']", phone)
    await page.click("role=button[name='Continue']")
    await page.see("role=textbox[name=/^Code/]")
    assert await page.complaints() == []
    await keep(page, "telegram-user-code")
    code = (await system.control("mtproto", "code", phone=phone))["code"]
    await page.fill("role=textbox[name=/^Code/]", code)
    await page.click("role=button[name='Continue']")
    await page.see("role=heading[name='Password']")
    await page.fill("css=input[type=password]", "wrong horse")
    await page.click("role=button[name='Continue']")
    await page.see("main >> text=/PASSWORD_HASH_INVALID/")
    await page.fill("css=input[type=password]", "correct horse")
    await page.click("role=button[name='Continue']")
    await page.see("text=Logged in page_e2e")
    assert await page.evaluate("window.sinceThen")


async def test_a_chat_is_followed_and_answered_and_what_waits_says_why(browser: Browser, system: System) -> None:
    own, ann = "15553330031", "15553330032"
    made = await system.ready_whatsapp(own, name="Chats")
    at = f"{system.url}/instances/{made['instance_id']}?tab=messages"
    page, phone = await asyncio.gather(
        browser.open(), browser.open(locale="ru-RU", colorScheme="dark", viewport=PHONE, hasTouch=True)
    )
    await page.goto(at)
    await page.see("text=No chats yet")
    assert await page.complaints() == []
    await page.evaluate("window.sinceThen = true")
    await system.control("whatsapp", "incoming", **{"from": ann, "to": own, "name": "Ann", "text": "open on Sunday?"})
    await page.click("role=button[name=/Ann/]")
    await page.see("role=log >> text=open on Sunday?")

    await page.fill("role=textbox[name='Text']", "from nine to five")
    await page.key("Enter")
    await page.see("li[data-mine] >> text=Read")
    await page.see("nav[aria-label=Chats] >> text=You: from nine to five")
    inbox = (await system.control("whatsapp", "inbox", phone=ann))["messages"]
    assert [message["text"] for message in inbox] == ["from nine to five"]

    await page.click("role=button[name='Stop']")
    await page.see("text=/a message waits until it is/")
    await page.fill("role=textbox[name='Text']", "and on Monday")
    await page.key("Enter")
    await page.see("li[data-outgoing=queued] >> text=/the instance is stopped/")
    await page.see("li[data-outgoing=queued] >> text=/at the latest/")
    assert await page.complaints() == []
    await keep(page, "messages-waiting")
    await phone.goto(at)
    await phone.click("role=button[name=/Ann/]")
    await phone.see("role=log >> text=from nine to five")
    assert not await phone.isVisible("nav[aria-label='Чаты']")
    assert await phone.complaints() == []
    assert await phone.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    await keep(phone, "messages-phone-ru")
    await phone.click("role=button[name=/чаты$/]")
    await phone.see("nav[aria-label='Чаты'] >> text=Ann")
    await phone.close()

    await page.click("role=button[name='Start']")
    await page.until(
        "[...document.querySelectorAll('li[data-mine]')].filter(e => /Read/.test(e.innerText)).length === 2"
    )
    assert await page.evaluate("document.querySelectorAll('[data-outgoing]').length") == 0
    assert await page.evaluate("window.sinceThen")


# What a person finds in their folder afterwards.
KEEP_SAVED = """{
    const make = URL.createObjectURL.bind(URL);
    URL.createObjectURL = blob => { void blob.text().then(text => window.saved = text); return make(blob); };
}"""


async def test_files_go_both_ways(browser: Browser, system: System) -> None:
    own, ann = "15553330041", "15553330042"
    made = await system.ready_whatsapp(own, name="Files")
    picture = (DASHBOARD / "public" / "mim.svg").read_bytes()
    media = {"kind": "document", "content": base64.b64encode(picture).decode(), "content_type": "image/svg+xml"}
    plan = {"from": ann, "to": own, "name": "Ann", "text": "our plan", "media": media | {"name": "plan.svg"}}
    await system.control("whatsapp", "incoming", **plan)
    page = await browser.open()
    await page.goto(f"{system.url}/instances/{made['instance_id']}?tab=messages")
    await page.click("role=button[name=/Ann/]")
    await page.see("role=log >> text=/^Document · plan.svg · /")
    await page.evaluate(KEEP_SAVED)
    await page.click("role=button[name='Save: plan.svg']")
    await page.until("window.saved")
    assert await page.evaluate("window.saved") == picture.decode()

    await page.click("role=button[name='Attach a file']")
    await page.setInputFiles("input[type=file]", str(DASHBOARD / "index.html"))
    await page.selectOption("role=combobox[name='Send as']", "document")
    await page.fill("role=textbox[name=/^Text beside/]", "as a file")
    assert await page.complaints() == []
    await keep(page, "messages-file")
    await page.click("role=button[name='Send']")
    await page.see("li[data-message][data-mine]:has-text('as a file') >> text=Read")
    (sent,) = (await system.control("whatsapp", "inbox", phone=ann))["messages"]
    assert (sent["text"], sent["media"]["kind"], sent["media"]["file_name"]) == ("as a file", "document", "index.html")
    assert sent["media"]["size_bytes"] == (DASHBOARD / "index.html").stat().st_size


async def test_what_a_webhook_refused_is_redelivered_from_the_page(browser: Browser, own_system: StartSystem) -> None:
    status, came = 422, asyncio.Queue[bytes]()

    async def answer(request: web.Request) -> web.Response:
        came.put_nowait(await request.read())
        return web.Response(status=status, text="no such shop")

    runner = web.AppRunner(_app(answer), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        system = await own_system(MIM_WEBHOOK_PRIVATE="true")
        hook = {"url": f"http://127.0.0.1:{runner.addresses[0][1]}/hook"}
        made = await system.ready_telegram(name="Reported", api_webhook_schema=hook)
        page = await browser.open()
        await page.goto(f"{system.url}/instances/{made['instance_id']}?tab=webhook")
        await page.see("text=Nothing was delivered yet")
        bot = int((await system.get(made["instance_id"]))["account"].split("_", 2)[1])
        await system.control("telegram", "say", bot=bot, text="hello", **{"from": 77})
        await asyncio.wait_for(came.get(), 20)
        await page.see("tr[data-delivery=failed] >> text=HTTP 422")
        assert await page.complaints() == []
        await keep(page, "deliveries")
        await page.click("role=button[name=/^Show: /]")
        await page.see("text=no such shop")
        await page.see("role=region[name='Body'] >> text=/hello/")
        assert await page.complaints() == []
        await keep(page, "delivery")
        status = 204
        await page.click("role=button[name='Redeliver']")
        assert json.loads(await asyncio.wait_for(came.get(), 20))["message"]["body"] == "hello"
        await page.click("role=button[name='All deliveries']")
        await page.see("tr[data-delivery=delivered]")
    finally:
        await runner.cleanup()


def _app(answer: Callable[[web.Request], Awaitable[web.Response]]) -> web.Application:
    app = web.Application()
    app.router.add_post("/hook", answer)
    return app


async def test_the_page_recovers_with_a_killed_worker(browser: Browser, own_system: StartSystem) -> None:
    system = await own_system()
    made = await system.ready_whatsapp("15553330011", name="Shop")
    page = await browser.open()
    await page.goto(f"{system.url}/instances/{made['instance_id']}?tab=history")
    await page.see("tbody [data-status=client_ready]")
    before = await page.evaluate("document.querySelectorAll('tbody tr').length")
    system.kill("whatsapp-adapter")
    # What happened is told, newest first, and the head of the page is right again: nobody reloads anything.
    await page.until(
        "(told => told.length > BEFORE && told.indexOf('starting') > 0 && told[0] === 'client_ready')"
        "([...document.querySelectorAll('tbody [data-status]')].map(e => e.dataset.status))".replace(
            "BEFORE", str(before)
        )
    )
    await page.see("h1 + div [data-status=client_ready]")
    assert await page.complaints() == []


async def test_a_stored_proxy_is_told_never_shown_and_can_be_removed(browser: Browser, system: System) -> None:
    proxy = "http://someone:hush-hush@proxy.example.com:3128"
    one = (await system.create("telegram", name="Behind a proxy", proxy=proxy, start=False))["instance"]
    assert one["has_proxy"]
    page = await browser.open()
    await page.goto(f"{system.url}/instances/{one['id']}/edit")
    await page.see("text=A proxy is set")
    assert "hush-hush" not in await page.content()
    await page.check("role=checkbox[name='Remove the proxy']")
    await page.click("role=button[name='Save']")
    await page.see("role=tab[name='Overview'][selected]")
    assert not (await system.get(one["id"]))["has_proxy"]


async def test_many_are_stopped_at_once_and_each_shows_what_became_of_it(browser: Browser, system: System) -> None:
    made = [await system.ready_telegram(name=f"Crowd {number}", user_id="crowd") for number in range(4)]
    page = await browser.open()
    await page.goto(f"{system.url}/?q=crowd&sort=name")
    await page.see("role=link[name='Crowd 3']")
    await page.check("role=checkbox[name='Select all']")
    await page.see("text=4 selected")
    assert await page.complaints() == []
    await page.click("section[aria-label='Selected instances'] >> role=button[name='Stop']")
    await page.see("text=4 instances stopped")
    await page.until("document.querySelectorAll('tbody [data-status=stopped]').length === 4")
    for each in made:
        assert (await system.get(each["instance_id"]))["desired"] == "stopped"


async def test_a_create_that_nobody_answers_ends_and_can_be_tried_again(
    browser: Browser, own_system: StartSystem
) -> None:
    system = await own_system()
    page = await browser.open()
    await page.goto(f"{system.url}/instances/new")
    await page.fill("role=textbox[name=/^User/]", "acme")
    system.kill("gateway", signal.SIGSTOP)
    try:
        await page.click("role=button[name='Create']")
        await page.see("text=did not answer in time")
    finally:
        system.kill("gateway", signal.SIGCONT)
    await keep(page, "create-without-answer")
    await page.click("role=button[name='Try again']")
    await page.see("[data-qr]")
    _, listed = await system.call("GET", "/api/v1/instances")
    assert listed["total"] == 1


async def test_a_lost_link_is_told_and_what_was_missed_is_caught_up(browser: Browser, system: System) -> None:
    one = await system.ready_telegram(name="Far away")
    page = await browser.open()
    await page.goto(f"{system.url}/instances/{one['instance_id']}")
    await page.see("h1 + div [data-status=client_ready]")
    await page.offline(True)
    await page.see("text=The live link is down")
    assert await page.axe() == []
    await keep(page, "link-down")
    await system.call("POST", f"/api/v1/instances/{one['instance_id']}/stop")
    await page.offline(False)
    await page.see("h1 + div [data-status=stopped]")
    await page.waitForSelector("text=The live link is down", {"state": "detached"})


@pytest.mark.parametrize("files", ["index-*.js", "*.css", "en-*.js"])
async def test_a_page_whose_files_did_not_come_is_loaded_anew(browser: Browser, system: System, files: str) -> None:
    page = await browser.open()
    await page.refuse(f"**/assets/{files}", 1)
    await page.goto(system.url)
    await page.see("role=link[name='New instance']")
    assert await page.evaluate("[...document.querySelectorAll('[rel=stylesheet]')].every(({ sheet }) => sheet)")
    await page.refuse("**/assets/MessengerProviderList-*.js", 2)
    await page.click("role=link[name='Providers']")
    await page.see("role=heading[name='Providers']")


async def test_a_page_is_not_loaded_anew_for_what_nobody_asked_for(browser: Browser, system: System) -> None:
    page = await browser.open()
    await page.goto(f"{system.url}/instances/new")
    await page.fill("role=textbox[name=/^Name/]", "half written")
    # Its first load may have been broken off by a change of the network, which other tests make beside it.
    loads_before = await page.evaluate("sessionStorage.getItem('mim-loads')")
    await page.refuse("**/assets/MessengerProviderList-*.js", 1)
    await asyncio.gather(page.waitForEvent("requestfailed"), page.hover("role=link[name='Providers']"))
    assert await page.evaluate("sessionStorage.getItem('mim-loads')") == loads_before
    assert await page.inputValue("role=textbox[name=/^Name/]") == "half written"
    await page.click("role=link[name='Providers']")
    await page.see("role=heading[name='Providers']")


async def test_a_page_whose_files_do_not_come_says_so(browser: Browser, system: System) -> None:
    page = await browser.open()
    await page.goto(system.url)
    await page.see("role=link[name='New instance']")  # it is not loading itself anew
    await page.evaluate("sessionStorage.setItem('mim-loads', JSON.stringify({ tries: 7, at: Date.now() }))")
    await page.refuse("**/assets/*.js", 10_000)
    await page.reload()
    await page.see("text=The page could not be loaded")
    await page.refuse("**/assets/*.js", 0)
    await page.click("role=button[name='Load it again']")
    await page.see("role=link[name='New instance']")


async def test_the_log_is_followed_and_narrowed(browser: Browser, system: System) -> None:
    one = await system.ready_telegram(name="Talkative")
    page = await browser.open()
    await page.goto(f"{system.url}/instances/{one['instance_id']}?tab=logs")
    await page.see("role=log >> text=client_ready")
    await system.call("POST", f"/api/v1/instances/{one['instance_id']}/stop")
    await page.see("role=log >> text=/status=stopped/")
    assert "\x1b" not in await page.innerText("role=log")
    await page.fill("role=searchbox[name='Search the log']", "status=stopped")
    await page.until("!document.querySelector('[role=log]').innerText.includes('client_ready')")
    await page.selectOption("role=combobox[name='Level']", "error")
    await page.see("text=/0 of 0 lines/")


# Each two of language, colours and width meet in one of them; two show every page, the others the most used.
LOOKS = [
    ("en-US", "light", DESKTOP, True),
    ("ru-RU", "dark", PHONE, True),
    ("ru-RU", "light", DESKTOP, False),
    ("en-US", "dark", DESKTOP, False),
    ("en-US", "light", PHONE, False),
]


@pytest.mark.parametrize(("language", "scheme", "viewport", "every"), LOOKS)
async def test_every_page_is_whole_and_accessible_and_stays_put_while_it_fills(
    browser: Browser, system: System, language: str, scheme: str, viewport: dict[str, int], every: bool
) -> None:
    hook = {"url": "https://example.com/hook", "headers": {"Authorization": "secret"}}
    one = (await system.create("whatsappweb", name="Gallery", api_webhook_schema=hook))["instance"]
    ready = (await system.ready_telegram(name="Steady"))["instance_id"]
    at = f"/instances/{one['id']}"
    paths = ["/", "/instances/new", f"{at}?tab=login", f"{at}?tab=metrics"]
    if every:
        paths += ["/providers", "/system", "/access", f"{at}/edit", "/nowhere"]
        tabs = ["overview", "messages", "webhook", "logs", "history", "errors", "credentials", "danger"]
        paths += [f"{at}?tab={tab}" for tab in tabs]
        paths += [f"/instances/{ready}", f"/instances/{ready}?tab=metrics"]
    kind = f"{'phone' if viewport is PHONE else 'desktop'}-{language[:2]}-{scheme}"

    async def visit(some: list[str]) -> None:
        page = await browser.open(locale=language, colorScheme=scheme, viewport=viewport)
        await page.uncached()
        for path in some:
            await page.goto(system.url + path)
            await page.see("main h1")
            await page.until("!document.querySelector('main .mantine-Skeleton-root')")
            shifts = await page.shifts()
            assert shifts < MOST_SHIFT, f"{path} moves by {shifts}: {await page.movers()}"
            assert await page.complaints() == [], path
            width = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert width <= 0, f"{path} is {width} px too wide"
            await keep(page, f"{kind}{re.sub('[^a-z]+', '-', path.replace(one['id'], '').replace(ready, 'ready'))}")
        assert await page.evaluate("document.documentElement.lang") == language[:2]
        await page.close()

    await asyncio.gather(visit(paths[::2]), visit(paths[1::2]))


# Whatever can be operated gets a number; a group of choices has one place in the order, and arrows move within it.
NUMBER = """[...document.querySelectorAll('a[href], button, input, select, textarea, [tabindex]')]
    .filter(e => !e.disabled && e.tabIndex >= 0 && e.checkVisibility() && !(e.type === 'radio' && !e.checked))
    .map((e, number) => e.dataset.number = number).length"""
NOTE_FOCUS = "window.focused = []; addEventListener('focusin', event => focused.push(event.target.dataset.number))"
NAME = "number => document.querySelector(`[data-number='${number}']`).outerHTML.slice(0, 160)"
# What looks as if it could be clicked, but is neither a control nor part of one.
MOUSE_ONLY = """[...document.querySelectorAll('main *')].filter(e => getComputedStyle(e).cursor === 'pointer'
    && getComputedStyle(e).pointerEvents !== 'none' && !e.closest('a, button, label, select, [tabindex]')
    && !e.querySelector('input, select') && !e.matches('input')).map(e => e.outerHTML.slice(0, 160))"""


async def test_everything_can_be_reached_by_keyboard(browser: Browser, system: System) -> None:
    hook = {"url": "https://example.com/hook"}
    one = await system.ready_telegram(name="Keyboard", user_id="keys", api_webhook_schema=hook)
    at = f"/instances/{one['instance_id']}"
    paths = ["/?q=keys", "/instances/new", f"{at}/edit", "/providers", "/system", "/access"]
    paths += [f"{at}?tab={tab}" for tab in ("overview", "messages", "webhook", "logs", "history", "errors")]
    paths += [f"{at}?tab={tab}" for tab in ("metrics", "credentials", "danger")]
    page = await browser.open()
    for path in paths:
        await page.goto(system.url + path)
        await page.see("main h1")
        await page.until("!document.querySelector('main .mantine-Skeleton-root')")
        await page.evaluate(NOTE_FOCUS)
        waiting = {str(number) for number in range(await page.evaluate(NUMBER))}
        assert len(waiting) >= 8, path
        for _ in range(len(waiting) + 5):
            await page.key("Tab")
        waiting -= set(await page.evaluate("focused"))
        assert not waiting, (path, [await page.evaluate(f"({NAME})({number})") for number in sorted(waiting)])
        assert await page.evaluate(MOUSE_ONLY) == [], path

    await page.focus("role=tab[name='Danger zone']")
    await page.key("Home")
    await page.key("Enter")
    await page.see("role=tab[name='Overview'][selected]")
    await page.key("ArrowRight")
    await page.see("role=tab[name='Login'][selected]")
    await page.goto(system.url)
    await page.see("role=link[name='New instance']")
    await page.key("Tab")
    assert await page.evaluate("document.activeElement.textContent") == "To the content"
    await page.key("Enter")
    assert await page.evaluate("document.activeElement.id") == "main"


async def test_first_load_is_small(browser: Browser, system: System) -> None:
    page = await browser.open()
    await page.goto(system.url)
    await page.see("role=link[name='New instance']")
    loaded = await page.evaluate(
        "performance.getEntriesByType('resource').map(e => new URL(e.name).pathname).filter(n => n.endsWith('.js'))"
    )
    scripts = {name.lstrip("/") for name in loaded}
    assert len(scripts) > 3
    size = sum(_gzipped(DASHBOARD / "dist" / name) for name in scripts)
    print(f"{size:,} bytes of gzipped JavaScript in {len(scripts)} files")
    assert size <= MOST_SCRIPT_BYTES


async def test_a_change_that_comes_by_itself_moves_nothing_in_the_list(browser: Browser, system: System) -> None:
    made = [await system.ready_telegram(name=f"Still {number}", user_id="still") for number in range(3)]
    page = await browser.open()
    await page.goto(f"{system.url}/?q=still")
    await page.see("role=link[name='Still 2']")
    before = await page.shifts()
    account = (await system.get(made[0]["instance_id"]))["account"]
    await system.control("telegram", "revoke", bot=int(account.split("_", 2)[1]))
    await page.see("tbody tr:has-text('Still 0') >> [data-status=error]")
    await page.see("section[aria-label='Needs your hand'] >> text=/Needs your hand/")
    assert await page.shifts() - before < MOST_SHIFT / 10


async def test_of_a_thousand_instances_only_what_is_seen_is_in_the_page(system: System) -> None:
    need_browser()
    command = [str(node()), str(DASHBOARD / "e2e" / "bench.mjs"), system.url, str(CHROMIUM), "1000"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=DASHBOARD, stdout=pipe, stderr=pipe)
    out, err = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == 0, err.decode()
    print(out.decode())
    figures = json.loads(out)
    assert figures["instances"] == 1000
    assert figures["rows_in_page"] < 60


def _gzipped(path: Path) -> int:
    packed = path.with_name(path.name + ".gz")
    return (packed if packed.exists() else path).stat().st_size


async def test_a_token_is_asked_for_and_a_deep_link_survives_it(browser: Browser, own_system: StartSystem) -> None:
    system = await own_system(MIM_ADMIN_TOKEN="a-long-random-admin-token")
    page = await browser.open()
    await page.goto(f"{system.url}/providers")
    await page.fill("role=textbox >> nth=0", "wrong")
    await page.click("role=button[name='Sign in']")
    await page.see("text=not valid")
    await page.fill("role=textbox >> nth=0", "a-long-random-admin-token")
    await page.click("role=button[name='Sign in']")
    await page.see("role=heading[name='WhatsApp Web']")
    assert (await page.url()).endswith("/providers")
    await page.click("role=button[name='Sign out']")
    await page.see("role=heading[name='Sign in']")


async def test_a_viewer_sees_what_is_off_and_why(browser: Browser, own_system: StartSystem) -> None:
    system = await own_system(MIM_ADMIN_TOKEN="a-long-random-admin-token")
    admin = {"headers": {"Authorization": "Bearer a-long-random-admin-token"}}
    body = {"user_id": "acme", "provider": "whatsappweb", "type_instance": ["api"], "name": "Shop"}
    _, made = await system.call("POST", "/api/v1/instances", body, **admin)
    _, token = await system.call("POST", "/api/v1/tokens", {"name": "looks", "role": "viewer"}, **admin)
    for language, scheme, viewport in (("en-US", "light", DESKTOP), ("ru-RU", "dark", PHONE)):
        page = await browser.open(locale=language, colorScheme=scheme, viewport=viewport)
        await page.goto(system.url)
        await page.see("form")
        assert await page.axe() == []
        await keep(page, f"sign-in-{language}")
        await page.fill("role=textbox >> nth=0", token["token"])
        await page.click("button[type=submit]")
        await page.see("[data-instance]")
        await page.see("role=note")
        assert await page.axe() == []
        await keep(page, f"viewer-{language}")
        await page.goto(f"{system.url}/instances/{made['instance_id']}?tab=danger")
        await page.see("[role=tabpanel] h2")
        assert await page.axe() == []
    page = await browser.open()
    await page.goto(system.url)
    await page.fill("role=textbox >> nth=0", token["token"])
    await page.click("role=button[name='Sign in']")
    for name, role in (("New instance", "Admin"), ("Stop: Shop", "Operator"), ("Edit: Shop", "Admin")):
        button = f"role=button[name='{name}']"
        await page.see(button)
        assert await page.isDisabled(button)
        assert f"needs the role {role}" in await page.getAttribute(button, "title")
