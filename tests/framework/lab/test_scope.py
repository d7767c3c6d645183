"""When the lab model says that it is a toy: a film, or words that it has never read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from framework.backbones.scope import Scope
from framework.config import plugins
from framework.config.build import build
from framework.core.types import Question
from framework.lab.needles import needle_scene
from framework.lab.scope import MadeVideos
from framework.lab.video import write_video

SCOPE = MadeVideos(side=56, most_options=5, unknown_share=0.1, instead="big")
KNOWN = "what color is the large red star that is seen first ?"  # eleven words


def question(text: str, *options: str) -> Question:
    return Question("q", text, text, options)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> str:
    scene = needle_scene(np.random.default_rng(0), "attribute", 64, 2, 8, 1.0, 0.05, 0.3)[0]
    return str(write_video(scene, tmp_path_factory.mktemp("made") / "clip.mp4"))


@pytest.mark.parametrize(
    ("asked", "unknown"),
    [
        ([question(KNOWN, "red", "blue")], ""),
        ([question(KNOWN + " yes" + " tournament")], ""),  # one of thirteen
        ([question("what color is the tournament ?")], "tournament"),  # one of five
        ([question("What's it?")], ""),
        ([question(KNOWN, "red", "Crimson")], "crimson"),
        ([question(KNOWN), question("who wins ?")], "wins"),
        ([question("a b c d e f g, who wins by one two three four five six")], "wins"),  # letters are no words
        ([question("什么 ?")], "什么"),
        ([question("uno dos tres cuatro cinco seis")], "uno, dos, tres, cuatro, cinco, ..."),
    ],
)
def test_words_that_it_does_not_know(made: str, asked: list[Question], unknown: str) -> None:
    said = SCOPE.caution(made, asked)
    reason = f"it does not know the words {unknown}"
    assert said == (f"toy model of made videos: for real films take backbone=big ({reason})" if unknown else None)


def test_more_options_than_it_has_learned(made: str) -> None:
    five = ("red", "blue", "green", "white", "black")
    assert SCOPE.caution(made, [question(KNOWN, *five)]) is None
    said = SCOPE.caution(made, [question(KNOWN, "red", "blue"), question(KNOWN, *five, "cyan")])
    assert said is not None and said.endswith("(it has learned questions of up to 5 options, got 6)")


def test_a_film_and_foreign_words_are_both_told(data: Path) -> None:
    said = SCOPE.caution(str(data / "video" / "h265_video.mp4"), [question("who wins ?")])
    assert said is not None and said.endswith("(this video is none of its own; it does not know the words wins)")


def test_every_lab_option_has_a_scope_and_no_other(made: str) -> None:
    for name, file in plugins.options("backbone").items():
        node = OmegaConf.load(file).get("scope")
        assert (node is not None) == (name in ("lab", "lab_wide")), name
    built = build(OmegaConf.load(plugins.options("backbone")["lab"]).scope, Scope, "scope")  # type: ignore[type-abstract]
    assert built.caution(made, [question(KNOWN)]) is None


def test_a_share_is_a_share() -> None:
    with pytest.raises(ValueError, match=r"unknown_share must lie within 0\.\.1, got 10"):
        MadeVideos(56, 5, 10, "big")
