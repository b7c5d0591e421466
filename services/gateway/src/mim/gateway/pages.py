"""The dashboard at `/`: built files, with those that carry a hash in their name cached for ever.

Every path that belongs to no route and is asked for as a page is the dashboard's own, so that its deep links work; it
says itself if there is no such page. Compressed copies lie beside the files, and aiohttp serves them to whoever takes
them.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from aiohttp import web

from mim.contracts.routes import Route

BUILT = Path(__file__).resolve().parents[4] / "dashboard" / "dist"
"""Where the build puts it in the source tree."""

# Mantine writes its variables into a <style> element and styles into attributes; scripts come from files, and from the
# page as it was built.
_POLICY = (
    "default-src 'none'; script-src 'self'{scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_EACH_TIME = "no-cache"
_COPIES = (".br", ".gz")
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")

NOT_BUILT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>mim</title></head>
<body style="font-family: system-ui, sans-serif; max-width: 42rem; margin: 4rem auto; padding: 0 1rem; line-height: 1.5"
>
<h1>The dashboard is not built yet</h1>
<p>Everything else works: see <a href="/docs">the REST interface</a> and <a href="/health">how the system is</a>.</p>
<p>Start the system with <code>./mim up</code>: it builds the dashboard first, and says why if it cannot. To build it
while the system runs:</p>
<pre>.venv/bin/python services/dashboard/build.py</pre>
<p>Then load this page again.</p>
</body></html>
"""


class Pages:
    """Serves the files of one folder, which may still be empty or be built anew while this runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def bind(self, router: web.UrlDispatcher, routes: Iterable[Route]) -> None:
        """Add the paths that belong to none of the routes. To be called after all others have been added."""
        taken = sorted({re.escape(route.path.split("/")[1]) for route in routes})
        # A name of a route keeps its own answers: unknown below it, or wrong method.
        router.add_route("*", rf"/{{page:(?!(?:{'|'.join(taken)})(?:/|$)).*}}", self.serve)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """A file, or the one page for everything that is asked for as a page. Raises: HTTPNotFound."""
        if request.method not in ("GET", "HEAD"):
            raise web.HTTPNotFound
        page = request.match_info["page"]
        found = self._find(page)
        if found is not None:
            is_hashed = page.startswith("assets/")
            return self._answer(found, _FOR_EVER if is_hashed else _ASK_EACH_TIME)
        if page and "text/html" not in request.headers.get("Accept", ""):
            raise web.HTTPNotFound
        index = self._find("index.html")
        if index is None:
            headers = _headers() | {"Cache-Control": "no-store", "Retry-After": "10"}
            return web.Response(text=NOT_BUILT, content_type="text/html", status=503, headers=headers)
        return self._answer(index, _ASK_EACH_TIME)

    def _answer(self, path: Path, caching: str) -> web.FileResponse:
        page = path.read_text() if path.suffix == ".html" else ""
        # What is sent depends on what the browser can unpack, so caches between must tell the copies apart.
        return web.FileResponse(path, headers=_headers(page) | {"Cache-Control": caching, "Vary": "Accept-Encoding"})

    def _find(self, page: str) -> Path | None:
        """The file with this name; None if there is none. Names that could lead out of the folder are no names."""
        parts = page.split("/")
        if not all(_NAME.fullmatch(part) for part in parts) or page.endswith(_COPIES):
            return None
        path = self._folder.joinpath(*parts)
        return path if path.is_file() else None


def _headers(page: str = "") -> dict[str, str]:
    """What protects a page: of the scripts in it, only those run that were built into it."""
    digests = (base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in _SCRIPT.findall(page))
    return {
        "Content-Security-Policy": _POLICY.format(scripts="".join(f" 'sha256-{digest}'" for digest in digests)),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
