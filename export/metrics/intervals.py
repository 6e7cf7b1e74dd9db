"""Confidence intervals for metrics of samples.

Each interval covers, at its level, the *expected* value of a metric over new draws of equally many samples and held-out
examples from the same two distributions. For a mean that is the population's value. For a statistic whose bias depends
on the number of samples, such as the Fréchet distance, it is the expectation at that number, bias included. The
generator is held fixed, so the intervals do not cover the variation between training runs.

===================== ==================================================== =========================================
function              for                                                  method
===================== ==================================================== =========================================
mean_interval         means of independent values                          Student's t
share_interval        shares                                               Wilson 1927
normal_interval       statistics whose variance is estimated elsewhere     Student's t
score_interval        statistics whose variance grows with their value     score (as Wilson's)
discrepancy_interval  smooth discrepancies, 0 for equal distributions      halves, corrected for curvature, log scale
===================== ==================================================== =========================================

`halves` splits all sets at random in two. The values of a statistic on the two halves are independent, so half their
squared difference is an unbiased estimate of the variance at half the size. Half of that is the variance at the full
size wherever the variance falls as 1/n (Politis, Romano & Wolf 1999, "Subsampling", chapter 2). Each split refits
everything that depends on the samples and the held-out examples, such as manifolds.

In the tests, on 200 new draws of each known distribution, 92 to 98 % of the intervals of level 95 % cover the expected
value. `Interval.caveat` names the cases where further measurements found a coverage outside that range.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np

#: Description of each method in a report.
METHODS = {
    "student": "Student's t",
    "wilson": "Wilson's interval of a share",
    "score": "score interval, whose spread grows with the value",
    "garwood": "Garwood's interval of a count of pairs, widened where the points' counts differ",
    "halves": "from the spread between random halves, symmetrical in the logarithm",
}
#: Description of all intervals in a report.
TRIED = (
    "Tried on known distributions that were drawn anew 200 times or more, intervals of level 95 % covered the expected "
    "value in 92 to 98 % of the draws, except as said here."
)
_SHARE_CAVEAT = (
    "Covers 84 to 99 % where fewer than one example is expected to miss 0 or 1 (computed for 40 to 10,000 examples)."
)
_DISCREPANCY_CAVEAT = (
    "Covered 91 % where a single direction carries most of a distance of two standard errors, 99.6 % for equal "
    "distributions with fewer than ten degrees of freedom."
)
#: Least number of points of a set: with fewer, the variance on halves does not yet fall as 1/n.
FEWEST = 40
#: Largest ratio of standard error to value at which `discrepancy_interval` corrects the variance.
_SKEW = 0.3


@dataclasses.dataclass(frozen=True)
class Interval:
    """A value and its confidence interval, or the reason why there is none.

    Attributes:
      value: the metric.
      low, high: ends of the interval; None where there is none.
      level: nominal coverage, such as 0.95; None where there is no interval.
      method: a key of `METHODS`; None where there is no interval.
      reason: why there is no interval, in words; None where there is one.
      caveat: in which cases the measured coverage was off, in words; None where in no case, or without an interval.
    """

    value: float
    low: float | None = None
    high: float | None = None
    level: float | None = None
    method: str | None = None
    reason: str | None = None
    caveat: str | None = None

    def mapped(self, function: Callable[[float], float]) -> Interval:
        """The interval of an increasing function of the metric."""
        ends = {} if self.low is None else {"low": float(function(self.low)), "high": float(function(self.high))}
        return dataclasses.replace(self, value=float(function(self.value)), **ends)


def absent(value: float, reason: str) -> Interval:
    """A value without an interval, and the reason."""
    return Interval(float(value), reason=reason)


def mean_interval(values, level=0.95, of="value") -> Interval:
    """Student's t interval of the mean of independent values: block estimates, log-likelihoods.

    Args:
      values: finite numbers [n], n ≥ 1.
      level: in (0, 1).
      of: name of one value, for `Interval.reason`.

    Returns:
      An `Interval`; without ends for one value, or where all are equal.
    """
    _check_level(level)
    values = np.asarray(values, np.float64)
    mean = values.mean()
    if len(values) < 2:
        return absent(mean, f"there is one {of} only")
    if np.ptp(values) == 0.0:
        return absent(mean, f"every {of} is the same")
    return normal_interval(mean, values.var(ddof=1) / len(values), level, len(values) - 1)


def share_interval(share: float, count: float, level=0.95, degrees: float = math.inf) -> Interval:
    """Wilson's score interval of a proportion (compared with others by Brown, Cai & DasGupta 2001).

    Args:
      share: in [0, 1].
      count: number of independent trials; of dependent ones, the effective number.
      level: in (0, 1).
      degrees: degrees of freedom, where `count` is an estimate.

    Returns:
      An `Interval` inside [0, 1], never of width 0. Its caveat holds for independent trials.
    """
    _check_level(level)
    square = _quantile(level, degrees) ** 2 / count
    centre = (share + square / 2.0) / (1.0 + square)
    half = math.sqrt(square * (share * (1.0 - share) + square / 4.0)) / (1.0 + square)
    # Rounding must not leave the share outside the interval; the ends are exactly 0 or 1 where the share is.
    low, high = float(min(centre - half, share)), float(max(centre + half, share))
    return Interval(float(share), low, high, level, "wilson", caveat=_SHARE_CAVEAT)


def normal_interval(value: float, variance: float, level=0.95, degrees: float = math.inf) -> Interval:
    """Student's t interval of a nearly normal statistic, from an estimate of its variance.

    Args:
      value: the statistic.
      variance: its variance.
      level: in (0, 1).
      degrees: degrees of freedom of `variance`.

    Returns:
      An `Interval`; without ends for a variance of 0.
    """
    _check_level(level)
    if not variance > 0.0:
        return absent(value, "no spread was seen")
    half = _quantile(level, degrees) * math.sqrt(variance)
    return Interval(float(value), float(value - half), float(value + half), level, "student")


def score_interval(value: float, variance: float, slope: float, level=0.95, degrees: float = math.inf) -> Interval:
    """Score interval of a nearly normal statistic with expectation θ and variance `variance + slope · max(θ, 0)`.

    It holds every θ with (value - θ)² ≤ q² (variance + slope · max(θ, 0)), q being Student's quantile: as in Wilson's
    interval, each end uses the variance at that end.

    Args:
      value: the statistic.
      variance: its variance at θ = 0.
      slope: at least 0.
      level: in (0, 1).
      degrees: degrees of freedom of `variance` and `slope`.

    Returns:
      An `Interval`; without ends for a variance of 0.
    """
    _check_level(level)
    if not variance > 0.0:
        return absent(value, "no spread was seen")
    square = _quantile(level, degrees) ** 2
    at_zero, centre = math.sqrt(square * variance), value + square * slope / 2.0
    half = math.sqrt(max(0.0, centre**2 - value**2 + square * variance))
    low = centre - half if value > at_zero else value - at_zero
    high = centre + half if value > -at_zero else value + at_zero
    return Interval(float(value), float(low), float(high), level, "score")


def halves(statistic: Callable, sizes: Sequence[int], splits: int = 20, seed: int = 0) -> np.ndarray:
    """A statistic on the halves of random splits.

    Args:
      statistic: called with one int64 index array for each size; returns a float or an array of fixed shape.
      sizes: number of points of each set; the sets are split independently.
      splits: number of splits.
      seed: split i uses the random stream (seed, i), whatever the number of splits.

    Returns:
      float64 [splits, 2, …]: the statistic on both halves of each split.
    """
    found = []
    for index in range(splits):
        rng = np.random.default_rng((seed, index))
        cut = [np.array_split(rng.permutation(size), 2) for size in sizes]
        found.append([statistic(*first_or_second) for first_or_second in zip(*cut)])
    return np.asarray(found, np.float64)


def variance_from_halves(of_halves) -> np.ndarray:
    """Variance of a statistic at the full size from its values on halves [splits, 2, …], where it falls as 1/n."""
    return of_halves.var(axis=1, ddof=1).mean(axis=0) / 2.0


def discrepancy_interval(
    statistic: Callable[..., float], sizes: Sequence[int], splits=20, level=0.95, seed=0
) -> Interval:
    """Interval of a smooth discrepancy of two samples that is ≥ 0, and 0 in the limit of equal distributions.

    Such a statistic is linear in the two empirical distributions where the distributions are far apart, and quadratic
    where they are near. The variance from halves counts the quadratic part twice (as the jackknife does: Efron & Stein
    1981). The quadratic part is even in the halves' deviation from the whole, so its variance is that of the mean over
    both halves. It is subtracted, at most half of the total. Where the standard error is 30 % of the value or more,
    the statistic is too skew for this and nothing is subtracted. The interval is symmetrical in the logarithm, because
    the standard error grows with the value.

    Coverage was measured on 250 draws each of Gaussians in 2 to 32 dimensions and of histograms; see the caveat.

    Args:
      statistic: as in `halves`, but returns a float; all indices in order give the value itself.
      sizes: as in `halves`.
      splits: number of random splits, ≥ 2; also the degrees of freedom.
      level: in (0, 1).
      seed: as in `halves`.

    Returns:
      An `Interval` with positive ends; without ends for fewer than 40 points in a set, a value of 0, or values that are
      not finite.
    """
    _check_level(level)
    value = float(statistic(*(np.arange(size) for size in sizes)))
    if min(sizes) < FEWEST:
        return absent(value, f"fewer than {FEWEST} examples")
    if not (value > 0.0 and math.isfinite(value)):
        return absent(value, f"the value is {'0' if value == 0.0 else 'not finite'}")
    of_halves = halves(statistic, sizes, splits, seed)
    if not np.isfinite(of_halves).all():
        return absent(value, "the value is not finite on half of the examples")
    variance = float(variance_from_halves(of_halves))
    if variance == 0.0:
        return absent(value, "the value is the same on every half of the examples")
    if math.sqrt(variance) < _SKEW * value:
        even = float(of_halves.mean(axis=1).var(ddof=1))
        variance = max(variance - even, variance / 2.0)
    factor = math.exp(_quantile(level, splits) * math.sqrt(variance) / value)
    return Interval(value, value / factor, value * factor, level, "halves", caveat=_DISCREPANCY_CAVEAT)


def _quantile(level, degrees):
    """Two-sided quantile of Student's t; the normal's for infinite degrees of freedom."""
    import scipy.stats  # Imported here because it takes most of a second, which would slow down --help.

    return float(scipy.stats.t.ppf((1.0 + level) / 2.0, degrees))


def _check_level(level):
    if not 0.0 < level < 1.0:
        raise ValueError(f"level is {level}, expected 0 < level < 1")
