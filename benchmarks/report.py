"""What a benchmark gives back, how it is printed, and how it stands in a document."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `reached` is None where there is no goal; `cpu`, the processor time of one operation, and
    `note` are printed below the line."""

    what: str
    figure: str
    baseline: str = "-"
    ratio: float | None = None
    goal: str = "-"
    reached: bool | None = None
    note: str = ""
    cpu: str = ""


class BrokenError(Exception):
    """Something did not work at all, so there is nothing to measure."""


WIDTHS = (50, 22, 22, 7, 22, 11)
HEAD = ("what", "figure", "baseline", "ratio", "goal", "")


def line(cells: Sequence[str]) -> str:
    """Cells side by side."""
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()


def show(row: Row) -> None:
    """Print one line at once: a long run shows how far it is."""
    print(line(_cells(row)), flush=True)
    note = "; ".join(part for part in (row.cpu and f"processor time: {row.cpu}", row.note) if part)
    if note:
        print(f"    {note}", flush=True)


def _cells(row: Row) -> tuple[str, ...]:
    verdict = "" if row.reached is None else "ok" if row.reached else "not reached"
    ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
    return row.what, row.figure, row.baseline, ratio, row.goal, verdict


def markdown(rows: Sequence[Row]) -> str:
    """The table for a document."""
    head = (*HEAD[:-1], "verdict", "processor time", "notes")
    lines = [head, ("---",) * len(head), *((*_cells(row), row.cpu, row.note) for row in rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |" for cells in lines)


BEGIN, END = "<!-- measured: made by `./mim bench --publish` -->", "<!-- end of what is measured -->"


def put(document: str, made: str) -> str:
    """The document with `made` in the place of what was measured before; all the rest stays as it is.

    Raises: ValueError if the document does not have one such place.
    """
    if document.count(BEGIN) != 1 or document.count(END) != 1 or document.index(BEGIN) > document.index(END):
        raise ValueError(f"the document needs the lines {BEGIN!r} and {END!r}, once each")
    return f"{document.partition(BEGIN)[0]}{BEGIN}\n\n{made}\n\n{END}{document.partition(END)[2]}"


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not below `share` of all."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def median_ratio(figures: Sequence[float], baselines: Sequence[float]) -> float:
    """The median of the ratios of rounds that were measured next to each other."""
    return median(figure / baseline for figure, baseline in zip(figures, baselines, strict=True))


def ms(seconds: float) -> str:
    """Seconds as text in milliseconds."""
    return f"{seconds * 1000:.1f} ms"


def mib(size: float) -> str:
    """Bytes as text."""
    return f"{size / 2**20:.1f} MiB"


def kb(size: float) -> str:
    """Bytes as text."""
    return f"{size / 1000:.1f} KB"
