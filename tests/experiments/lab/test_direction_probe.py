"""The linear probe: it finds what is linear in the tokens, and nothing where there is nothing."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.lab.direction_probe import READINGS, main, probe, ridge


def drifting(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Tokens [count, 4, 12] of noise with a place added that moves one of four ways from tick to tick."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(4, size=count)
    tokens = generator.standard_normal((count, 4, 12))
    way = np.array([[0, -1], [0, 1], [-1, 0], [1, 0]])[truth]
    tokens[:, :, :2] += 2 * way[:, None] * np.array([-2, -1, 1, 2])[:, None]
    return tokens.astype(np.float32), truth


def test_order_is_needed_and_found() -> None:
    (train, truth), (test, right) = drifting(0, 400), drifting(1, 400)
    tick = np.random.default_rng(2).integers(4, size=400)
    found = {
        name: (probe(read(train, tick), truth, read(test, tick)) == right).mean() for name, read in READINGS.items()
    }
    assert found["four ticks"] > 0.9 and found["last - first"] > 0.85
    assert abs(found["mean"] - 0.25) < 0.08  # 3.7 standard deviations of 400 guesses


def test_ridge_by_hand() -> None:
    """Without a penalty it is least squares on standardised columns."""
    generator = np.random.default_rng(0)
    train, test, truth = generator.standard_normal((50, 3)), generator.standard_normal((20, 3)), np.arange(50) % 4
    design = np.column_stack([np.ones(50), train])
    weights, *_ = np.linalg.lstsq(design, np.eye(4)[truth], rcond=None)
    assert np.array_equal(ridge(train, truth, test, 1e-9), (np.column_stack([np.ones(20), test]) @ weights).argmax(1))


def test_a_run_prints_a_table(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    main(["train=2,4", "test=2", f"cache={tmp_path}"])
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) == 2 + 2 * len(READINGS) and lines[2].startswith("| 10 | four ticks | ")
