"""Which name was meant."""

from __future__ import annotations

from framework.config.closest import meant


def test_the_closest_name() -> None:
    assert meant("adaptoken", ["uniform", "adapttoken"]) == "; did you mean adapttoken?"
    assert meant("zzz", ["uniform"]) == ""


def test_what_stands_before_the_last_dot_makes_no_name_alike() -> None:
    known = ["backbone", "backbone.adapter.dtype", "backbone.adapter.wrapper", "backbone.wrappe"]
    assert meant("backbone.adapter.wrpper", known) == "; did you mean backbone.adapter.wrapper?"
    assert meant("backbone.adapter.zzz", known) == ""
    assert meant("backbone.adaptr.dtype", known) == "; did you mean backbone.adapter.dtype?"
