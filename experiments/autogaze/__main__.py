"""How many patches a gaze needs until a frozen reconstructor is within an error, against those who pick otherwise.

    python -m experiments.autogaze clips=128 seed=9000 budgets=1,2,3,4,6,8,10,14,20,28,40,69 most=69 errors=5%,10%,20%,0.25,0.2 reconstructor=asset:reconstructor_lab videos=tests/data/video threads=1

Clips that nothing was trained or calibrated on; the errors are the reconstructor's losses at so many random picks, as
stored with its weights (a plain number is a loss). Fixed budgets: as many picks in every frame. Own stopping: a gaze
ends a frame by the loss that it predicts, at several thresholds. True stopping: the others are told the true loss,
which is not known in use. grpo_elsewhere: what grpo picks on another clip (of the real ones: of another video), so what
it gains by content is the difference; coarse_first: one fixed order for every clip. Greedy is a search that tries what
should help most, not all. Real clips: fixed budgets only. Writes autogaze.csv, _needed, _predicted and _epsilon, and
autogaze.png into docs/results; what was measured stays in outputs/autogaze. Trained arms are looked for in
folder=outputs/train; arms=ntp,random takes some. What one scale is taught:
sieve train recipe=autogaze_labels recipe.search.shortlist=[0,0,24] folder=outputs/train/autogaze_labels_single_scale
"""  # noqa: E501

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from experiments.autogaze.measure import Arrays, Bench, Plan, made_clips, real_clips
from experiments.autogaze.needed import AT_LEAST, AT_MOST, Points, needed, times
from experiments.autogaze.policies import ARMS, GREEDY, ORDERED, POLICIES, SHUFFLED, checkpoint_of, fingerprint
from experiments.autogaze.tables import (
    FIXED,
    MADE,
    OWN,
    REAL,
    REFERENCE,
    TRUE,
    draw,
    epsilon_table,
    loss_table,
    needed_table,
    predicted_table,
)
from experiments.common import OUTPUTS, RESULTS, arguments, numbers, read, save, write
from framework.evaluation.statistics import mean_interval
from strategies.learned.autogaze.reconstructor import checkpoint
from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.reconstructor.source import Source

NAME = "autogaze"
DEFAULTS = {
    "clips": "128",
    "seed": "9000",
    "budgets": "1,2,3,4,6,8,10,14,20,28,40,69",
    "most": "69",
    "errors": "5%,10%,20%,0.25,0.2",
    "reconstructor": "asset:reconstructor_lab",
    "videos": "tests/data/video",
    "threads": "1",
    "arms": ",".join(POLICIES),
    "folder": "outputs/train",
    "results": str(RESULTS),
}
MEANINGS = {
    "seed": "seed of the made-up clips and of the random orders",
    "budgets": "picks of every frame, one setting for each number",
    "most": "most picks of a frame that ends by a loss",
    "errors": "losses to be reached: a number, or as N% the reconstructor's own at so many random picks",
    "videos": "folder of the real videos",
    "arms": "policies that are measured",
    "folder": "folder in which the trained arms are looked for",
}
Stops = tuple[str, str]  # how a frame ends, who picks


def reconstructor(name: str) -> tuple[Reconstructor, Mapping[str, float], str]:
    """Loads a frozen reconstructor and returns (network, its losses on held-out clips, what identifies it).

    SystemExit where there is none.
    """
    try:
        if name.startswith("random:"):
            return Source(name, ReconstructorConfig.lab().vocabulary).network, {}, name
        network, header = checkpoint.load(name)
    except ValueError as error:
        raise SystemExit(f"reconstructor: {error}") from error
    return network.requires_grad_(False), header["notes"].get("held out", {}), fingerprint(checkpoint.file_at(name))


def errors_of(text: str, held_out: Mapping[str, float]) -> dict[str, float]:
    """Reads errors as losses, by name: `5%` is the reconstructor's loss at so many random picks, `0.3` is a loss.

    SystemExit where nothing is known of such a percentage.
    """
    errors = {}
    for word in text.split(","):
        if word.endswith("%") and f"loss at {word}" not in held_out:
            known = ", ".join(name.removeprefix("loss at ") for name in held_out) or "none"
            raise SystemExit(f"errors: got {word}, the reconstructor's weights know of {known}; a number is a loss")
        errors[word] = held_out[f"loss at {word}"] if word.endswith("%") else float(word)
    return errors


