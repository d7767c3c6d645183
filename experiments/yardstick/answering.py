"""Runs one method in one cell: on probes that were recorded for all methods that look alike, or live.

What a method sees of a group does not depend on what it decides afterwards. So all that look alike share one recording,
made once with every group visited and every token kept that any budget may want. Recordings share encoded videos.
Where another model looks, nothing is shared: a recording holds what one model saw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from experiments.common import OUTPUTS, compose_root, replay, run
from experiments.yardstick.encodings import Encodings
from framework.config.parts import build_strategies
from framework.config.prober import has_prober

CANONICAL = ("preset=adapttoken", "stopping=never")  # visits every group, and reads logits as every relevance does
LOOK = ("splitter", "scorer", "backbone", "qtsplus", "autogaze", "overlay")  # what says how groups are looked at
LATER = ("temperature", "stop", "budget")  # of the backbone's keys: read after looking
ENCODINGS = Encodings(OUTPUTS / "encodings")
_composed = lru_cache(maxsize=256)(compose_root)


@dataclass(frozen=True)
class Cell:
    """Names the questions that methods are compared on, and the most tokens that any of them keeps.

    `common` are words of `sieve eval`, the same in every cell. `values` are those of the keys that differ.
    """

    common: tuple[str, ...]
    values: Mapping[str, Any]
    most: int  # tokens kept in total, by any method in this cell
    title: str

    def answered(self, name: str, words: Sequence[str], budget: int) -> Path:
        """Answers every question by one method with `budget` tokens; returns the folder of its run."""
        cfg = self.composed(words, budget)
        title = f"{self.title}  {name}  {budget}"
        if has_prober(cfg):
            return run(words, title, composed=cfg)
        if all(part.needs.nothing for part in build_strategies(cfg).values()):
            return run(words, title, composed=cfg, around=ENCODINGS.around)
        return replay(self._looked(cfg, title), words, title, composed=cfg)

    def composed(self, words: Sequence[str], budget: int) -> DictConfig:
        """Composes what `sieve eval` would, with these words and the cell's."""
        cfg = deepcopy(_composed((*words, *self.common)))
        for key, value in {**self.values, "budget": budget}.items():
            OmegaConf.update(cfg, key, value)
        return cfg

    def _looked(self, cfg: DictConfig, title: str) -> Path:
        """The recording that this method and all that look alike replay."""
        looked = self.composed(CANONICAL, self.most)
        with open_dict(looked):
            same = {key: looked.backbone[key] for key in LATER}
            for key in LOOK:
                looked[key] = cfg[key]
            looked.backbone = {**cfg.backbone, **same}
        return run(CANONICAL, f"{title}, recorded", record=True, composed=looked, around=ENCODINGS.around)
