"""Operations that QTSplus costs and saves with Qwen2.5-VL-3B and -7B: computed, nothing is run.

One scoring and two re-encoding blocks, as published, against a pass of the language model over all tokens, and against
attention as the scorer, which is a pass over all tokens up to the layer that points. Frames of 448 x 448 pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.axes import Axes

from experiments.common import Row, doubling, markdown
from experiments.qtsplus.model_costs import FRAMES_PER_TICK, MODELS, Model
from strategies.learned.qtsplus.costs import reencoding, scoring
from strategies.learned.qtsplus.selector import Shape

QUESTION, TEXT = 20, 60  # tokens of the bare question, and of all text around the video
FRAMES, RATIOS = (64, 128, 256, 512, 1024), (0.05, 0.1, 0.275, 0.5)
SHOWN = 0.1  # ratio whose operations are tabulated
FURTHEST = 2**20  # tokens up to which a break-even is looked for


def operations(model: Model, tokens: int, ratio: float) -> dict[str, float]:
    """Counts the operations of everything after the vision tower, by step.

    There are `tokens` visual tokens, of which the share `ratio` is kept.
    """
    decoder, kept = model.decoder, max(1, math.ceil(ratio * tokens - 1e-6))
    shape = Shape(decoder.width, decoder.heads, decoder.kv_heads, 1, 2, time=False, official=True)
    return {
        "read_all": decoder.read(tokens + TEXT),
        "score": scoring(shape, tokens, QUESTION),
        "reencode": reencoding(shape, kept),
        "read_kept": decoder.read(kept + TEXT),
        "attention": decoder.point(tokens, TEXT, model.reference_layer),
    }


def operations_saved(model: Model, tokens: int, ratio: float) -> tuple[float, float]:
    """Returns the operations that QTSplus saves, and those that the attention scorer saves.

    They are below zero where more is spent than saved.
    """
    o = operations(model, tokens, ratio)
    rest = o["read_all"] - o["read_kept"]
    return rest - o["score"] - o["reencode"], rest - o["attention"]


def break_even(saves: Callable[[int], float]) -> int | None:
    """Finds the fewest tokens with which something is saved, if more of them save too.

    Returns None where nothing is saved with 2^20 tokens.
    """
    if saves(FURTHEST) <= 0:
        return None
    low, high = 0, FURTHEST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if saves(middle) > 0 else (middle, high)
    return high


def compute() -> list[dict[str, Any]]:
    """Computes one row per model, length and ratio, in TFLOP.

    Shares are of the vision tower and reading all tokens together.
    """
    rows = []
    for name, model in MODELS.items():
        for ratio in RATIOS:
            pays = [break_even(lambda tokens: operations_saved(model, tokens, ratio)[way]) for way in (0, 1)]  # noqa: B023
            for frames in FRAMES:
                tokens = frames // FRAMES_PER_TICK * model.tower.tokens()
                tower, o = model.tower.encode(frames // FRAMES_PER_TICK), operations(model, tokens, ratio)
                by_qtsplus, by_attention = (
                    one / (tower + o["read_all"]) for one in operations_saved(model, tokens, ratio)
                )
                once = o["score"] + o["reencode"] + o["read_kept"]
                rows.append(
                    {
                        "model": name,
                        "frames": frames,
                        "tokens": tokens,
                        "ratio": ratio,
                        "tower": tower / 1e12,
                        **{key: value / 1e12 for key, value in o.items()},
                        "saved": by_qtsplus,
                        "saved_attention": by_attention,
                        "break_even": pays[0],
                        "break_even_attention": pays[1],
                        "questions": o["read_all"] / once,
                    }
                )
    return rows


def shares(axes: Axes, computed: Sequence[Row]) -> None:
    """Draws the share of all operations that is saved, over frames."""
    for (model, marker), line in zip((("3B", "o"), ("7B", "s")), ("-", "--"), strict=True):
        for ratio, color in zip(RATIOS, ("#1b7f5c", "#66ccaa", "#ddaa33", "#ee6677"), strict=True):
            mine = [row for row in computed if (row["model"], row["ratio"]) == (model, ratio)]
            places, share = ([row[key] for row in mine] for key in ("frames", "saved"))
            axes.plot(places, share, line, color=color, marker=marker, markersize=3, label=f"{model}, {ratio:g} kept")
        mine = [row for row in computed if (row["model"], row["ratio"]) == (model, SHOWN)]
        places, share = ([row[key] for row in mine] for key in ("frames", "saved_attention"))
        axes.plot(
            places, share, line, color="#4477aa", marker=marker, markersize=3, label=f"{model}, attention {SHOWN}"
        )
    axes.set(
        title="computed", xlabel="frames of 448 x 448", ylabel="saved of all operations, tower included", ylim=(0, 1.3)
    )
    doubling(axes, sorted({row["frames"] for row in computed}))
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.legend(loc="upper left", fontsize=8, ncols=2)


def work_table(rows: Sequence[Row]) -> str:
    """Returns a Markdown table of computed operations at one ratio."""
    head = ["", "frames", "tokens", "vision tower", "read all", "score", "re-encode", "read kept", "attention scorer"]
    keys = ("tower", "read_all", "score", "reencode", "read_kept", "attention")
    return markdown(
        head,
        [
            [row["model"], f"{row['frames']:,}", f"{row['tokens']:,}", *(f"{row[key]:.3g}" for key in keys)]
            for row in rows
            if row["ratio"] == SHOWN
        ],
    )


def savings_table(rows: Sequence[Row]) -> str:
    """Returns a Markdown table of the share of all operations, vision tower included, that is saved.

    It also says from how many tokens on choosing pays, and how many questions cost what reading all tokens once costs.
    """
    at = {(row["model"], row["ratio"], row["frames"]): row for row in rows}
    head = ["", "kept", *(f"{frames:,} frames" for frames in FRAMES), "pays from, tokens", "questions"]
    cells = []
    for model in MODELS:
        for ratio in RATIOS:
            mine = [at[model, ratio, frames] for frames in FRAMES]
            both = [f"{row['saved']:.0%} ({row['saved_attention']:.0%})" for row in mine]
            pays = [_tokens(mine[0][key]) for key in ("break_even", "break_even_attention")]
            shared = f"{min(row['questions'] for row in mine):.1f}–{max(row['questions'] for row in mine):.1f}"
            cells.append([model, f"{ratio:g}", *both, f"{pays[0]} ({pays[1]})", shared])
    return markdown(head, cells)


def _tokens(count: int | None) -> str:
    return "never" if count is None else f"{count:,}"
