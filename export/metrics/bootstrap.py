"""Bootstrap intervals for statistics of samples (Efron & Tibshirani 1993, chapters 10 and 13)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Interval:
    """A value and its bootstrap interval.

    Attributes:
      value: the statistic of the samples themselves.
      low, high: ends of the interval.
      level: its nominal coverage, as 0.95.
      standard_error: standard deviation of the statistic over the resamples.
      bias: mean over the resamples minus `value`.
      resamples: how many were drawn.
      method: "percentile" or "centred".
    """

    value: float
    low: float
    high: float
    level: float
    standard_error: float
    bias: float
    resamples: int
    method: str


def bootstrap_interval(
    statistic: Callable[..., float],
    sizes: int | Sequence[int],
    resamples: int = 100,
    level: float = 0.95,
    seed: int = 0,
    method: str = "percentile",
    lower_bound: float | None = None,
) -> Interval:
    """Interval of a statistic when the samples behind it are drawn anew, with replacement.

    `method="percentile"` takes the quantiles of the resampled statistic: right for means, such as precision or recall.
    A statistic whose bias depends on the number of samples, such as the Fréchet distance, is biased once more by the
    resampling, so that its percentile interval can lie wholly above its value. `method="centred"` moves the interval
    back by the bootstrap's own estimate of that bias: it then describes how much the statistic *at this number of
    samples* varies from one draw to the next.

    Args:
      statistic: called with one int64 index array for each size, [size] with entries in [0, size); returns a float. The
        identity (0, 1, …) gives the value itself.
      sizes: number of samples, or one number for each of several sets, which are resampled independently. A set left
        out of it is held fixed.
      resamples: number of resamples.
      level: nominal coverage in (0, 1).
      seed: resample r uses the stream (seed, r), whatever the number of resamples.
      method: as above.
      lower_bound: a bound that the statistic obeys by definition and the centred interval must obey too.

    Returns:
      An `Interval`.

    Raises:
      ValueError: on a level, size, method or number of resamples outside its range.
    """
    sizes = [int(size) for size in np.atleast_1d(sizes)]
    if min(sizes) < 1 or resamples < 2 or not 0.0 < level < 1.0 or method not in ("percentile", "centred"):
        raise ValueError(
            f"sizes={sizes}, resamples={resamples}, level={level}, method={method!r}: expected sizes ≥ 1, "
            "resamples ≥ 2, 0 < level < 1, method 'percentile' or 'centred'"
        )
    value = float(statistic(*(np.arange(size) for size in sizes)))
    draws = np.empty(resamples)
    for index in range(resamples):
        rng = np.random.default_rng((seed, index))
        draws[index] = statistic(*(rng.integers(size, size=size) for size in sizes))
    low, high = np.quantile(draws, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    bias = float(draws.mean() - value)
    if method == "centred":
        low, high = low - bias, high - bias
        if lower_bound is not None:
            low = max(low, lower_bound)
    return Interval(value, float(low), float(high), level, float(draws.std(ddof=1)), bias, resamples, method)


def mean_interval(values, resamples=1000, level=0.95, seed=0) -> Interval:
    """Percentile interval of the mean of per-sample values [n]: precision's hits, block estimates, log-likelihoods."""
    values = np.asarray(values, np.float64)
    return bootstrap_interval(lambda index: values[index].mean(), len(values), resamples, level, seed)
