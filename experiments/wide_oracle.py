"""Can the language model read what is kept of a wide video? Accuracy from oracle tokens, and from random ones.

    python -m experiments.wide_oracle backbone=lab_wide frames=64 kept=0.04,0.08,0.16,0.32 videos=40 seed=9000

Videos of the split `wide`, 49 visual tokens a tick. Oracle: the tokens that show the needle, filled up with random
others to the number kept; random: others alone, as they come. They are read at their original times and places. Where
the oracle is below .90 a comparison of selectors says little. Prints a table.
"""

from __future__ import annotations

import sys
from pathlib import Path

from experiments.common import arguments, composed, composing, markdown
from framework.backbones.base import DecoderBackbone
from framework.build import build_backbone, prompt_template
from framework.evaluation.statistics import mean_interval
from framework.training.needle_features import NeedleFeatures, NeedleSettings
from framework.training.qtsplus_report import oracle, random, table

DEFAULTS = {
    "backbone": "lab_wide",
    "checkpoint": "",
    "frames": "64",
    "kept": "0.04,0.08,0.16,0.32",
    "videos": "40",
    "opacity": "1.0",
    "noise": "0.01",
    "density": "0.25",
    "seed": "9000",
    "cache": "~/.cache/tokensieve/features",
}
SPAN, QUESTIONS = 8, 5


def main(given: list[str]) -> None:
    """Print accuracies with video-clustered intervals."""
    chosen = arguments(given, DEFAULTS)
    other = [f"backbone.adapter.checkpoint={chosen['checkpoint']}"] if chosen["checkpoint"] else []
    with composing():
        cfg = composed([f"backbone={chosen['backbone']}", "answer_positions=original", *other])
    backbone, prompt = build_backbone(cfg), prompt_template(cfg)
    assert isinstance(backbone, DecoderBackbone)
    kinds = [{"split": "wide", "opacity": float(chosen["opacity"]), "videos": int(chosen["videos"])}]
    shown = float(chosen["noise"]), float(chosen["density"]), 1.0  # every video goes through the codec
    settings = NeedleSettings(kinds, int(chosen["frames"]), QUESTIONS, SPAN, *shown, int(chosen["seed"]))
    features = NeedleFeatures(settings, backbone.model, Path(chosen["cache"]))
    rows = []
    for share in map(float, chosen["kept"].split(",")):
        count = round(share * features.tokens)
        found = []
        for pick in (oracle, random):
            right = [bool(row["right"]) for row in table(backbone, prompt, features, pick, [count], "kept")]
            found.append(mean_interval([float(r) for r in right], [str(n // QUESTIONS) for n in range(len(right))]))
        rows.append([f"{share:.0%}", f"{count} of {features.tokens}", *map(str, found)])
    print(markdown(["kept", "tokens", "oracle", "random"], rows))


if __name__ == "__main__":
    main(sys.argv[1:])
