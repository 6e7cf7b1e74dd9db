"""Support size by the birthday paradox: how many different samples there are, from the duplicates among few.

Arora & Zhang 2017, "Do GANs actually learn the distribution? An empirical study": if a batch of s samples is likely to
hold a duplicate, the support has about s² elements or fewer. Here pairs are counted, not whether there is one: of
n independent samples the expected share of pairs that are equal is Σ pᵢ², whose inverse is the support's size for an
even distribution, and its effective size (Rényi's of order 2) for any other. Samples of a continuous distribution are
never equal: what lies nearer than a threshold counts as a duplicate. In the paper a person decides; here the threshold
is the distance within which 1 % of the data's own examples have another one.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from export.metrics import distances, intervals

#: Share of the data's examples whose nearest other one lies within `duplicate_threshold`.
QUANTILE = 0.01


@dataclasses.dataclass(frozen=True)
class DuplicatePairs:
    """Near-duplicates among points.

    Attributes:
      degrees: int64 [n], number of duplicates of each point.
      threshold: distance up to which points are duplicates.
      closest: int64 [≤ asked, 2], the nearest pairs, duplicates or not, from the nearest on.
      closest_distances: float64, their distances.
    """

    degrees: np.ndarray
    threshold: float
    closest: np.ndarray
    closest_distances: np.ndarray

    @property
    def count(self) -> int:
        """Number of pairs of duplicates."""
        return int(self.degrees.sum()) // 2

    @property
    def support_size(self) -> float:
        """n (n - 1) / 2 pairs divided by those of duplicates; infinite without any."""
        n = len(self.degrees)
        return n * (n - 1) / 2 / self.count if self.count else math.inf

    def interval(self, level=0.95) -> intervals.Interval:
        """Interval of `support_size`.

        The pairs of an even distribution are nearly a Poisson count c, whose exact interval is Garwood's (1936). Of an
        uneven one the count's variance is larger: Hoeffding's (1948) for U-statistics, estimated from the points'
        degrees. The interval is Garwood's for the count that is as sure, c² / variance.

        Args:
          level: in (0, 1).

        Returns:
          An `Interval`, without ends where there are no duplicates, or nothing else.
        """
        import scipy.stats  # Imported here because it takes most of a second, which would slow down --help.

        if not 0.0 < level < 1.0:
            raise ValueError(f"level is {level}, expected 0 < level < 1")
        n, count = len(self.degrees), self.count
        pairs = n * (n - 1) / 2
        if not count:
            most = pairs / scipy.stats.chi2.ppf((1.0 + level) / 2.0, 2) * 2.0
            reason = f"no two of {n} are near-duplicates, which speaks for a support of more than {most:.3g}"
            return intervals.absent(math.inf, reason)
        if count == pairs:
            return intervals.absent(1.0, "all samples are near-duplicates of one another")
        share = count / pairs
        shared = float((self.degrees * (self.degrees - 1.0)).sum()) / (n * (n - 1.0) * max(1, n - 2))
        uneven = max(0.0, shared - share**2)
        variance = pairs * share * (1.0 - share) + n * (n - 1.0) * (n - 2.0) * uneven
        sure = count**2 / variance
        tail = (1.0 - level) / 2.0
        low = scipy.stats.chi2.ppf(tail, 2.0 * sure) / (2.0 * sure)
        high = scipy.stats.chi2.ppf(1.0 - tail, 2.0 * sure + 2.0) / (2.0 * sure)
        size = self.support_size
        return intervals.Interval(size, float(size / high), float(size / low), level, "garwood")


def duplicate_threshold(examples) -> float:
    """The distance within which 1 % of the data's examples have another one.

    Args:
      examples: [n, d], as many as there will be samples: nearest distances fall with their number.

    Returns:
      The 0.01-quantile of the distances to the nearest other example.
    """
    examples, _ = distances.centred(examples, examples)
    squared, _ = distances.nearest(examples, examples, same=True)
    return float(np.quantile(np.sqrt(squared[:, 0]), QUANTILE))


def duplicate_pairs(points, threshold, closest=8, chunk=distances.CHUNK) -> DuplicatePairs:
    """Counts the pairs of points that are not further apart than a threshold.

    Args:
      points: [n, d], n ≥ 2.
      threshold: distance.
      closest: how many of the nearest pairs to keep.
      chunk: rows of the distance matrix in memory at a time.

    Returns:
      `DuplicatePairs`.

    Raises:
      ValueError: on another shape, or points that are not finite.
    """
    points, _ = distances.centred(points, points)
    degrees = np.zeros(len(points), np.int64)
    best, best_pairs = np.empty(0), np.empty((0, 2), np.int64)
    for start, squared in distances.squared_distances(points, points, chunk):
        index = start + np.arange(len(squared))
        squared[np.arange(len(squared)), index] = np.inf
        degrees[index] = (squared <= threshold**2).sum(axis=1)
        # Each pair once: from the row of its lower index.
        squared[index[:, None] > np.arange(len(points))] = np.inf
        count = min(closest, squared.size)
        flat = np.argpartition(squared, count - 1, axis=None)[:count]
        best = np.concatenate([best, squared.ravel()[flat]])
        rows, columns = np.unravel_index(flat, squared.shape)
        best_pairs = np.concatenate([best_pairs, np.stack([start + rows, columns], axis=1)])
        order = np.argsort(best, kind="stable")[:closest]
        best, best_pairs = best[order], best_pairs[order]
    real = np.isfinite(best)
    return DuplicatePairs(degrees, float(threshold), best_pairs[real], np.sqrt(best[real]))
