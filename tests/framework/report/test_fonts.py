"""Fonts for other scripts: the installed one that has the characters, or one warning."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import pytest
from matplotlib import font_manager, rcParams
from matplotlib.figure import Figure
from matplotlib.font_manager import FontEntry

from framework.report import fonts
from framework.report.fonts import fonts_for, script

HAVE = {"/usual": set("abc "), "/east": set("你好"), "/half": set("你"), "/boxes": set("你好吗"), "/new": set("吗")}


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four fonts that matplotlib knows, and one that it does not know yet."""
    fonts._families.cache_clear()
    fonts._warn.cache_clear()
    listed = [
        FontEntry(fname="/half", name="Half Sans"),
        FontEntry(fname="/east", name="East Sans"),
        FontEntry(fname="/boxes", name="Last Resort High-Efficiency"),
    ]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", listed)
    monkeypatch.setattr(
        font_manager.fontManager, "addfont", lambda path: listed.append(FontEntry(fname=path, name="New Sans"))
    )
    monkeypatch.setattr(font_manager, "findfont", lambda wanted: "/usual")
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: ["/east", "/new"])
    monkeypatch.setattr(fonts, "_without", lambda letters, path: {one for one in letters if one not in HAVE[path]})


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("text", "families"),
    [
        ("abc", ["sans-serif"]),
        ("a你好", ["sans-serif", "East Sans"]),  # the one with most of the characters, and nothing more
        ("你吗", ["sans-serif", "East Sans", "New Sans"]),  # installed since matplotlib made its list
    ],
)
def test_fonts_are_taken_that_have_the_characters(
    text: str, families: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with fonts_for([text]):
        assert rcParams["font.family"] == families
    assert not caplog.records and rcParams["font.family"] == ["sans-serif"]


@pytest.mark.usefixtures("installed")
def test_what_no_font_has_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        with fonts_for(["abc\n你 नमस्ते", "？"]):
            pass
    (said,) = [record.getMessage() for record in caplog.records]
    assert "CJK, DEVANAGARI" in said and "fonts-noto fonts-noto-cjk" in said and "boxes" in said
    assert caplog.records[0].levelno == logging.WARNING


def test_boxes_are_drawn_without_a_warning_for_each(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    nobodys = "\U000e1234 \U000e1235"  # not assigned, so that no font for text has them
    figure = Figure()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        with fonts_for([nobodys]):
            figure.suptitle(nobodys)
            figure.savefig(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 0
    assert not [one for one in heard if "Glyph" in str(one.message)]
    assert ["symbols" in record.getMessage() for record in caplog.records] == [True]


def test_a_real_font_is_asked_for_its_characters() -> None:
    usual = font_manager.findfont("DejaVu Sans")
    assert fonts._without("aя\u4f60", usual) == {"\u4f60"}
    assert fonts._without("ab", __file__) == {"a", "b"}


@pytest.mark.parametrize(
    ("letter", "name"),
    [("你", "CJK"), ("？", "CJK"), ("が", "HIRAGANA"), ("ن", "ARABIC"), ("🎬", "symbols"), ("a", "LATIN")],
)
def test_scripts(letter: str, name: str) -> None:
    assert script(letter) == name
