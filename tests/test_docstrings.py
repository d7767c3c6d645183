"""Every public docstring is a sentence that begins with a verb, so that it makes sense alone in an editor's pop-up.

The verbs that may begin one are listed in tests/data/verbs.txt: a new one is one more line there.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
VERBS = frozenset((ROOT / "tests" / "data" / "verbs.txt").read_text(encoding="utf-8").split())


def _public(body: list[ast.stmt], inside: str = "") -> Iterator[tuple[str, str]]:
    """(name, docstring) of every public class, function, method and property."""
    for node in body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("_"):
            if any(getattr(d, "id", "") == "overload" for d in node.decorator_list):
                continue
            name = f"{inside}{node.name}"
            yield name, ast.get_docstring(node) or ""
            if isinstance(node, ast.ClassDef):
                yield from _public(node.body, f"{name}.")


def _wrong(folder: str) -> list[str]:
    found = []
    for file in sorted((ROOT / folder).rglob("*.py")):
        for name, text in _public(ast.parse(file.read_text(encoding="utf-8")).body):
            first = text.split("\n\n")[0].strip()
            word = re.split(r"[\s,:;.]", first, maxsplit=1)[0]
            if word not in VERBS or not first.endswith((".", ":")):
                found.append(f"{file.relative_to(ROOT)} {name}: {first[:60]!r}")
    return found


def test_public_docstrings_begin_with_a_verb() -> None:
    wrong = [line for folder in ("framework", "strategies", "experiments") for line in _wrong(folder)]
    assert not wrong, f"{len(wrong)} docstrings, e.g.\n" + "\n".join(wrong[:20])


def test_the_list_of_verbs_is_sorted_and_holds_each_once() -> None:
    lines = (ROOT / "tests" / "data" / "verbs.txt").read_text(encoding="utf-8").split()
    assert lines == sorted(set(lines))
    assert all(re.fullmatch(r"[A-Z][a-z]+s", line) for line in lines)
