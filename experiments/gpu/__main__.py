"""Measures what a GPU makes of the framework, in ten minutes: is it right, and near to the passes themselves.

    python -m experiments.gpu

Each step is kept in gpu.json as soon as it is done, so the same command goes on after a stop. First the lab model's
answers against the CPU's, and a group's passes against the stock model's. Then the best product of matrices, and the
bare passes. Then AdaptToken with Qwen2.5-VL-7B's shape and random weights: all groups and half of them, on films of
noise in memory and on one of H.264. Last the straightforward way, on the largest group that fits.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch

from experiments.common import arguments, composing, markdown, numbers
from experiments.gpu import right, timed
from experiments.gpu.kept import Found, Kept
from experiments.gpu.models import SHAPES, WAYS, Asked, loaded
from framework.config.identity import versions

DEFAULTS = {
    "model": "7b",
    "device": "cuda",
    "frames": "512,4096,10000",
    "questions": "1,3,15",
    "ticks": "64",
    "budget": "7040",
    "film_frames": "512",
    "film_height": "720",
    "lab_frames": "256",
    "lab_films": "4",
    "minutes": "10",
    "seed": "0",
    "folder": "outputs/gpu",
}
MEANINGS = {
    "model": "what is timed: 7b, midsize or tiny; 7b needs a CUDA device",
    "device": "cuda or cpu",
    "frames": "frames of the films in memory",
    "questions": "numbers of questions about a film",
    "ticks": "of a group, two frames each",
    "budget": "visual tokens kept",
    "film_frames": "frames looked at of the film on disk, 4 a second",
    "film_height": "height of its pictures, in pixels",
    "lab_frames": "frames of the lab's films, 64 to 10000",
    "lab_films": "films of the lab, with 5 questions each",
    "minutes": "no step begins later; the same command goes on",
    "seed": "seed of weights and of the film",
    "folder": "where gpu.json is kept",
}
LAB = (("float32", "sdpa"), ("bfloat16", "sdpa"), ("bfloat16", "flash_attention_2"))
GROUP_TICKS = 64  # of the comparison with the stock model, on model=midsize or, for tests, tiny


def main(given: list[str]) -> None:
    """Measures what is missing, and prints the tables."""
    chosen = arguments(given, DEFAULTS, __doc__, MEANINGS)
    _check(chosen)
    plan = {key: value for key, value in chosen.items() if key not in ("folder", "minutes")}
    told = {"machine": _machine(chosen["device"]), "torch": torch.__version__, "commit": versions()["commit"], **plan}
    kept = Kept(Path(chosen["folder"]) / "gpu.json", told, float(chosen["minutes"]))
    with composing():
        _right(kept, chosen)
        _timed(kept, chosen)
    print(report(kept.steps))
    if kept.left:
        print(f"\nNo time was left for {len(kept.left)} steps, {kept.left[0]} first: the same command goes on.")


def _check(chosen: Mapping[str, str]) -> None:
    if chosen["model"] not in SHAPES:
        raise SystemExit(f"model: got {chosen['model']!r}, expected one of {', '.join(SHAPES)}")
    if chosen["device"] not in ("cuda", "cpu"):
        raise SystemExit(f"device: got {chosen['device']!r}, expected cuda or cpu")
    if chosen["device"] == "cuda" and not torch.cuda.is_available():
        raise SystemExit("device: got cuda, but there is no CUDA device here: give device=cpu model=midsize")
    if chosen["device"] == "cpu" and chosen["model"] == "7b":
        raise SystemExit("model: got 7b with device=cpu, expected midsize or tiny: 7b needs a CUDA device")


def _machine(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else "cpu"


def _right(kept: Kept, chosen: Mapping[str, str]) -> None:
    device, seed = chosen["device"], int(chosen["seed"])
    shape = SHAPES["tiny" if chosen["model"] == "tiny" else "midsize"]
    for dtype, attention in LAB:
        films = int(chosen["lab_frames"]), int(chosen["lab_films"])
        kept.run(f"lab, {dtype}, {attention}", partial(right.lab, device, dtype, attention, *films))
    ticks = min(GROUP_TICKS, int(chosen["ticks"]))
    for dtype, attention in LAB:
        compared = partial(right.passes, shape, device, dtype, attention, ticks, seed)
        kept.run(f"passes, {dtype}, {attention}", compared)


def _timed(kept: Kept, chosen: Mapping[str, str]) -> None:
    lengths, counts = numbers(chosen["frames"]), numbers(chosen["questions"])
    rows = [(way, frames, count) for frames in lengths for way in WAYS for count in counts]
    names = ["product", *(f"bare passes, {count} questions" for count in counts)]
    names += [_name(*row) for row in rows] + ["film", "straightforward"]
    if not kept.wants(names):
        return
    shape, seed = SHAPES[chosen["model"]], int(chosen["seed"])
    with loaded(shape, chosen["device"], int(chosen["ticks"]), int(chosen["budget"]), seed) as asked:
        peak = kept.run("product", lambda: timed.product(asked))
        bare = {
            count: kept.run(f"bare passes, {count} questions", partial(timed.bare, asked, count)) for count in counts
        }
        for way, frames, count in rows:
            _answers(kept, asked, way, frames, count, bare[count], peak)
        first, size = bare[counts[0]], (int(chosen["film_frames"]), int(chosen["film_height"]))
        if first and peak:
            kept.run("film", lambda: timed.film(asked, *size, counts[0], first, peak, seed))
        else:
            kept.left.append("film")
        kept.run("straightforward", lambda: timed.straightforward(asked))


def _answers(
    kept: Kept, asked: Asked, way: str, frames: int, count: int, bare: Found | None, peak: Found | None
) -> None:
    if bare and peak:
        kept.run(_name(way, frames, count), lambda: timed.answers(asked, frames, count, way, bare, peak))
    else:
        kept.left.append(_name(way, frames, count))


def _name(way: str, frames: int, count: int) -> str:
    return f"{way}, {frames} frames, {count} questions"


def report(steps: Mapping[str, Found]) -> str:
    """Returns the steps as tables in Markdown, those with the same columns together."""
    alike: dict[tuple[str, ...], list[list[object]]] = {}
    for name, found in steps.items():
        alike.setdefault(tuple(found), []).append([name, *found.values()])
    return "\n\n".join(markdown(["step", *columns], rows) for columns, rows in alike.items())


if __name__ == "__main__":
    main(sys.argv[1:])
