"""The dashboard as an operator uses it: Chromium against a whole system, and what it shows to whom."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import zxingcpp
from PIL import Image
from tests.e2e.browser import DASHBOARD, Browser, Page, need_browser
from tests.e2e.conftest import BOT_TOKEN, StartSystem, System

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
MOST_SCRIPT_BYTES = 200_000
PICTURES = os.environ.get("MIM_PICTURES")
"""A folder to keep the pictures in, to be looked at."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    need_browser()
    async with Browser() as found:
        yield found


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

    await page.click("role=tab[name='Send']")
    await page.fill("role=textbox[name=/^To/]", "15553330002")
    await page.fill("role=textbox[name=/^Text/]", "hello from the page")
    await page.click("role=button[name='Send']")
    await page.see("text=Message id")
    outcome = await page.innerText("[role=status]")
    inbox = (await system.control("whatsapp", "inbox", phone="15553330002"))["messages"]
    assert [message["text"] for message in inbox] == ["hello from the page"]
    assert inbox[0]["id"] in outcome
    assert await page.evaluate("window.sinceThen")
    assert await page.complaints() == []


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


async def test_the_page_recovers_with_a_killed_worker(browser: Browser, own_system: StartSystem) -> None:
    system = await own_system()
    made = await system.ready_whatsapp("15553330011", name="Shop")
    page = await browser.open()
    await page.goto(f"{system.url}/instances/{made['instance_id']}?tab=history")
    await page.see("tbody [data-status=client_ready]")
    before = await page.evaluate("document.querySelectorAll('tbody tr').length")
    system.kill("whatsapp-adapter")
    # What happened is told, newest first, and the head of the page is right again: nobody reloads anything.
    await page.waitForFunction(
        "before => { const told = [...document.querySelectorAll('tbody [data-status]')].map(e => e.dataset.status);"
        " return told.length > before && told.indexOf('starting') > 0 && told[0] === 'client_ready' }",
        before,
    )
    await page.see("h1 + div [data-status=client_ready]")
    assert await page.complaints() == []


# Each two of language, colours and width meet in one of them; two show every page, the others the most used.
LOOKS = [
    ("en-US", "light", DESKTOP, True),
    ("ru-RU", "dark", PHONE, True),
    ("ru-RU", "light", DESKTOP, False),
    ("en-US", "dark", DESKTOP, False),
    ("en-US", "light", PHONE, False),
]


@pytest.mark.parametrize(("language", "scheme", "viewport", "every"), LOOKS)
async def test_every_page_is_whole_and_accessible(
    browser: Browser, system: System, language: str, scheme: str, viewport: dict[str, int], every: bool
) -> None:
    hook = {"url": "https://example.com/hook", "headers": {"Authorization": "secret"}}
    one = (await system.create("whatsappweb", name="Gallery", api_webhook_schema=hook))["instance"]
    at = f"/instances/{one['id']}"
    paths = ["/", "/instances/new", f"{at}?tab=login", f"{at}?tab=metrics"]
    if every:
        paths += ["/providers", "/system", "/access", f"{at}/edit", "/nowhere"]
        tabs = ["overview", "send", "logs", "history", "errors", "credentials", "danger"]
        paths += [f"{at}?tab={tab}" for tab in tabs]
    kind = f"{'phone' if viewport is PHONE else 'desktop'}-{language[:2]}-{scheme}"

    async def visit(some: list[str]) -> None:
        page = await browser.open(locale=language, colorScheme=scheme, viewport=viewport)
        for path in some:
            await page.goto(system.url + path)
            await page.see("main h1")
            assert await page.complaints() == [], path
            width = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert width <= 0, f"{path} is {width} px too wide"
            await keep(page, f"{kind}{re.sub('[^a-z]+', '-', path.replace(one['id'], ''))}")
        assert await page.evaluate("document.documentElement.lang") == language[:2]
        await page.close()

    await asyncio.gather(visit(paths[::2]), visit(paths[1::2]))


async def test_everything_can_be_reached_by_keyboard(browser: Browser, system: System) -> None:
    page = await browser.open()
    await page.goto(system.url)
    await page.see("role=link[name='New instance']")
    seen = []
    for _ in range(14):
        await page.evaluate("0")
        await browser.ask(page=page._number, do="press", args=["body", "Tab"])
        seen.append(
            await page.evaluate(
                "(() => { const e = document.activeElement;"
                " return e.getAttribute('aria-label') || e.textContent.trim().slice(0, 40) })()"
            )
        )
    assert seen[0] == "To the content"
    assert {"Instances", "Providers", "System", "Language", "New instance", "Search instances"} <= set(seen)


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
