"""The configuration groups by name, for those who must not load torch. The fields of `Pipeline` are the same eight."""

from __future__ import annotations

STRATEGIES = ("splitter", "scheduler", "scorer", "relevance", "allocator", "refiner", "stopping", "answerer")
NO_RESULT = (
    "hydra",
    "tracker",
    "progress",
    "world",
    "record",
    "max_failed_share",
    "offload",
)  # root keys that change no result
