"""Which way of choosing tokens is better? All methods by one protocol, each as published and tuned.

    python -m experiments.yardstick parts=tune
    python -m experiments.yardstick parts=thresholds,splits,parts,cost
    python -m experiments.yardstick parts=report

Every method tries the same number of settings on calibration videos; the best is frozen in experiments/yardstick/tuned
before any test video is rendered. Then all answer the same questions with the same number of tokens. A run that is
there already is not run again, so the same command goes on after a kill. A new method is one file in
experiments/yardstick/methods; what was measured of other methods and lengths stays in the results. Name adapttoken
beside it: all rows are paired with it. `report` needs what the other parts made; it writes docs/results/yardstick*.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from experiments.common import RESULTS, arguments, composing, numbers
from experiments.yardstick.cost import cost
from experiments.yardstick.method import METHODS, TUNED, methods
from experiments.yardstick.protocol import OTHER_SPLITS, Protocol, rows, taken_away
from experiments.yardstick.report import report
from experiments.yardstick.tables import REFERENCE, add, check_paired, split_rows, threshold_rows
from experiments.yardstick.tuning import Calibration, apart, tune, tuned
from framework.commands.threshold import checked_opacities
from framework.core.errors import UsageError

ALL = ("tune", "thresholds", "splits", "parts", "cost", "report")
DEFAULTS = {
    "parts": ",".join(ALL),
    "methods": "",
    "source": str(METHODS),
    "backbone": "lab",
    "frames": "256,1024,4096",
    "budgets": "16,64,256",
    "opacities": "0.025,0.035,0.05,0.07,0.1",
    "videos": "20",
    "seeds": "200,201",
    "calibration": "100",
    "calibration_videos": "16",
    "calibration_frames": "1024",
    "calibration_opacities": "0.045,0.07",
    "calibration_budgets": "16,64",
    "splits": ",".join(OTHER_SPLITS),
    "tuned": str(TUNED),
    "results": str(RESULTS),
}
MEANINGS = {
    "parts": f"what is done, in this order: {', '.join(ALL)}",
    "methods": "names of files in the source; empty: all",
    "source": "folder of the methods: a file each; beside it ideas/ has what was tried, and probers/ two models",
    "frames": "lengths of the videos",
    "budgets": "visual tokens kept in total; the tables of splits, parts and cost take the middle one",
    "opacities": "opacities of the needles, at least 3, ascending",
    "videos": "number of videos of each seed",
    "seeds": "seeds of the test videos: replicates",
    "calibration": "seeds of the videos that methods are tuned on, never those of a test",
    "calibration_videos": "number of these videos",
    "calibration_frames": "frames of these videos",
    "calibration_opacities": "opacities of their needles, near the thresholds",
    "calibration_budgets": "visual tokens kept of these videos; the accuracy is the mean over all of this",
    "splits": "the other kinds of questions, with opaque needles",
    "tuned": "folder of the frozen settings",
}


def main(given: Sequence[str]) -> None:
    """Runs the parts that are asked for. SystemExit, before any model is loaded, for what cannot be compared."""
    chosen = arguments(given, DEFAULTS, __doc__, MEANINGS)
    torch.set_num_threads(1)
    try:
        _run(chosen)
    except UsageError as error:
        raise SystemExit(str(error)) from error


def _run(chosen: Mapping[str, str]) -> None:
    asked = chosen["parts"].split(",")
    if unknown := [part for part in asked if part not in ALL]:
        raise UsageError(f"parts: got {unknown[0]!r}, expected some of {', '.join(ALL)}")
    protocol, source = _protocol(chosen), Path(chosen["source"])
    compared = methods([name for name in chosen["methods"].split(",") if name], source)
    (best,) = methods([REFERENCE], source) if "parts" in asked else (None,)
    apart(protocol.calibration, protocol.seeds)
    folder, results = Path(chosen["tuned"]), Path(chosen["results"])
    with composing():
        if "tune" in asked:
            for method in compared:
                if method.settings and not method.control:
                    print(f"{method.name}: {', '.join(tune(method, protocol.calibration, folder))}")
        if set(asked) == {"tune"}:
            return
        words = rows(compared, protocol.calibration, folder)
        for part in {"thresholds", "splits"} & set(asked):
            check_paired(results / f"yardstick_{part}.csv", words)
        if "thresholds" in asked:
            add(results / "yardstick_thresholds.csv", threshold_rows(protocol, words, protocol.budgets))
        if "splits" in asked:
            add(
                results / "yardstick_splits.csv",
                split_rows(protocol, words, chosen["splits"].split(","), protocol.middle),
            )
        if best is not None:
            taken = taken_away(best.words(tuned(best, protocol.calibration, folder)))
            add(results / "yardstick_parts.csv", threshold_rows(protocol, taken, [protocol.middle]))
        if "cost" in asked:
            add(results / "yardstick_cost.csv", _costs(protocol, words))
        if "report" in asked:
            report(results, folder)


def _costs(protocol: Protocol, words: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """One row per length and method at the middle budget, measured one after another in this process."""
    found = []
    for frames in protocol.frames:
        cell = protocol.cell(frames, "attribute", protocol.opacities[-1], protocol.seeds[0])
        for name, mine in words.items():
            one = cost(mine, cell, protocol.middle)
            found.append({"frames": frames, "budget": protocol.middle, "method": name, **vars(one)})
    return found


def _protocol(chosen: Mapping[str, str]) -> Protocol:
    common = (f"backbone={chosen['backbone']}", "benchmark=needle")
    calibration = Calibration(
        seeds=tuple(numbers(chosen["calibration"])),
        videos=int(chosen["calibration_videos"]),
        frames=int(chosen["calibration_frames"]),
        opacities=_shares(chosen["calibration_opacities"]),
        budgets=tuple(numbers(chosen["calibration_budgets"])),
        common=common,
    )
    return Protocol(
        frames=tuple(numbers(chosen["frames"])),
        budgets=tuple(numbers(chosen["budgets"])),
        opacities=tuple(checked_opacities(_shares(chosen["opacities"]), chosen["opacities"])),
        videos=int(chosen["videos"]),
        seeds=tuple(numbers(chosen["seeds"])),
        calibration=calibration,
        common=common,
    )


def _shares(text: str) -> tuple[float, ...]:
    return tuple(float(word) for word in text.split(","))


if __name__ == "__main__":
    main(sys.argv[1:])
