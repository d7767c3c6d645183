"""Errors in words: what was typed, what there is, and the closest name; None for what is nobody's fault."""

from __future__ import annotations

import pytest
from hydra.errors import OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from framework.commands.entries.answering import ASK
from framework.commands.explain import explain
from framework.config.build import ConfigError
from framework.core.errors import UsageError


def test_our_own_are_said_as_they_are() -> None:
    assert explain(UsageError("video: got nothing"), None) == "video: got nothing"
    assert explain(ConfigError("scorer.x: no such key"), ASK) == "scorer.x: no such key"


def test_what_is_nobodys_fault_keeps_its_traceback() -> None:
    assert explain(RuntimeError("out of luck"), ASK) is None


def test_a_missing_value_names_its_key() -> None:
    with pytest.raises(OmegaConfBaseException) as caught:
        _ = OmegaConf.create({"a": {"b": "???"}}).a.b
    assert "(key: a.b)" in str(explain(caught.value, ASK))


def test_a_word_that_cannot_be_read() -> None:
    said = explain(OverrideParseException(override="a=[", message="no"), ASK)
    assert said is not None and said.startswith("could not read 'a=['; expected key=value")
