"""Any text that is typed survives Hydra's parser and the configuration behind it."""

from __future__ import annotations

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from framework.config.quoting import protect, quote, split
from framework.core.errors import UsageError

PARSER = OverridesParser.create()
NASTY = st.text(alphabet=st.sampled_from(list("ab '\"\\${}[](),=:;#\n\t@é猫?~!|*")), max_size=12)
TEXT = (NASTY | st.text(max_size=20)).filter(lambda text: text != "???")  # the configuration's word for "missing"


def configured(override: str) -> str:
    """The value as the configuration holds it."""
    parsed = PARSER.parse_override(override)
    return OmegaConf.create({"value": parsed.value()}).value


@settings(max_examples=300, deadline=None)
@given(TEXT)
@example("What's he doing?")
@example("Who (the man) wins?")
@example("red, or blue?")
@example("clip [4], take=2 'x'.mp4")
@example("${oc.env:HOME}")
@example("\\${a}\\")
@example("\\\n")
@example("这个人在做什么？")
def test_any_text_survives(text: str) -> None:
    assert configured(f"question={quote(text)}") == text


@settings(max_examples=200, deadline=None)
@given(TEXT)
def test_any_text_survives_the_sweeper_which_writes_overrides_again(text: str) -> None:
    parsed = PARSER.parse_override(f"question={quote(text)}")
    assert configured(f"question={parsed.get_value_element_as_str()}") == text


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXT.filter(lambda text: text.strip() and "'" not in text), min_size=1, max_size=4))
def test_quoted_items_survive_as_a_list(items: list[str]) -> None:
    typed = "[" + ", ".join(f"'{item}'" for item in items) + "]"
    (override,) = protect([f"options={typed}"], (), ("options",))
    parsed = PARSER.parse_override(override)
    assert list(OmegaConf.create({"value": parsed.value()}).value) == items


@pytest.mark.parametrize(
    ("typed", "items"),
    [
        ("[red,blue]", ["red", "blue"]),
        ("red, blue", ["red", "blue"]),
        ("['red, or blue', green]", ["red, or blue", "green"]),
        ('["a", "b, c"]', ["a", "b, c"]),
        ("[he's here, don't know]", ["he's here", "don't know"]),
        ("['tis the season, no]", ["'tis the season", "no"]),
        ("[red (dark, deep), blue]", ["red (dark, deep)", "blue"]),
        ("[:), :(]", [":)", ":("]),
        ("[f(x], g]", ["f(x]", "g"]),
        ("[one]", ["one"]),
        ("[]", []),
        ("", []),
    ],
)
def test_split(typed: str, items: list[str]) -> None:
    assert split(typed, "options") == items


@pytest.mark.parametrize("typed", ["[red,,blue]", "[red,]", "[,red]", "['', red]"])
def test_an_empty_item_is_named(typed: str) -> None:
    with pytest.raises(UsageError, match=r"options: item \d of .* is empty"):
        split(typed, "options")


def test_other_arguments_stay_untouched() -> None:
    words = ["preset=adapttoken,uniform", "-m", "benchmark.videos=4", "video", "~x"]
    assert protect(words, ("video",), ("options",)) == words
    assert protect(["video=a,b.mp4"], ("video",), ()) == ["video='a,b.mp4'"]


@pytest.mark.parametrize("typed", ["[]", "", "[ ]"])
def test_an_empty_list_is_refused(typed: str) -> None:
    with pytest.raises(UsageError, match="options: got an empty list"):
        protect([f"options={typed}"], (), ("options",))
