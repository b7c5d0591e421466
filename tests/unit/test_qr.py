"""QR pictures say what they shall say: every form is read back by another program's decoder."""

from __future__ import annotations

import base64
import io

import pytest
import zxingcpp
from PIL import Image

from mim.gateway import qr

# As WhatsApp Web gives it: ref, noise key, identity key, adv secret (https://github.com/tulir/whatsmeow, pair.go).
WHATSAPP = (
    "2@Fj3hW0bq1CkX7yq9oZ5n2dXw8VhQ4mTt6uLr0sAePpKfGiYcNvBxJzMlDoHqRwSt9E7uI5aO3pL1kJ=="
    ",q4WvR8mNzX1cYbL6dTgK3hPjS9fUoE2iA7wQ5rVxM0s=,Zt8nY5bV2cX9mQ4wE7rT1uI6oP3aS0dF8gH5jK2lL4k="
    ",Hn3mB7vC1xZ5lK9jG2fD6sA0pO4iU8yT1rE5wQ9nM3c="
)
CODES = [WHATSAPP, "ABCD-1234", "Привет 👋", "x"]


def decoded(image: Image.Image) -> str:
    (found,) = zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormat.QRCode)
    return found.text


def painted(art: str) -> Image.Image:
    """The text as a terminal with light letters on a dark background shows it, 8 x 16 pixels a character."""
    halves = {"█": (1, 1), "▀": (1, 0), "▄": (0, 1), " ": (0, 0)}
    lines = art.split("\n")
    image = Image.new("L", (len(lines[0]) + 8, 2 * len(lines) + 8), 0)
    for row, line in enumerate(lines):
        for column, mark in enumerate(line):
            for half, light in enumerate(halves[mark]):
                image.putpixel((column + 4, 2 * row + half + 4), 255 * light)
    return image.resize((image.width * 8, image.height * 8), Image.Resampling.NEAREST)


@pytest.mark.parametrize("code", CODES)
def test_the_png_is_read_back(code: str) -> None:
    assert decoded(Image.open(io.BytesIO(qr.png(code)))) == code


@pytest.mark.parametrize("code", CODES)
def test_the_data_uri_is_a_png_that_is_read_back(code: str) -> None:
    head, _, data = qr.data_uri(code).partition(",")
    assert head == "data:image/png;base64"
    assert decoded(Image.open(io.BytesIO(base64.b64decode(data)))) == code


@pytest.mark.parametrize("code", CODES)
def test_the_text_for_terminals_is_read_back_from_a_dark_screen(code: str) -> None:
    assert decoded(painted(qr.ascii_art(code))) == code


def test_the_text_is_a_rectangle_of_half_blocks_that_fits_a_terminal() -> None:
    lines = qr.ascii_art(WHATSAPP).split("\n")
    assert len({len(line) for line in lines}) == 1
    assert set("".join(lines)) <= set("█▀▄ ")
    assert len(lines[0]) <= 80
    assert len(lines) <= 40


def test_the_svg_is_a_picture_of_its_own_without_anything_from_elsewhere() -> None:
    svg = qr.svg(WHATSAPP).decode()
    assert svg.startswith("<svg")
    assert "<script" not in svg
    assert "href" not in svg
    assert "#fff" in svg
