"""Fonts for what people ask in: of the installed ones those that have the characters, and one warning where none has.

matplotlib draws with the first font of a list that has a character. What no font has becomes a box.
"""

from __future__ import annotations

import logging
import unicodedata
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cache

from matplotlib import font_manager, rc_context
from matplotlib.font_manager import FontEntry, FontProperties
from matplotlib.ft2font import FT2Font

UNSEEN = ("Cc", "Cf", "Cs", "Zs", "Zl", "Zp")  # categories of what has no glyph
SYMBOLS, SHOWN = "symbols", 8
NOT_FOR_TEXT = (  # matplotlib's own: boxes for every character, and formulas with places of their own for signs
    *("Last Resort", "STIXNonUnicode", "STIXSize"),
    *("cmb10", "cmex10", "cmmi10", "cmr10", "cmss10", "cmsy10", "cmtt10"),
)
EAST_ASIAN = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO")
EAST_ASIAN_SIGNS = ("FULLWIDTH", "HALFWIDTH", "IDEOGRAPHIC")
_log = logging.getLogger(__name__)


@contextmanager
def fonts_for(texts: Collection[str]) -> Iterator[None]:
    """Lets matplotlib draw `texts` with installed fonts that have their characters.

    Characters that no installed font has are named in one warning, by their script.
    """
    letters = {letter for text in texts for letter in text if unicodedata.category(letter) not in UNSEEN}
    families, lacking = _families(frozenset(letters))
    if lacking:
        _warn(lacking)
    with rc_context({"font.family": list(families)}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")  # said above, once
        yield


@cache
def _families(letters: frozenset[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """The families to draw with, the usual one first, and the characters that none of them has."""
    usual = font_manager.findfont(FontProperties(family=["sans-serif"]))
    families = ["sans-serif"]
    left = _without(letters, usual)
    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    if left:
        _take(families, left, [entry for entry in font_manager.fontManager.ttflist if _is_for_text(entry)])
    if left:  # installed since matplotlib wrote its list of fonts
        _take(families, left, [entry for path in _not_listed(known) for entry in _added(path)])
    return tuple(families), frozenset(left)


def _take(families: list[str], left: set[str], entries: list[FontEntry]) -> None:
    """Add the family that has most of what is left, until none has any of it."""
    while left and entries:
        lacking = {entry.fname: _without(left, entry.fname) for entry in entries}
        best = min(entries, key=lambda entry: (len(lacking[entry.fname]), *_oddness(entry), entry.name))
        if len(lacking[best.fname]) == len(left):
            return
        families.append(best.name)
        left &= lacking[best.fname]


def _oddness(entry: FontEntry) -> tuple[bool, bool, str]:
    """How far a font is from an upright one of ordinary weight and without serifs."""
    ordinary = entry.style == "normal" and str(entry.weight) in ("400", "normal", "regular")
    return not ordinary, "Sans" not in entry.name, entry.fname


def _without(letters: Collection[str], path: str) -> set[str]:
    """Those of `letters` that the font in a file has not; all of them where the file cannot be read."""
    try:
        font = FT2Font(path)
    except (OSError, RuntimeError):  # of FreeType: a file that is no font, or one it cannot draw
        return set(letters)
    return {letter for letter in letters if not font.get_char_index(ord(letter))}


def _is_for_text(entry: FontEntry) -> bool:
    return not entry.name.startswith(NOT_FOR_TEXT)


def _not_listed(known: set[str]) -> list[str]:
    return sorted(path for path in font_manager.findSystemFonts() if path not in known)


def _added(path: str) -> list[FontEntry]:
    """What matplotlib makes of a font file that it did not know."""
    before = len(font_manager.fontManager.ttflist)
    try:
        font_manager.fontManager.addfont(path)
    except (OSError, RuntimeError):
        return []
    return font_manager.fontManager.ttflist[before:]


def script(letter: str) -> str:
    """Returns what a character belongs to: the first word of a letter's Unicode name (CJK, ARABIC), or "symbols".

    Signs of East Asian texts count as their letters do.
    """
    name = unicodedata.name(letter, SYMBOLS).split()[0]
    if name in EAST_ASIAN_SIGNS:
        return "CJK"
    return name if unicodedata.category(letter)[0] in "LMN" else SYMBOLS


def _package(name: str) -> str:
    """The Debian package with a font for a script."""
    return "fonts-noto-cjk" if name in EAST_ASIAN else "fonts-symbola" if name == SYMBOLS else "fonts-noto"


@cache
def _warn(lacking: frozenset[str]) -> None:
    """Once per set of characters."""
    scripts = sorted({script(letter) for letter in lacking})
    _log.warning(
        "no installed font has the characters of %s (%s): the picture shows boxes; install one, on Debian or Ubuntu "
        "with `apt install %s`",
        ", ".join(scripts),
        " ".join(sorted(lacking)[:SHOWN]),
        " ".join(sorted(set(map(_package, scripts)))),
    )
