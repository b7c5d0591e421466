"""What a benchmark gives back, and how it is printed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `reached` is None where there is no goal; `note` is printed below the line."""

    what: str
    figure: str
    baseline: str = "-"
    ratio: float | None = None
    goal: str = "-"
    reached: bool | None = None
    note: str = ""


class BrokenError(Exception):
    """Something did not work at all, so there is nothing to measure."""


WIDTHS = (50, 22, 22, 7, 22, 11)
HEAD = ("what", "figure", "baseline", "ratio", "goal", "")


def line(cells: Sequence[str]) -> str:
    """Cells side by side."""
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()


def show(row: Row) -> None:
    """Print one line at once: a long run shows how far it is."""
    verdict = "" if row.reached is None else "ok" if row.reached else "not reached"
    ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
    print(line((row.what, row.figure, row.baseline, ratio, row.goal, verdict)), flush=True)
    if row.note:
        print(f"    {row.note}", flush=True)


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
