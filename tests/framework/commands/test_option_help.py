"""`sieve COMMAND --help GROUP=OPTION`: the keys of an option as its yaml file has them."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from framework.commands.entries.answering import EVAL
from framework.commands.option_help import about, asked, option_rows, page_rows
from framework.config.plugins import CONF, options
from framework.core.errors import UsageError

KEYS = ("budget", "seed", "world")


def test_options_among_the_words_of_a_line() -> None:
    words = [
        "-m",
        "--help",
        "preset=uniform,vote",
        "+scorer=random",
        "budget=3",
        "scorer.layers=[1]",
        "world.devices=2",
    ]
    assert asked(EVAL, words, KEYS) == [("preset", "uniform"), ("preset", "vote"), ("scorer", "random")]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (
            "scorer=atention",
            "scorer=atention: scorer has no option 'atention'; it has .*did you mean attention",
        ),
        ("scorrer=attention", "scorrer: `sieve eval` has no such group or key; did you mean scorer?"),
        ("budgte=3", "budgte: .*did you mean budget?"),
    ],
)
def test_what_there_is_not(word: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        asked(EVAL, [word], KEYS)


def test_every_key_of_every_scorer_is_there() -> None:
    for option, file in options("scorer").items():
        node = OmegaConf.to_container(OmegaConf.load(file))
        assert isinstance(node, dict)
        found = {key for key, _, _ in option_rows("scorer", option)}
        for key in set(map(str, node)) - {"_target_", "defaults"}:
            assert any(f"{name}.".startswith(f"scorer.{key}.") for name in found), (option, key)


def test_what_an_option_builds_on_comes_first_and_keeps_its_comment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("framework.config.plugins.CONF", tmp_path)
    (tmp_path / "scorer").mkdir()
    (tmp_path / "scorer" / "base.yaml").write_text(
        "# The base,\n# in two lines.\n# sieve ask   scorer=base\n_target_: a.B\nlevel: 1.0   # nats; above 0\n"
        "deep:\n  er: [1, 2]  # twice\n  last: ???\nname: 'x'\n"
    )
    (tmp_path / "scorer" / "own.yaml").write_text("defaults:\n  - base\n  - _self_\nlevel: 2.0\n")
    assert option_rows("scorer", "own") == [
        ("scorer.level", "2.0", "nats; above 0"),
        ("scorer.deep.er", "[1, 2]", "twice"),
        ("scorer.deep.last", "(required)", ""),
        ("scorer.name", "'x'", ""),
    ]
    assert about(tmp_path / "scorer" / "base.yaml") == "The base, in two lines.\nsieve ask scorer=base"
    assert about(tmp_path / "scorer" / "own.yaml") == ""


def test_a_preset_names_its_choices() -> None:
    rows = {key: value for key, value, _ in option_rows("preset", "qtsplus")}
    assert rows["scorer"] == "qtsplus" and rows["answer_positions"] == "${qtsplus.positions.${qtsplus.mode}}"
    assert {key: value for key, value, _ in option_rows("preset", "qtsplus_groups")}["scorer"] == "qtsplus"


def test_a_page_has_its_nested_keys_and_none_of_hydras() -> None:
    rows = {key: (value, comment) for key, value, comment in page_rows(CONF / "eval.yaml")}
    assert rows["world.devices"][0] == "1" and "processes" in rows["world.devices"][1]
    assert not any(key.startswith("hydra") for key in rows)
