"""What a cell is, and AdaptToken without each of its parts."""

from __future__ import annotations

from experiments.yardstick.protocol import PARTS, Protocol, taken_away
from experiments.yardstick.tuning import Calibration

COMMON = ("backbone=lab", "benchmark=needle")


def test_a_part_goes_with_its_keys_and_nothing_else() -> None:
    found = taken_away(["preset=adapttoken", "scorer.rows=all", "allocator.minimum=1", "backbone.group_ticks=64"])
    assert list(found) == list(PARTS)
    assert found["all of it"] == [
        "preset=adapttoken",
        "scorer.rows=all",
        "allocator.minimum=1",
        "backbone.group_ticks=64",
    ]
    assert found["random tokens"] == [
        "preset=adapttoken",
        "allocator.minimum=1",
        "backbone.group_ticks=64",
        "scorer=random",
    ]
    assert found["equal shares"] == [
        "preset=adapttoken",
        "scorer.rows=all",
        "backbone.group_ticks=64",
        "allocator=equal",
    ]


def test_cells_differ_in_what_they_say_alone() -> None:
    calibration = Calibration((100,), 2, 256, (0.05,), (16,), COMMON)
    protocol = Protocol((256,), (16, 64), (0.05, 0.1), 40, (200,), calibration, COMMON)
    cell = protocol.cell(256, "when", 0.1, 200)
    assert cell.most == 64 and cell.common == COMMON
    assert cell.values == {
        "benchmark.split": "when",
        "benchmark.videos": 40,
        "benchmark.frames": 256,
        "benchmark.opacity": 0.1,
        "seed": 200,
    }
    assert [(c.values["benchmark.opacity"], c.values["seed"], c.most) for c in calibration.cells()] == [(0.05, 100, 16)]