def points(arrays: Arrays, stop: str) -> Points:
    """Returns the picks of every clip and its mean loss, under one kind of stopping."""
    return Points(arrays[f"{stop}_picks"].sum(2), arrays[f"{stop}_loss"].mean(2))


def curves(measured: Mapping[str, Arrays]) -> dict[Stops, Points]:
    """Returns the points of every policy under every kind of stopping."""
    found = {}
    for policy, arrays in measured.items():
        found[FIXED, policy] = points(arrays, FIXED)
        if f"{OWN}_settings" in arrays:
            found[OWN if policy in (*ARMS, *SHUFFLED) else TRUE, policy] = points(arrays, OWN)
    return found


def curve_rows(measured: Mapping[str, Arrays], clips: str) -> list[dict[str, Any]]:
    """Returns one row per policy, stopping and setting: picks, and loss with its interval over clips.

    Real clips have no interval.
    """
    rows = []
    for (stop, policy), curve in curves(measured).items():
        settings = measured[policy][f"{FIXED if stop == FIXED else OWN}_settings"]
        for setting, picks, loss in zip(settings.tolist(), curve.picks, curve.loss, strict=True):
            row = {"clips": clips, "count": len(loss), "stopping": stop, "policy": policy, "setting": setting}
            row |= {"picks": float(picks.mean()), "loss": float(loss.mean()), "loss_low": None, "loss_high": None}
            if clips == MADE:  # a dozen clips of one real video are not a dozen videos
                found = mean_interval(loss.tolist(), [str(clip) for clip in range(len(loss))], 2000)
                row |= {"loss_low": found.low, "loss_high": found.high}
            rows.append(row)
    return rows


def needed_rows(measured: Mapping[str, Arrays], errors: Mapping[str, float], clips: str) -> list[dict[str, Any]]:
    """Returns one row per error, policy and stopping: the picks of a clip that it takes.

    A row also says how many times the picks of NTP + RL these are. Where one of the two meets the error with its fewest
    picks the ratio is a bound; where both do there is none.
    """
    rows, found = [], curves(measured)
    for name, error in errors.items():
        counts = {who: needed(curve, error) for who, curve in found.items()}
        for (stop, policy), curve in found.items():
            picks, note = counts[stop, policy]
            row = {"clips": clips, "error": name, "loss": error, "stopping": stop, "policy": policy}
            low, high = (picks.low, picks.high) if clips == MADE else (None, None)
            row |= {"needed": picks.value, "needed_low": low, "needed_high": high, "note": note or None}
            other = (FIXED if stop == FIXED else OWN, REFERENCE)
            bounds = (note, counts[other][1] if other in counts else AT_MOST)
            row |= {"times": None, "times_low": None, "times_high": None, "times_note": None}
            if other in counts and policy != REFERENCE and clips == MADE and bounds != (AT_MOST, AT_MOST):
                ratio = times(curve, found[other], error)
                row |= {"times": ratio.value, "times_low": ratio.low, "times_high": ratio.high}
                row["times_note"] = AT_MOST if note == AT_MOST else AT_LEAST if bounds[1] == AT_MOST else None
            rows.append({key: None if value != value else value for key, value in row.items()})  # NaN: nothing
    return rows


def predicted_rows(measured: Mapping[str, Arrays]) -> list[dict[str, Any]]:
    """Compares predicted with true loss, over clips and frames, and returns one row per policy and setting.

    Settings are fixed budgets, and epsilons that end frames.
    """
    rows = []
    for policy, arrays in measured.items():
        for stop in (FIXED, "epsilon") if "epsilon_settings" in arrays else ():
            parts = (arrays[f"{stop}_{name}"] for name in ("settings", "picks", "loss", "predicted"))
            for setting, picks, true, said in zip(*parts, strict=True):
                if np.isnan(said).any():
                    continue
                row = {
                    "policy": policy,
                    "stopping": stop,
                    "setting": float(setting),
                    "picks": float(picks.sum(1).mean()),
                }
                row |= {"r": float(np.corrcoef(said.ravel(), true.ravel())[0, 1])}
                row |= {"off": float(np.abs(np.log(np.maximum(true, 1e-4) / said)).mean())}
                ratio = true.mean(0) / said.mean(0)
                rows.append(row | {f"frame_{frame + 1}": float(value) for frame, value in enumerate(ratio)})
    return rows


