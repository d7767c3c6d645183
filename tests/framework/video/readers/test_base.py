"""What every reader refuses of its own settings."""

from __future__ import annotations

import pytest

from framework.core.errors import UsageError
from framework.video.readers.pyav import PyAVReader


@pytest.mark.parametrize("wrong", [{"threads": -2}, {"threads": 0, "max_picture_pixels": 0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=r"reader\.\w+ must be >= [01], got (-2|0)"):
        PyAVReader(**wrong)
