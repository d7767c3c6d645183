"""Operations of probing with a small model, against a count by hand; the page shows what the program computes."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments import prober_cost
from experiments.common import RESULTS, read

FOLDER = Path(__file__).parents[2] / RESULTS


def by_hand(width: int, keys: int, inner: int, layers: int, groups: int, tokens: int) -> float:
    """Matrices of the decoder layers, and every query against every key, for groups of `tokens` tokens."""
    weights = 2 * width**2 + 2 * width * keys + 3 * width * inner
    return groups * layers * (2.0 * tokens * weights + 4.0 * tokens**2 * width)


def test_operations_are_those_of_the_published_sizes() -> None:
    """The text of a question, below two percent, is left out by hand."""
    alone, few, most = prober_cost.rows("3b", "72b", frames=512, budget=1000)
    assert alone["probe"] == pytest.approx(by_hand(8192, 1024, 29568, 80, groups=4, tokens=64 * 209), rel=0.02)
    assert few["probe"] == pytest.approx(by_hand(2048, 256, 11008, 36, groups=4, tokens=64 * 209), rel=0.02)
    assert few["probe"] == most["probe"] and few["answer"] == alone["answer"]
    assert few["answer"] == pytest.approx(by_hand(8192, 1024, 29568, 80, groups=1, tokens=1000), rel=0.15)
    patches = 5 * 209 * 4  # ticks for 1,000 tokens, of which each has 209 of four patches
    blocks = 32 * (4 * 1280**2 + 3 * 1280 * 3456)
    assert few["encode kept"] == pytest.approx(2.0 * patches * blocks, rel=0.1)
    assert most["encode kept"] == alone["encode"]  # 1,000 tokens in 256 ticks: all of them
    stages = ("encode", "probe", "encode kept", "answer")
    assert all(row["total"] == sum(float(str(row[stage])) for stage in stages) for row in (alone, few, most))


def test_the_page_shows_the_numbers_on_disk_and_their_command() -> None:
    page = (FOLDER / "prober.md").read_text(encoding="utf-8")
    assert prober_cost.table(read(FOLDER / f"{prober_cost.NAME}.csv")) in page
    assert "python -m experiments.prober_cost\n" in page
