"""What a small model saves that probes for a large one: operations of a question, computed by the ledger's formulas.

No weight is allocated: both models are built from their published sizes on torch's meta device, and asked what `sieve
eval` books. AdaptToken looks at every group. What the large model sees again depends on how many ticks hold a kept
token: at least as many as the budget fills, at most one for each token. Ticks are encoded whole.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import Qwen2_5_VLForConditionalGeneration

from experiments.common import RESULTS, Row, arguments, compose_root, composing, markdown, write
from framework.backbones.published import configuration
from framework.backbones.qwen2_5_vl import Qwen25VL
from framework.backbones.text import ChatText
from framework.config.parts import prompt_template
from framework.config.plugins import options
from framework.core.types import Question
from framework.core.view import Needs
from framework.lab.tokenizer import build_tokenizer
from framework.profiling.noise import questions

NAME = "prober_cost"
FAMILY = "qwen2_5_vl_"  # of options of conf/backbone
SIZES = tuple(name.removeprefix(FAMILY) for name in options("backbone") if name.startswith(FAMILY))
TICK = 209  # tokens: 11 x 19 cells of a 16:9 frame within 172,480 pixels
WORDS = 60  # of a question
DEFAULTS = {"prober": "3b", "backbone": "72b", "frames": "4096", "budget": "7040", "results": str(RESULTS)}
MEANINGS = {
    "prober": f"which model looks: {', '.join(SIZES)}",
    "backbone": f"which model answers: {', '.join(SIZES)}",
    "frames": "frames of a video; two are a tick",
    "budget": "tokens kept, of the model that answers",
}


class Weightless(Qwen25VL):
    """Holds a Qwen2.5-VL of some size without weights: it only says what its passes would cost."""

    def __init__(self, checkpoint: str, probe_tokens: int) -> None:
        self.tokenizer = build_tokenizer()
        self.chat = ChatText(self.tokenizer, "<|video_pad|>", "")
        with torch.device("meta"):
            self.model = Qwen2_5_VLForConditionalGeneration(configuration(checkpoint))
        self.decoder, self.tower = self.model.model.language_model, self.model.model.visual
        vision = self.model.config.vision_config
        self.patch, self.merge, self.probe_tokens = vision.patch_size, vision.spatial_merge_size, probe_tokens


@dataclass(frozen=True)
class Film:
    """Holds what is asked of a film, cut into groups of ticks."""

    ticks: int
    group_ticks: int
    question: Question
    layer: int  # whose attention is captured

    def looking(self, model: Weightless) -> dict[str, float]:
        """Returns the operations of encoding and probing every group, by stage."""
        sizes = [min(self.group_ticks, self.ticks - start) for start in range(0, self.ticks, self.group_ticks)]
        needs = Needs(attention=(self.layer,), logits=True)
        probed = sum(model.probe_flops(ticks * TICK, [self.question], needs) for ticks in sizes)
        return {"encode": model.encode_flops(self.ticks * TICK, TICK), "probe": probed}


def table(rows: Sequence[Row]) -> str:
    """Returns the rows as Markdown, operations in units of 10^15, and each as a share of the first."""
    whole = float(rows[0]["total"])
    stages = ("encode", "probe", "encode kept", "answer", "total")
    lines = [
        [row["way"], *(f"{float(row[stage]) / 1e15:.2f}" for stage in stages), f"{float(row['total']) / whole:.1%}"]
        for row in rows
    ]
    return markdown(["10^15 operations a question", *stages, "of alone"], lines)


def rows(prober: str, backbone: str, frames: int, budget: int) -> list[dict[str, object]]:
    """Computes one row for each way to answer: the backbone alone, and with a prober at the two extremes."""
    with composing():
        composed = {
            name: compose_root(["preset=adapttoken", f"backbone={FAMILY}{name}"]) for name in (prober, backbone)
        }
    cfg = composed[backbone]
    (question,) = questions(1, WORDS, prompt_template(cfg))
    adapters = {name: one.backbone.adapter for name, one in composed.items()}
    models = {name: Weightless(adapter.checkpoint, adapter.probe_tokens) for name, adapter in adapters.items()}
    films = {
        name: Film(frames // 2, one.backbone.group_ticks, question, one.backbone.reference_layer)
        for name, one in composed.items()
    }
    large, answer = models[backbone], models[backbone].answer_flops(budget, question)
    few, most = -(-budget // TICK), min(budget, frames // 2)
    found = [(f"{backbone} alone", films[backbone].looking(large), 0.0)]
    looking = films[prober].looking(models[prober])
    for ticks in (few, most):
        again = large.encode_flops(ticks * TICK, TICK)
        found.append((f"{prober} looks, {ticks:,} ticks again for {backbone}", looking, again))
    return [
        {"way": way, **looked, "encode kept": again, "answer": answer, "total": sum(looked.values()) + again + answer}
        for way, looked, again in found
    ]


def main(given: Sequence[str]) -> None:
    """Prints the table and writes its numbers."""
    args = arguments(given, DEFAULTS, __doc__, MEANINGS)
    for key in ("prober", "backbone"):
        if args[key] not in SIZES:
            raise SystemExit(f"{key}: got {args[key]}, expected one of {', '.join(SIZES)}")
    found = rows(args["prober"], args["backbone"], int(args["frames"]), int(args["budget"]))
    write(Path(args["results"]) / f"{NAME}.csv", found)
    print(table(found))


if __name__ == "__main__":
    main(sys.argv[1:])
