"""QR pictures of a login code. Pure."""

from __future__ import annotations

import io

import segno

SCALE = 8
BORDER = 4  # ISO/IEC 18004 asks for a quiet zone of four modules


def png(code: str) -> bytes:
    """The code as a PNG picture."""
    out = io.BytesIO()
    _make(code).save(out, kind="png", scale=SCALE, border=BORDER)
    return out.getvalue()


def svg(code: str) -> bytes:
    """The code as an SVG picture."""
    out = io.BytesIO()
    _make(code).save(out, kind="svg", scale=SCALE, border=BORDER, xmldecl=False, light="#ffffff")
    return out.getvalue()


def data_uri(code: str) -> str:
    """The code as a PNG in a data URI."""
    return _make(code).png_data_uri(scale=SCALE, border=BORDER)


def ascii_art(code: str) -> str:
    """The code for a terminal: half blocks, dark modules as spaces on light, readable on a dark background."""
    rows = [[True] * 4 + [not cell for cell in row] + [True] * 4 for row in _make(code).matrix]
    width = len(rows[0])
    rows = [[True] * width] * 2 + rows + [[True] * width] * 3
    marks = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}
    pairs = zip(rows[0::2], rows[1::2], strict=False)
    return "\n".join("".join(marks[bool(up), bool(down)] for up, down in zip(*pair, strict=True)) for pair in pairs)


def _make(code: str) -> segno.QRCode:
    return segno.make(code, error="l", micro=False)
