"""A language model that is cut over processes, each of which holds a part of every layer's heads. Experimental.

Every process runs the whole program on the same video (SPMD). What is computed of captured attention must be the same
in all of them, or they would choose other tokens and wait for each other for ever: so rows are gathered over heads.
Knows no family.
"""

from __future__ import annotations

import os
from typing import Any

import torch
import transformers
from torch import Tensor, distributed
from transformers.distributed import DistributedConfig

KEY = "backbone.adapter.tensor_parallel"


def check(asked: bool, config: Any, device: str, device_map: Any, overlaid: bool) -> None:
    """Checks that the model of a configuration can be cut over the processes that run, where that is `asked`.

    Raises ValueError that names the key where transformers has no plan for the text model, where one process runs
    alone, where heads cannot be shared out, and beside keys that say where the whole model lies.
    """
    if not asked:
        return
    for key, value, only in (("device", device, "auto"), ("device_map", device_map, None)):
        if value != only:
            raise ValueError(
                f"{KEY}=true chooses devices itself, got {key}={value}: set backbone.adapter.{key}={only or 'null'} "
                f"or {KEY}=false"
            )
    if overlaid:
        raise ValueError(f"{KEY}=true cuts the weights of the checkpoint alone, got an overlay: set overlay=none")
    text = config.get_text_config()
    if not getattr(text, "base_model_tp_plan", None):
        raise ValueError(
            f"{KEY}: transformers {transformers.__version__} has no plan for text models of type {text.model_type!r}: "
            f"set {KEY}=false, and backbone.adapter.device_map=auto for a model that one GPU cannot hold"
        )
    size = processes()
    if size < 2:
        raise ValueError(
            f"{KEY}: this process runs alone, expected several: start them with torchrun --nproc-per-node N, "
            f"or set {KEY}=false"
        )
    heads = (text.num_attention_heads, text.num_key_value_heads)
    if any(count % size for count in heads):
        raise ValueError(
            f"{KEY}: {heads[0]} heads and {heads[1]} key heads cannot be shared out to {size} processes: start a "
            "number of processes that divides both"
        )


def processes() -> int:
    """Counts the processes of the group that runs, or that torchrun has announced."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_world_size()
    return int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1


def wishes() -> dict[str, Any]:
    """Returns what `from_pretrained` is told, so that every process loads its part."""
    return {"distributed_config": DistributedConfig(tp_size=processes())}


def gather_heads(rows: Tensor) -> Tensor:
    """Returns the rows of all heads, [heads, L, N], of those of this process, [heads / processes, L, N].

    Every process must call it, in the same order. A process holds heads that lie side by side, so the parts follow each
    other by rank.
    """
    rows = rows.contiguous()
    parts = [torch.empty_like(rows) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, rows)
    return torch.cat(parts)
