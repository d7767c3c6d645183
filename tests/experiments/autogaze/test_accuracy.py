"""The gaze against others at toy size: what is kept, what is compared, and the tables by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.autogaze import accuracy as autogaze_accuracy
from experiments.autogaze.accuracy import compare, ways, with_holm
from experiments.autogaze.accuracy_tables import accuracy, difference, stopping, tables
from experiments.common import read


def test_every_way_answers_from_as_many_tokens(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ("uniform", "random", "attention", "reconstruction, pixels", "autogaze", "adapttoken, autogaze")
    monkeypatch.setattr(autogaze_accuracy, "ways", lambda checkpoint: {way: ways(checkpoint)[way] for way in few})
    monkeypatch.setitem(autogaze_accuracy.SETTINGS, "small", {"frames": "16"})
    words = ["checkpoint=random:0", "stop=loss_threshold", "thresholds=-9", "kept=20,40", "settings=small", "videos=2"]
    autogaze_accuracy.main([*words, "seed=3", f"folder={workplace}"])
    rows = read(workplace / "autogaze_accuracy.csv")
    said = capsys.readouterr().out
    assert [row["run"] for row in rows] == 2 * ["oracle", *few] + ["uniform", "attention", "autogaze"]
    assert all(row["tokens_kept"] == row["kept"] for row in rows if row["run"] != "oracle" and row["ends"] == "budget")
    assert all(row["accuracy"] == 1 for row in rows if row["run"] in ("oracle", "attention"))
    assert rows[-1]["ends"] == "loss_threshold -9" and rows[-3]["tokens_kept"] == round(rows[-1]["tokens_kept"]) > 40
    assert all(table in said for table in tables(rows))


def line(number: int, right: int) -> dict[str, object]:
    return {
        "id": f"{number}",
        "video": f"v{number}",
        "response": "A",
        "choice": "A",
        "correct": right,
        "tokens_kept": 9,
    }


def test_differences_are_paired_and_corrected_within_a_setting() -> None:
    def asked(*right: int) -> list[dict[str, object]]:
        return [line(number, one) for number, one in enumerate(right)]

    found = {"uniform": asked(*8 * [0], 1, 1), "attention": asked(*10 * [1]), "autogaze": asked(*8 * [1], 1, 0)}
    rows = with_holm(compare(found, setting="s", ends="budget", kept=9))
    uniform, attention, gaze = rows
    assert (gaze["accuracy"], gaze["uniform"], gaze["attention"]) == pytest.approx((0.9, 0.7, -0.1))
    assert uniform["uniform"] is uniform["uniform_p_holm"] is attention["attention"] is None
    assert gaze["uniform_p"] == pytest.approx(20 / 512)  # nine flips: at most one of them in the other direction
    assert attention["uniform_p"] == pytest.approx(2 / 256)  # eight flips
    assert attention["uniform_p_holm"] == pytest.approx(4 * 2 / 256)  # of four; the next is the same
    assert gaze["uniform_p_holm"] == pytest.approx(2 * 20 / 512) and gaze["attention_p_holm"] == 1
    assert "| attention | 0.800 [" in difference(rows, "uniform") and "] * |" in difference(rows, "uniform")
    assert "| autogaze | 0.900 [" in accuracy(rows) and "| 9 kept |" in accuracy(rows)
    assert stopping([{**row, "ends": "epsilon 0.2"} for row in rows]).splitlines()[-1].startswith("| epsilon 0.2 | 9 |")
