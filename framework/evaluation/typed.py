"""What typed overrides say: their keys, and whether they can change a result."""

from __future__ import annotations

from framework.config.groups import NO_RESULT
from framework.config.identity import LIMITS, LOCATIONS

LAUNCHER = "launcher"  # where runs go


def typed_key(override: str) -> str:
    """Returns the key of an override as typed: `budget` of `budget=8`, `x.y` of `+x.y=1`."""
    return override.lstrip("+~").partition("=")[0].partition("@")[0]


def may_change_results(key: str) -> bool:
    """Says whether a key can change a result: not where files lie, not how a run is shown, tracked or started."""
    path = key.split(".")
    return path[0] not in (*NO_RESULT, LAUNCHER) and path[-1] not in (*LOCATIONS, *LIMITS)
