"""Every runnable program under experiments/ says what it takes: `--help`, and what it answers to an unknown word."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from experiments.common import MEANINGS, arguments, explain

ROOT = Path(__file__).parents[2]


def _started(file: Path) -> str | None:
    """What a module does when it is run; None where it does nothing."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'":
            return "\n".join(map(ast.unparse, node.body))
    return None


FILES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts): file
    for file in sorted((ROOT / "experiments").rglob("*.py"))
    if file.name == "__main__.py" or _started(file)
}


def _meanings(module: ModuleType) -> Mapping[str, str]:
    return {**MEANINGS, **getattr(module, "MEANINGS", {})}


def test_the_programs_are_found() -> None:
    known = {"demo", "adapttoken.entropy_of_groups", "autogaze.rates", "qtsplus.cost", "yardstick.__main__"}
    known |= {"autogaze.__main__", "lab.wide_oracle"}
    assert {f"experiments.{name}" for name in known} <= FILES.keys()
    assert "experiments.common" not in FILES


@pytest.mark.parametrize("name", FILES)
def test_a_program_reads_its_words_before_anything_else(name: str) -> None:
    """So what `main` does with words is what the command does, and help costs no more than the imports."""
    assert _started(FILES[name]) == "main(sys.argv[1:])"
    body = ast.parse(FILES[name].read_text(encoding="utf-8")).body
    (main,) = (node for node in body if isinstance(node, ast.FunctionDef) and node.name == "main")
    first = ast.unparse(main.body[1])  # after its docstring
    assert ast.get_docstring(main) and "= arguments(" in first and ", DEFAULTS, __doc__" in first


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["nonsense=1", "--help"]], ids=" ".join)
@pytest.mark.parametrize("name", FILES)
def test_help_names_every_key_with_its_default_and_what_it_means(
    name: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = import_module(name)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        module.main(words)
    assert ended.value.code == 0
    shown = capsys.readouterr()
    assert shown.err == "" and shown.out.startswith(module.__doc__.strip())
    meanings = _meanings(module)
    keys = [line for key, value in module.DEFAULTS.items() for line in (f"  {key}={value}", f"      {meanings[key]}")]
    assert shown.out.splitlines()[-len(keys) :] == keys
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FILES)
def test_an_unknown_word_is_named(name: str) -> None:
    module = import_module(name)
    for word, said in (("nonsense=1", "nonsense"), ("nonsense", "nonsense"), ("--seed=1", "--seed")):
        with pytest.raises(SystemExit, match=f"^unknown: {said}; ") as ended:
            module.main([word])
        assert all(f"{key}={value}" in str(ended.value) for key, value in module.DEFAULTS.items())


@pytest.mark.parametrize("name", FILES)
def test_what_a_program_says_of_keys_is_of_its_own(name: str) -> None:
    module = import_module(name)
    own = getattr(module, "MEANINGS", {})
    assert own.keys() <= module.DEFAULTS.keys()
    assert all(own[key] != MEANINGS.get(key) for key in own), "said twice"
    assert all(line and "\n" not in line and len(line) < 100 for line in _meanings(module).values())


def test_the_command_itself() -> None:
    command = [sys.executable, "-m", "experiments.demo", "--help"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert "\n  checkpoint=asset:lab\n" in ended.stdout and ended.stderr == ""


def test_help_of_one_program(capsys: pytest.CaptureFixture[str]) -> None:
    said = explain({"a": "1", "seed": ""}, "One line.\n\n    python -m one\n    ", {"a": "of one"})
    head = "One line.\n\n    python -m one\n\nKeys and their defaults, each given as key=value:\n"
    assert said == f"{head}  a=1\n      of one\n  seed=\n      {MEANINGS['seed']}"
    assert explain({"unheard": "2"}).splitlines()[1:] == ["  unheard=2"]
    with pytest.raises(SystemExit):
        arguments(["a=2", "-h"], {"a": "1"})
    assert capsys.readouterr().out == "Keys and their defaults, each given as key=value:\n  a=1\n"
