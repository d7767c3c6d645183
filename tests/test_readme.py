"""Lists that can go stale are held to the code: the README's tree and commands, the index, the architecture's rooms."""

from __future__ import annotations

import re
from pathlib import Path

from framework.commands.catalogue import commands
from framework.config.groups import STRATEGIES
from framework.config.parts import INTERFACES
from framework.core.interfaces import Strategy
from framework.engine.pipeline import Pipeline

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
INDEX = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def _folders(place: Path) -> set[str]:
    return {path.name for path in place.iterdir() if path.is_dir() and not path.name.startswith(("_", "."))}


def test_the_readme_is_short_and_begins_with_the_two_commands() -> None:
    assert len(README.splitlines()) <= 120
    first = re.search(r"^    \S.*$", README, re.MULTILINE)
    assert first is not None and first[0].startswith("    make demo")
    assert "make test" in README and (ROOT / "docs" / "flow.png").is_file()


def test_the_tree_is_that_of_the_checkout() -> None:
    tree = README[README.index("## The tree") :].split("```")[1]
    top = dict(re.findall(r"^(\w+)/\s+((?:.*\n(?:   .*\n)*))", tree, re.MULTILINE))
    for name in ("framework", "strategies", "experiments"):
        named = set(re.findall(r"\w+", top[name]))
        missing = _folders(ROOT / name) - named
        assert not missing, f"{name}: the README's tree lacks {sorted(missing)}"
        listed = set(re.findall(r"[a-z_]+", top[name].split(":")[0]))
        stale = listed - _folders(ROOT / name) - _folders(ROOT / name / "learned") if name == "strategies" else set()
        assert not stale, f"{name}: the README's tree names {sorted(stale)}"
    assert _folders(ROOT / "strategies" / "learned") <= set(re.findall(r"\w+", top["strategies"]))


def test_the_rooms_are_those_of_the_checkout() -> None:
    rooms = ARCHITECTURE[ARCHITECTURE.index("## The rooms") :].split("```")[1]
    named = set(re.findall(r"([a-z_]+)/", rooms))
    there = _folders(ROOT / "framework") | _folders(ROOT / "strategies") | _folders(ROOT / "strategies" / "learned")
    assert there <= named, f"architecture.md lacks {sorted(there - named)}"


def test_every_command_is_in_the_table() -> None:
    assert set(re.findall(r"^\| `sieve ([a-z-]+)` \|", README, re.MULTILINE)) == set(commands())


def test_the_index_leads_to_every_page() -> None:
    pages = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")} - {"index.md"}
    linked = set(re.findall(r"\]\(([a-z_/]+\.md)\)", INDEX))
    assert linked == pages, f"not linked: {sorted(pages - linked)}; not there: {sorted(linked - pages)}"


def test_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"


def test_paths_in_the_docs_exist() -> None:
    """Paths of our own code in backquotes."""
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        for path in re.findall(r"`((?:framework|strategies|experiments|conf|tests)/[\w/.]+)`", text):
            if not re.search("novelty|NAME|acme|/[XY]$", path):  # examples and placeholders
                assert (ROOT / path).exists(), f"{page.relative_to(ROOT)} names {path}"


def test_the_groups_are_the_strategies_of_a_pipeline() -> None:
    fields = [name for name, hint in Pipeline.__annotations__.items() if name in INTERFACES]
    assert fields == list(STRATEGIES) == list(INTERFACES)
    assert all(issubclass(interface, Strategy) for interface in INTERFACES.values())
