"""What the benchmarks measured gets into the document, and nothing else of it changes."""

from __future__ import annotations

import pytest
from benchmarks.report import BEGIN, END, Row, markdown, put

ROWS = [
    Row("read: GET one", "100/s", "200/s aiohttp", 0.5, ">= 0.8 of its rate", False, "16 | 32 connections", "70 µs"),
    Row("start: to ready", "2.10 s", goal="<= 3 s", reached=True),
    Row("burst: 1000", "1.0 s"),
]


def test_every_row_is_a_line_with_its_verdict() -> None:
    lines = markdown(ROWS).splitlines()
    assert [len(line.split("|")) for line in lines] == [10] * 5
    assert "| 0.50 | >= 0.8 of its rate | not reached | 70 µs | 16 / 32 connections |" in lines[2]
    assert "| - | <= 3 s | ok |" in lines[3]
    assert "| - | - |  |" in lines[4]


def test_only_what_was_measured_is_replaced() -> None:
    document = f"# Title\n\nBefore.\n\n{BEGIN}\n\nold\n\n{END}\n\nAfter.\n"
    once = put(document, "new")
    assert once == document.replace("old", "new")
    assert put(once, "new") == once


@pytest.mark.parametrize("document", ["", BEGIN, f"{END}\n{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_a_document_without_its_place_is_left_alone(document: str) -> None:
    with pytest.raises(ValueError, match="once each"):
        put(document, "new")
