"""Metrics for points from a known distribution: modes found, high-quality share, likelihood, Wasserstein distances.

Modes are counted as in Srivastava et al. 2017 (VEEGAN), section 5.1, and Lin et al. 2018 (PacGAN), section 4.1: a
sample is of high quality if it lies within three standard deviations of its nearest mode, and a mode is found if it is
the nearest mode of a high-quality sample.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import scipy.optimize
import scipy.spatial.distance

from export.metrics import classifier_score, intervals


@dataclasses.dataclass(frozen=True)
class ModeCounts:
    """Samples assigned to known modes.

    Attributes:
      nearest: int64 [n], index of each sample's nearest mode.
      high_quality: bool [n], whether the sample lies within `num_std` standard deviations of it.
      min_count: least number of high-quality samples for a mode to count as found.
      num_modes: number of modes K.
    """

    nearest: np.ndarray
    high_quality: np.ndarray
    min_count: int
    num_modes: int

    @property
    def counts(self) -> np.ndarray:
        """High-quality samples of each mode, int64 [K]."""
        return np.bincount(self.nearest[self.high_quality], minlength=self.num_modes)

    @property
    def modes_found(self) -> int:
        """Number of modes with at least `min_count` high-quality samples."""
        return int((self.counts >= self.min_count).sum())

    @property
    def high_quality_share(self) -> float:
        """In [0, 1]. Samples of an isotropic d-dimensional Gaussian reach P(χ²_d ≤ 9): 0.9889 for d = 2."""
        return float(self.high_quality.mean())

    @property
    def histogram(self) -> np.ndarray:
        """Share of the high-quality samples on each mode, float64 [K]; all zero without high-quality samples."""
        counts = self.counts
        return counts / max(1, counts.sum())

    @property
    def kl_to_uniform(self) -> float:
        """KL(histogram ‖ uniform) in nats: 0 for balanced modes, log K for a single one; NaN without such samples."""
        if not self.high_quality.any():
            return math.nan
        return classifier_score.histogram_kl(self.counts, np.ones(self.num_modes))


def mode_counts(samples, modes, std, num_std=3.0, min_share=0.01) -> ModeCounts:
    """Assigns samples to their nearest modes.

    A mode counts as found if it has at least `min_share · n / K` high-quality samples, and at least one. The papers
    require one sample of 2,500 with 25 modes, which is the default's 1 % of n / K. Unlike a fixed count, the share does
    not get easier with more samples. `min_share=0` is the papers' rule, one sample, at any n.

    Args:
      samples: [n, d], n ≥ 1.
      modes: [K, d], the centres.
      std: standard deviation of the modes: a number, or [K].
      num_std: radius of high quality around a mode, in standard deviations.
      min_share: as above.

    Returns:
      `ModeCounts`.

    Raises:
      ValueError: on wrong shapes, or samples or modes that are not finite.
    """
    samples, modes = _points(samples, "samples"), _points(modes, "modes")
    if samples.shape[1] != modes.shape[1]:
        raise ValueError(f"samples have shape {samples.shape} and modes {modes.shape}, expected [n, d] and [K, d]")
    distances = scipy.spatial.distance.cdist(samples, modes)
    nearest = distances.argmin(axis=1)
    radius = num_std * np.broadcast_to(np.asarray(std, np.float64), (len(modes),))
    high_quality = distances[np.arange(len(samples)), nearest] <= radius[nearest]
    min_count = max(1, math.ceil(min_share * len(samples) / len(modes)))
    return ModeCounts(nearest, high_quality, min_count, len(modes))


@dataclasses.dataclass(frozen=True)
class LogLikelihood:
    """Exact log-likelihood of samples.

    Attributes:
      per_sample: float64 [n], in nats; -inf outside the support.
    """

    per_sample: np.ndarray

    @property
    def mean(self) -> float:
        """Mean over all samples: -inf as soon as one lies outside the support."""
        return float(self.per_sample.mean())

    @property
    def share_in_support(self) -> float:
        """Share of samples with positive density."""
        return float(np.isfinite(self.per_sample).mean())

    @property
    def mean_in_support(self) -> float:
        """Mean over the samples inside the support; NaN where there is none."""
        inside = self.per_sample[np.isfinite(self.per_sample)]
        return float(inside.mean()) if len(inside) else math.nan


def log_likelihood(samples, log_density) -> LogLikelihood:
    """Log-likelihood of samples under the data's exact density.

    Args:
      samples: [n, d].
      log_density: function of points [n, d] that returns [n] in nats.

    Returns:
      `LogLikelihood`.

    Raises:
      ValueError: where `log_density` returns another shape or NaN.
    """
    samples = _points(samples, "samples")
    values = np.asarray(log_density(samples), np.float64)
    if values.shape != (len(samples),) or np.isnan(values).any():
        raise ValueError(f"log_density returned shape {values.shape} (or NaN), expected [{len(samples)}] numbers")
    return LogLikelihood(values)


def sliced_wasserstein(x, y, p=2, num_projections=128, seed=0) -> float:
    """Sliced Wasserstein distance (mean over directions θ of W_p(θ·x, θ·y)^p)^(1/p).

    Rabin et al. 2011, "Wasserstein Barycenter and its Application to Texture Mixing". Each one-dimensional distance is
    exact, from the integral of |difference of the quantile functions|^p.

    Args:
      x: [n, d].
      y: [m, d]; m may differ from n.
      p: order, ≥ 1.
      num_projections: directions drawn uniformly from the sphere.
      seed: seeds them.

    Returns:
      A float ≥ 0, in the data's unit.
    """
    x, y = _pair(x, y)
    directions = np.random.default_rng(seed).normal(size=(x.shape[1], num_projections))
    directions /= np.linalg.norm(directions, axis=0)
    # Sorting along the contiguous axis is much faster.
    x_sorted, y_sorted = np.sort(directions.T @ x.T, axis=1), np.sort(directions.T @ y.T, axis=1)
    # Both quantile functions are constant between consecutive multiples of 1/n and 1/m. In integer units of 1/nm,
    # coinciding multiples are exactly equal.
    n, m = len(x), len(y)
    edges = np.union1d(np.arange(n + 1) * m, np.arange(m + 1) * n)
    widths, starts = np.diff(edges) / (n * m), edges[:-1]
    gaps = np.abs(x_sorted[:, starts // m] - y_sorted[:, starts // n]) ** p
    return float((gaps @ widths).mean() ** (1.0 / p))


def sliced_wasserstein_interval(x, y, splits=20, level=0.95, seed=0) -> intervals.Interval:
    """Sliced Wasserstein-2 distance, with an interval over the sampling of both sets (root of the square's interval).

    The interval covers the expected distance at these numbers of points, which is above 0 even for equal distributions.

    Args:
      x, y: as in `sliced_wasserstein`.
      splits, level, seed: as in `discrepancy_interval`.

    Returns:
      An `Interval`.
    """
    x, y = _pair(x, y)
    return intervals.discrepancy_interval(
        lambda x_index, y_index: sliced_wasserstein(x[x_index], y[y_index]) ** 2, (len(x), len(y)), splits, level, seed
    ).mapped(math.sqrt)


def mode_divergence_interval(found: ModeCounts, level=0.95, seed=0) -> intervals.Interval:
    """`kl_to_uniform` in nats with its interval, at a fixed number of high-quality samples.

    Args:
      found: `ModeCounts` with at least one high-quality sample.
      level, seed: as in `discrepancy_interval`.

    Returns:
      An `Interval`.
    """
    on_modes = found.nearest[found.high_quality]

    def statistic(index):
        counts = np.bincount(on_modes[index], minlength=found.num_modes)
        return classifier_score.histogram_kl(counts, np.ones(found.num_modes))

    return intervals.discrepancy_interval(statistic, (len(on_modes),), level=level, seed=seed)


def exact_wasserstein(x, y, p=1) -> float:
    """Exact Wasserstein distance W_p with the Euclidean ground cost, between sets of equal size.

    For uniform weights on equally many points an optimal plan is a permutation (Birkhoff). The Hungarian method finds
    it in O(n³), some seconds for 2,000 points.

    Args:
      x, y: [n, d] both.
      p: order, ≥ 1; 1 and 2 are the usual ones.

    Returns:
      (min over permutations π of mean ‖x_i - y_π(i)‖^p)^(1/p), a float ≥ 0.

    Raises:
      ValueError: where the sizes differ.
    """
    x, y = _pair(x, y)
    if len(x) != len(y):
        raise ValueError(f"sets of {len(x)} and {len(y)} points: the exact distance takes equal sizes")
    cost = scipy.spatial.distance.cdist(x, y) ** p
    rows, columns = scipy.optimize.linear_sum_assignment(cost)
    return float(cost[rows, columns].mean() ** (1.0 / p))


def _points(points, name):
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or len(points) == 0 or not np.isfinite(points).all():
        raise ValueError(f"{name} have shape {points.shape}, expected finite points [n, d] with n ≥ 1")
    return points


def _pair(x, y):
    x, y = _points(x, "x"), _points(y, "y")
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"x has shape {x.shape} and y {y.shape}, expected [n, d] and [m, d]")
    return x, y
