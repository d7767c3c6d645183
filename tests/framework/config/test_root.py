"""Root keys: each value that fits passes, the next one that does not is named with its key."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from framework.config.build import ConfigError
from framework.config.root import RULES, check_root

GOOD = {
    "budget": 1,
    "seed": -3,
    "share": False,
    "progress": True,
    "record": False,
    "max_failed_share": 0,
    "world": {"devices": 1, "num_nodes": 2},
}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("budget", value) for value in (0, 1.5, "4", True, None)),
        *(("seed", value) for value in (1.0, "x", None)),
        *((key, value) for key in ("share", "progress", "record") for value in ("yes", 1, None)),
        *(("max_failed_share", value) for value in (-0.01, 1.01, "x")),
        *((f"world.{key}", value) for key in ("devices", "num_nodes") for value in ("two", 1.5, None)),
    ],
)
def test_a_wrong_value_is_named(key: str, value: object) -> None:
    cfg = OmegaConf.create(GOOD)
    check_root(cfg)
    OmegaConf.update(cfg, key, value, force_add=True)
    with pytest.raises(ConfigError) as caught:
        check_root(cfg)
    assert str(caught.value) == f"{key} {RULES[key][1]}, got {value!r} (key: {key})"


def test_a_command_has_only_some_of_the_keys() -> None:
    check_root(OmegaConf.create({"video": None}))