def epsilon_rows(measured: Mapping[str, Arrays], nothing: np.ndarray) -> list[dict[str, Any]]:
    """Returns one row per policy and epsilon: the error asked for, and the one that came out.

    What came out is a clip's loss over the loss of keeping nothing, as a mean over clips.
    """
    rows = []
    for policy, arrays in measured.items():
        for place, epsilon in enumerate(arrays.get("epsilon_settings", ())):
            reached = arrays["epsilon_loss"][place].sum(1) / nothing.sum(1)
            found = mean_interval(reached.tolist(), [str(clip) for clip in range(len(reached))], 2000)
            row = {"policy": policy, "epsilon": float(epsilon)}
            row |= {"reached": found.value, "reached_low": found.low, "reached_high": found.high}
            row |= {"within": float((reached <= epsilon).mean())}
            rows.append(row | {"picks": float(arrays["epsilon_picks"][place].sum(1).mean())})
    return rows


def main(given: list[str]) -> None:
    """Measures what is missing, writes its numbers, draws them and prints the tables."""
    chosen = arguments(given, DEFAULTS, __doc__, MEANINGS)
    folder, results, arms = Path(chosen["folder"]), Path(chosen["results"]), chosen["arms"].split(",")
    if unknown := [arm for arm in arms if arm not in POLICIES]:
        raise SystemExit(f"arms: there is no {', '.join(unknown)}; known: {', '.join(POLICIES)}")
    places = {arm: None if arm in (*ORDERED, GREEDY) else checkpoint_of(arm, folder) for arm in arms}
    torch.set_num_threads(int(chosen["threads"]))
    network, held_out, identity = reconstructor(chosen["reconstructor"])
    errors, seed, side = errors_of(chosen["errors"], held_out), int(chosen["seed"]), network.config.side
    budgets, most = tuple(numbers(chosen["budgets"])), int(chosen["most"])
    plan = Plan(budgets, most, tuple(errors.values()), seed, True)
    where, drawn = OUTPUTS / NAME, made_clips(seed, int(chosen["clips"]), side)
    bench = Bench(MADE, network, drawn, f"{identity} {seed}", where)
    real = Bench(REAL, network, real_clips(Path(chosen["videos"]), side), identity, where)
    measured, on_real = {}, {}
    for arm in arms:
        measured[arm] = bench.measured(arm, places[arm], plan)
        on_real[arm] = real.measured(arm, places[arm], Plan(budgets, most, (), seed, False))
    tables = {
        "": [*curve_rows(measured, MADE), *curve_rows(on_real, REAL)],
        "_needed": [*needed_rows(measured, errors, MADE), *needed_rows(on_real, errors, REAL)],
        "_predicted": predicted_rows(measured),
        "_epsilon": epsilon_rows(measured, bench.nothing())
        if any("epsilon_loss" in a for a in measured.values())
        else [],
    }
    for part, rows in tables.items():
        if rows:
            write(results / f"{NAME}{part}.csv", rows)
    save(draw(read(results / f"{NAME}.csv"), errors), results / f"{NAME}.png")
    show(results, [part for part, rows in tables.items() if rows])


def show(results: Path, parts: Sequence[str]) -> None:
    """Prints all tables, from what is on disk."""
    rows = {part: read(results / f"{NAME}{part}.csv") for part in parts}
    print(f"### fixed budgets\n\n{needed_table(rows['_needed'], FIXED)}\n")
    print(f"### own stopping\n\n{needed_table(rows['_needed'], OWN)}\n")
    for clips in (MADE, REAL):
        print(f"### {clips} clips: loss at picks of a frame\n\n{loss_table(rows[''], clips)}\n")
    print(f"### real clips: fixed budgets\n\n{needed_table(rows['_needed'], FIXED, REAL)}\n")
    if "_predicted" in rows:
        print(f"### predicted\n\n{predicted_table(rows['_predicted'])}\n")
    if "_epsilon" in rows:
        print(f"### epsilon\n\n{epsilon_table(rows['_epsilon'])}")


if __name__ == "__main__":
    main(sys.argv[1:])
