"""Every family against its stock model. `python -m tests.framework.backbones.conformance` prints the differences."""

from __future__ import annotations

import pytest

from tests.framework.backbones.conformance.checks import CHECKS, EXACT, keep_all
from tests.framework.backbones.conformance.families import FAMILIES
from tests.framework.backbones.conformance.family import Family


@pytest.mark.parametrize("family", FAMILIES, ids=[family.name for family in FAMILIES])
@pytest.mark.parametrize("check", CHECKS)
def test_a_family_is_its_stock_model(family: Family, check: str) -> None:
    assert CHECKS[check](family) <= (0.0 if check in EXACT else family.tolerance)


@pytest.mark.parametrize("family", FAMILIES, ids=[family.name for family in FAMILIES])
def test_a_prefix_of_several_chunks_is_as_good(family: Family) -> None:
    """Recurrent layers take 64 rows at once; here they are some 330."""
    assert keep_all(family, 20) <= family.tolerance
