"""Can the language model read what is kept of a wide video? Accuracy from oracle tokens, and from random ones.

    python -m experiments.lab.wide_oracle backbone=lab_wide frames=64 kept=0.04,0.08,0.16,0.32 videos=40 seed=9000
    python -m experiments.lab.wide_oracle ways=oracle,attention opacity=0.2 noise=0.1 kept=0.04,0.16 videos=24 seed=8000

Videos of the split `wide`, 49 visual tokens a tick. Oracle: the tokens that show the needle, filled up with random
others to the number kept; random: others alone, as they come; attention: those of the whole video that the text attends
to most. They are read at their original times and places. Where the oracle is below .90 a comparison of selectors says
little, and where attention is at 1.00 nothing can be better. Prints a table.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments.common import arguments, compose_root, composing, markdown
from framework.backbones.base import DecoderBackbone
from framework.config.build import build
from framework.config.parts import build_backbone, prompt_template
from framework.core.interfaces import TokenScorer
from framework.core.prompts import PromptTemplate
from framework.evaluation.statistics import mean_interval
from framework.lab.features import NeedleFeatures, NeedleSettings
from strategies.learned.qtsplus.training.evaluation import Pick, by_scorer, oracle, random, table

DEFAULTS = {
    "backbone": "lab_wide",
    "checkpoint": "",
    "frames": "64",
    "kept": "0.04,0.08,0.16,0.32",
    "ways": "oracle,random",
    "videos": "40",
    "opacity": "1.0",
    "noise": "0.01",
    "density": "0.25",
    "seed": "9000",
    "cache": "~/.cache/tokensieve/features",
}
MEANINGS = {
    "checkpoint": "weights in place of the backbone's own: a folder or asset:NAME; empty: its own",
    "kept": "shares of a video's visual tokens that are kept, above 0 up to 1",
    "ways": "who chooses the tokens: some of oracle, random and attention",
    "opacity": "opacity of the needles, 0 to 1; below 0.2 they are hard to see",
    "noise": "standard deviation of a pixel, on the scale 0 to 1",
    "density": "share of the places that are filled with distractors, 0 to 1",
    "seed": "seed of the videos and their questions",
}
SPAN, QUESTIONS = 8, 5
WAYS = ("oracle", "random", "attention")


@dataclass(frozen=True)
class Wide:
    """Holds encoded videos of the split `wide`, and the language model that is asked about them."""

    backbone: DecoderBackbone
    prompt: PromptTemplate
    scorer: TokenScorer
    features: NeedleFeatures

    @classmethod
    def of(cls, chosen: Mapping[str, str]) -> Wide:
        """Builds what the keys of DEFAULTS say; works inside `composing`."""
        other = [f"backbone.adapter.checkpoint={chosen['checkpoint']}"] if chosen["checkpoint"] else []
        cfg = compose_root([f"backbone={chosen['backbone']}", "scorer=attention", "answer_positions=original", *other])
        backbone, scorer = build_backbone(cfg), build(cfg.scorer, TokenScorer, "scorer")  # type: ignore[type-abstract]
        assert isinstance(backbone, DecoderBackbone)
        kinds = [{"split": "wide", "opacity": float(chosen["opacity"]), "videos": int(chosen["videos"])}]
        shown = float(chosen["noise"]), float(chosen["density"]), 1.0  # every video goes through the codec
        settings = NeedleSettings(kinds, int(chosen["frames"]), QUESTIONS, SPAN, *shown, int(chosen["seed"]))
        features = NeedleFeatures(settings, backbone.model, Path(chosen["cache"]))
        return cls(backbone, prompt_template(cfg), scorer, features)

    def picks(self) -> dict[str, Pick]:
        """Returns the ways to keep tokens, by name."""
        attention = by_scorer(self.scorer, self.backbone, self.prompt)
        return dict(zip(WAYS, (oracle, random, attention), strict=True))

    def right(self, pick: Pick, count: int) -> list[bool]:
        """Says of every question of every video, in order, whether its answer is right.

        The answer is given from `count` tokens that `pick` chose.
        """
        return [bool(row["right"]) for row in table(self.backbone, self.prompt, self.features, pick, [count], "kept")]


def main(given: list[str]) -> None:
    """Prints accuracies with 95 % intervals that are drawn over videos."""
    chosen = arguments(given, DEFAULTS, __doc__, MEANINGS)
    ways = chosen["ways"].split(",")
    if unknown := sorted(set(ways) - set(WAYS)):
        raise SystemExit(f"ways: got {', '.join(unknown)}, expected some of {', '.join(WAYS)}")
    with composing():
        wide = Wide.of(chosen)
    rows, total, picks = [], wide.features.tokens, wide.picks()
    for share in map(float, chosen["kept"].split(",")):
        count = round(share * total)
        found = []
        for way in ways:
            right = wide.right(picks[way], count)
            found.append(mean_interval([float(r) for r in right], [str(n // QUESTIONS) for n in range(len(right))]))
        rows.append([f"{share:.0%}", f"{count} of {total}", *map(str, found)])
    print(markdown(["kept", "tokens", *ways], rows))


if __name__ == "__main__":
    main(sys.argv[1:])
