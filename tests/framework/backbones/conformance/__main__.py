"""Prints what every check finds on every family: the largest difference from the stock model."""

from __future__ import annotations

import sys

from tests.framework.backbones.conformance.checks import CHECKS
from tests.framework.backbones.conformance.families import FAMILIES


def main(names: list[str]) -> None:
    """Prints a table of the families that are named, or of all."""
    families = [family for family in FAMILIES if not names or family.name in names]
    print("| | " + " | ".join(family.name for family in families) + " |")
    print("|---|" + "---|" * len(families))
    for name, check in CHECKS.items():
        print(f"| {name} | " + " | ".join(f"{check(family):.1e}" for family in families) + " |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
