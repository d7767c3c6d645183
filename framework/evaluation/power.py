"""The smallest paired difference that a sample could show."""

from __future__ import annotations

import math
from functools import cache

from scipy import optimize, stats

POWER = 0.8
LEVEL = 0.05  # two-sided


def smallest_detectable(error: float, units: int) -> float:
    """Returns the smallest true difference that a two-sided test at .05 finds with 80 % chance.

    `error` is the standard error of the paired difference (clustered by video), and the test counts `units` units. The
    result is (z.975 + z.80) x error, but never less than what the exact test can show with that many units. Where the
    runs hardly ever disagree, the standard error is itself near zero and promises too much.
    """
    z = float(stats.norm.ppf(1 - LEVEL / 2) + stats.norm.ppf(POWER))
    return max(least(units), 0.0 if math.isnan(error) else z * error)


@cache
def least(units: int) -> float:
    """Returns the share of units that must change for an exact test of signs to reach .05 with 80 % chance.

    All change in one direction. At least six must be seen to, as 2 x .5^6 = .031. NaN with fewer than six units.
    """
    needed = next(k for k in range(1, 64) if 2 * 0.5**k <= LEVEL)
    if units < needed:
        return math.nan
    return float(optimize.brentq(lambda share: stats.binom.sf(needed - 1, units, share) - POWER, 0.0, 1.0))
