"""Which layers of a language model have attention that can be captured, and the error for those that have none.

A family may have recurrent layers between them. A checkpoint's configuration says so before a weight is read.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any

from transformers import AutoConfig

from framework.backbones.beside import quiet
from framework.backbones.checkpoint import find, model_type
from framework.backbones.families import TAKEN
from framework.core.errors import UsageError

RECURRENT = "linear_attention"  # the layer type of those that keep a state in place of keys
_log = logging.getLogger(__name__)


def check_layers(asked: Collection[int], having: Collection[int], total: int, key: str = "backbone") -> None:
    """Raises UsageError where a layer that is `asked` is none of those `having` attention, of `total` layers.

    `key`: whose layers they are, prober or backbone.
    """
    if all(layer in having for layer in asked):
        return
    there = (
        f"layers 0..{total - 1}"
        if len(having) == total
        else f"attention at layers {', '.join(map(str, sorted(having)))}"
    )
    raise UsageError(
        f"attention was asked at layers {tuple(asked)}, but this model has {there}: "
        f"set {key}.reference_layer or scorer.layers"
    )


def check_checkpoint(adapter: str, checkpoint: str, asked: Collection[int], key: str = "backbone") -> None:
    """Checks, without reading a weight, that a checkpoint's language model has attention at the layers that are asked.

    Raises UsageError where it has none there. A layer before the last one that features of the tower are added to
    is said in the log. Says nothing of a checkpoint that cannot be read, or that the class `adapter` does not take:
    the adapter does. `key`: whose checkpoint it is, prober or backbone.
    """
    place, local = find(checkpoint)
    try:
        if not asked or model_type(place, local) not in TAKEN.get(adapter, ()):
            return
        with quiet():
            config: Any = AutoConfig.from_pretrained(place, local_files_only=local)
    except (OSError, ValueError):
        return
    text, vision = config.get_text_config(), config.vision_config
    kinds = getattr(text, "layer_types", None) or ["full_attention"] * text.num_hidden_layers
    check_layers(asked, [layer for layer, kind in enumerate(kinds) if kind != RECURRENT], len(kinds), key)
    levels = len(getattr(vision, "deepstack_visual_indexes", None) or ())
    if min(asked) < levels:
        _log.warning(
            "attention is asked at layer %d, but features of the tower are added until layer %d: it sees less than "
            "all of them (key: %s.reference_layer or scorer.layers)",
            min(asked),
            levels - 1,
            key,
        )
