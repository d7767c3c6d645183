"""What a gaze costs beside the tower that it spares, and from which size of the frames on it pays.

    python -m experiments.autogaze.cost sizes=224,448,896 rounds=3,1,1 shares=0.1,0.05 frames=16 layers=8 whole=896

`sieve bench what=gaze` on one thread, for SigLIP-base and the shape of Qwen2.5-VL-3B with its language model: one clip,
random weights, the first `layers` of the towers and two of the language model; processor's seconds as run and, computed
from them, with all layers. `whole`: a size at which all layers of Qwen's tower run, too (0: none). Appends to
autogaze_cost.csv in docs/results (key: folder) after every size; what is in it is not measured again.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from hydra import compose

from experiments.common import RESULTS, Row, arguments, composing, markdown, numbers, read, write
from framework.config.build import build
from framework.profiling.base import Bench
from framework.profiling.tower import WHOLE

NAME = "autogaze_cost"
TOWERS = {"siglip_base": "SigLIP-base", "qwen2_5_vl_3b": "Qwen2.5-VL-3B"}
READ, LLM_LAYERS = "qwen2_5_vl_3b", 2  # the tower with a language model behind it; of its layers
DEFAULTS = {
    "sizes": "224,448,896",
    "rounds": "3,1,1",
    "shares": "0.1,0.05",
    "frames": "16",
    "layers": "8",
    "whole": "896",
    "folder": str(RESULTS),
}
MEANINGS = {
    "sizes": "pixels along a side of a frame",
    "rounds": "rounds at each size, in the same order; every arm runs once in each",
    "shares": "shares of the patches or tokens that the gaze leaves, above 0 up to 1",
    "frames": "frames of the clip",
    "layers": "layers of each tower that run, from the first",
    "whole": "size at which all layers of Qwen's tower run, too; 0: none",
}


def plans(chosen: dict[str, str]) -> list[dict[str, Any]]:
    """Returns what is measured, one after the other; `layers` is None where all layers run."""
    shared = {"frames": int(chosen["frames"]), "llm_layers": LLM_LAYERS, "layers": int(chosen["layers"])}
    sizes = zip(numbers(chosen["sizes"]), numbers(chosen["rounds"]), strict=True)
    found = [{**shared, "tower": t, "size": size, "rounds": rounds} for size, rounds in sizes for t in TOWERS]
    if size := int(chosen["whole"]):
        found.append({**shared, "tower": READ, "size": size, "rounds": 1, "layers": None, "llm_layers": 0})
    return found


def measure(plan: dict[str, Any], shares: str) -> list[dict[str, Any]]:
    """Runs the bench and returns its rows, led by what was run."""
    words = {"towers": f"[{plan['tower']}]", "sizes": f"[{plan['size']}]", "shares": f"[{shares}]", "device": "cpu"}
    words |= {key: plan[key] for key in ("frames", "llm_layers", "rounds")}
    words["layers"] = plan["layers"] or "null"
    cfg = compose(config_name="bench", overrides=["what=gaze", *(f"what.{k}={v}" for k, v in words.items())])
    bench = build(cfg.what, Bench, "what")  # type: ignore[type-abstract]
    run = {"asked": shares, **{key: plan[key] for key in ("frames", "llm_layers", "rounds")}}
    return [{"layers": plan["layers"] or "all", **run, **row} for row in bench.rows()]


def table(rows: Sequence[Row], whole: bool = False) -> str:
    """Returns a Markdown table of processor's seconds, and of how many times more they are without a gaze.

    Seconds are those of every stage as run, and of vision and of everything with all layers. With `whole` it shows the
    rows whose towers ran with all layers.
    """
    head = ["tower", "px", "kept", "patches", "tokens", "gaze", "tower", "LLM"]
    head += ["gaze + tower, all layers", "dense / this", "with the LLM", "dense / this"]
    lines = []
    for row in sorted(rows, key=lambda row: list(TOWERS).index(row["tower"])):
        if (row["layers"] == "all") == whole:
            read, seen = row["llm_layers"] > 0 and row["tower"] == READ, row["kept"] != WHOLE
            stages = [row["gaze cpu"] if seen else None, row["tower cpu"], row["llm cpu"] if read else None]
            told = [TOWERS[row["tower"]], row["pixels"], _share(row["kept"]), f"{row['patches']:,}"]
            told += [f"{row['tokens']:,}" if read else "", *("" if s is None else f"{s:.2f}" for s in stages)]
            told += [f"{row['vision']:.1f}", f"{row['vision x']:.2f}"]
            lines.append([*told, *((f"{row['all']:.1f}", f"{row['all x']:.2f}") if read else ("", ""))])
    return markdown(head, lines)


def _share(kept: float | str) -> str:
    return kept if isinstance(kept, str) else f"{kept:.0%}"


def paying(rows: Sequence[Row], tower: str, kept: float, column: str) -> str:
    """Returns the smallest size from which on the gaze pays, or says that there is none.

    `column` is `vision x` or `all x`.
    """
    mine = [row for row in rows if (row["tower"], row["kept"]) == (tower, kept) and row["layers"] != "all"]
    sizes = sorted(mine, key=lambda row: row["pixels"])
    losing = [place for place, row in enumerate(sizes) if row[column] <= 1]
    first = losing[-1] + 1 if losing else 0
    return f"{sizes[first]['pixels']} px" if first < len(sizes) else f"none up to {sizes[-1]['pixels']} px"


def paying_table(rows: Sequence[Row]) -> str:
    """Returns a Markdown table of the sizes from which on the gaze pays.

    One column leaves the language model out, the other counts it, too.
    """
    lines = []
    for tower, name in TOWERS.items():
        for kept in dict.fromkeys(row["kept"] for row in rows if row["kept"] != WHOLE):
            vision, everything = (paying(rows, tower, kept, column) for column in ("vision x", "all x"))
            lines.append([name, _share(kept), vision, everything if tower == READ else ""])
    return markdown(["tower", "kept", "gaze + tower pay from", "with the LLM"], lines)


def tables(rows: Sequence[Row]) -> list[str]:
    """Returns all tables; that of whole towers only where one was run."""
    whole = [table(rows, whole=True)] if any(row["layers"] == "all" for row in rows) else []
    return [table(rows), *whole, paying_table(rows)]


def _key(row: Row) -> tuple[str, ...]:
    """Of all rows of one measurement."""
    return tuple(str(row[key]) for key in ("tower", "pixels", "layers", "asked", "frames", "llm_layers", "rounds"))


def main(given: list[str]) -> None:
    """Measures what is missing, writes after every size and prints the tables of what was asked."""
    chosen = arguments(given, DEFAULTS, __doc__, MEANINGS)
    torch.set_num_threads(1)
    path = Path(chosen["folder"]) / f"{NAME}.csv"
    rows: list[dict[str, Any]] = read(path) if path.exists() else []
    wanted: list[tuple[str, ...]] = []
    with composing():
        for plan in plans(chosen):
            named = {"pixels": plan["size"], "layers": plan["layers"] or "all", "asked": chosen["shares"]}
            wanted.append(_key({**plan, **named}))
            if wanted[-1] not in map(_key, rows):
                rows += measure(plan, chosen["shares"])
                write(path, rows)
    print("\n\n".join(tables([row for row in read(path) if _key(row) in wanted])))


if __name__ == "__main__":
    main(sys.argv[1:])
