"""Separate metrics of fidelity and diversity: improved precision and recall, density and coverage.

Kynkäänniemi et al. 2019, "Improved Precision and Recall Metric for Assessing Generative Models", equations 1 and 2:
precision is the share of samples inside the data's manifold, recall the share of data inside the samples' manifold. A
manifold is the union of balls around its points, each with the distance to the k-th nearest neighbour as radius.

Naeem et al. 2020, "Reliable Fidelity and Diversity Metrics for Generative Models", equations 3 and 4: density is the
mean number of data balls around a sample, divided by k; coverage is the share of data whose ball contains a sample.
Outliers in the data inflate precision, outliers in the samples recall; density and coverage suffer less.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from export.metrics import intervals

_MANY, _SPLITS, _SPLITS_MANY = 5000, 8, 4
_SHARE_CAVEAT = (
    "Covered 91 % for precision and recall of Gaussians 2.8 standard deviations apart in 8 dimensions, 99.5 % where "
    "fewer than ten points miss 0 or 1."
)


@dataclasses.dataclass(frozen=True)
class ManifoldMetrics:
    """The four metrics and their terms for each point, of which they are the means.

    Attributes:
      sample_in_data: bool [m]: the sample lies in the data's manifold.
      data_in_samples: bool [n]: the data point lies in the samples' manifold.
      sample_density: float64 [m]: number of the data's balls around the sample, divided by k.
      data_covered: bool [n]: the data point's ball holds a sample.
      neighbours_precision_recall: k of precision and recall.
      neighbours_density_coverage: k of density and coverage.
    """

    sample_in_data: np.ndarray
    data_in_samples: np.ndarray
    sample_density: np.ndarray
    data_covered: np.ndarray
    neighbours_precision_recall: int
    neighbours_density_coverage: int

    @property
    def precision(self) -> float:
        """In [0, 1]."""
        return float(self.sample_in_data.mean())

    @property
    def recall(self) -> float:
        """In [0, 1]."""
        return float(self.data_in_samples.mean())

    @property
    def density(self) -> float:
        """At least 0, may exceed 1; its expectation is 1 for samples from the data's distribution."""
        return float(self.sample_density.mean())

    @property
    def coverage(self) -> float:
        """In [0, 1]; its expectation is 1 - ((n-1)…(n-k)) / ((m+n-1)…(m+n-k)) for equal distributions."""
        return float(self.data_covered.mean())

    def values(self) -> dict[str, float]:
        """The four metrics by name."""
        return {name: getattr(self, name) for name in ("precision", "recall", "density", "coverage")}


def manifold_metrics(
    real, samples, neighbours_precision_recall=5, neighbours_density_coverage=5, chunk=512
) -> ManifoldMetrics:
    """Precision, recall, density and coverage of samples against data.

    Balls are closed: a point lies in a ball if its distance is at most the radius, as in both papers. A point is not
    among its own k neighbours.

    Args:
      real: [n, d] features of the data.
      samples: [m, d] features of the samples.
      neighbours_precision_recall: k of precision and recall. The first paper uses 3; the second, and the field since,
        compares all four metrics at 5.
      neighbours_density_coverage: k of density and coverage; the second paper's is 5.
      chunk: rows of the distance matrices in memory at a time; they take about 4 · chunk · max(n, m) · 8 bytes.

    Returns:
      A `ManifoldMetrics`.

    Raises:
      ValueError: where k < 1, a set has at most k points, the widths differ, or a feature is not finite.
    """
    real, samples = np.asarray(real, np.float64), np.asarray(samples, np.float64)
    if real.ndim != 2 or samples.ndim != 2 or real.shape[1] != samples.shape[1]:
        raise ValueError(f"features have shapes {real.shape} and {samples.shape}, expected [n, d] and [m, d]")
    k_first, k_second = neighbours_precision_recall, neighbours_density_coverage
    if min(k_first, k_second) < 1 or len(real) <= max(k_first, k_second) or len(samples) <= k_first:
        raise ValueError(
            f"{len(real)} data and {len(samples)} samples: expected more than k = {k_first} and {k_second}"
        )
    if not (np.isfinite(real).all() and np.isfinite(samples).all()):
        raise ValueError("features hold values that are not finite")
    # Distances come from inner products; centring leaves them unchanged and reduces rounding errors.
    centre = real.mean(axis=0)
    real, samples = real - centre, samples - centre
    real_first, real_second = _neighbour_distances(real, (k_first, k_second), chunk)
    (samples_first,) = _neighbour_distances(samples, (k_first,), chunk)

    sample_in_data = np.zeros(len(samples), bool)
    data_in_samples = np.zeros(len(real), bool)
    balls = np.zeros(len(samples), np.int64)
    data_covered = np.zeros(len(real), bool)
    for start, squared in _squared_distances(real, samples, chunk):
        rows = slice(start, start + len(squared))
        sample_in_data |= (squared <= real_first[rows, None]).any(axis=0)
        data_in_samples[rows] = (squared <= samples_first).any(axis=1)
        inside = squared <= real_second[rows, None]
        balls += inside.sum(axis=0)
        data_covered[rows] = inside.any(axis=1)
    return ManifoldMetrics(sample_in_data, data_in_samples, balls / k_second, data_covered, k_first, k_second)


def manifold_intervals(
    real,
    samples,
    splits=None,
    level=0.95,
    seed=0,
    neighbours_precision_recall=5,
    neighbours_density_coverage=5,
    chunk=512,
) -> dict[str, intervals.Interval]:
    """Intervals of the four metrics over the sampling of data and samples, and so of both manifolds.

    The variance comes from random halves of both sets (`export.metrics.intervals`). It is that of the arcsine of the
    root for shares and of the logarithm for density, which changes least where the metric itself depends on the number
    of points. A share's interval is Wilson's for the number of independent points with the same variance (Korn &
    Graubard 1998). Density's is Student's t of its logarithm.

    Args:
      real, samples, neighbours_precision_recall, neighbours_density_coverage, chunk: as in `manifold_metrics`.
      splits: number of random splits, each at half the cost of `manifold_metrics`. None: 8, or 4 for more than 5,000
        points.
      level: in (0, 1).
      seed: of the splits.

    Returns:
      Dict with an `Interval` for each of "precision", "recall", "density" and "coverage"; without ends for fewer than
      max(40, 2k + 2) points in a set, and for a density of 0, even on a single half.
    """
    real, samples = np.asarray(real), np.asarray(samples)
    ks = {
        "neighbours_precision_recall": neighbours_precision_recall,
        "neighbours_density_coverage": neighbours_density_coverage,
        "chunk": chunk,
    }
    values = manifold_metrics(real, samples, **ks).values()
    fewest = max(intervals.FEWEST, 2 * max(neighbours_precision_recall, neighbours_density_coverage) + 2)
    if min(len(real), len(samples)) < fewest:
        return {name: intervals.absent(value, f"fewer than {fewest} examples") for name, value in values.items()}

    sizes = (len(real), len(samples))
    splits = splits or (_SPLITS_MANY if max(sizes) > _MANY else _SPLITS)

    def statistic(real_index, samples_index):
        found = manifold_metrics(real[real_index], samples[samples_index], **ks).values()
        return list(found.values())

    of_halves = intervals.halves(statistic, sizes, splits, seed)
    result = {}
    for position, (name, value) in enumerate(values.items()):
        on_halves = of_halves[..., position]
        if name == "density":
            result[name] = _density_interval(value, on_halves, level)
            continue
        variance = float(intervals.variance_from_halves(np.arcsin(np.sqrt(on_halves))))
        count = len(samples) if name == "precision" else len(real)
        # arcsin(√p) of a share p of n independent points has the variance 1 / 4n.
        effective = min(count, 0.25 / variance) if variance > 0.0 else count
        found = intervals.share_interval(value, effective, level, splits)
        result[name] = dataclasses.replace(found, caveat=_SHARE_CAVEAT)
    return result


def _density_interval(value, on_halves, level):
    if not on_halves.min() > 0.0:
        return intervals.absent(value, "the value is 0 on half of the examples")
    variance = float(intervals.variance_from_halves(np.log(on_halves)))
    return intervals.normal_interval(math.log(value), variance, level, len(on_halves)).mapped(math.exp)


def _squared_distances(x, y, chunk):
    """Yields (start, float64 [chunk, m]): squared distances of the rows x[start : start + chunk] to all of y."""
    x_norms, y_norms = np.einsum("nd,nd->n", x, x), np.einsum("nd,nd->n", y, y)
    # ‖x‖² + ‖y‖² - 2 x·y below this resolution is rounding error. Setting it to zero keeps copies of a point at
    # distance 0, so that they lie in one another's balls even if the radius is 0.
    resolution = x.shape[1] * np.finfo(np.float64).eps
    for start in range(0, len(x), chunk):
        rows = slice(start, start + chunk)
        squared = x[rows] @ y.T
        squared *= -2.0
        norms = x_norms[rows, None] + y_norms
        squared += norms
        norms *= resolution
        squared[squared < norms] = 0.0
        yield start, squared


def _neighbour_distances(points, ks, chunk):
    """Squared distances to the k-th nearest other point, float64 [len(ks), n]."""
    largest = max(ks)
    result = np.empty((len(ks), len(points)))
    for start, squared in _squared_distances(points, points, chunk):
        squared[np.arange(len(squared)), start + np.arange(len(squared))] = np.inf
        nearest = np.sort(np.partition(squared, largest - 1, axis=1)[:, :largest], axis=1)
        for row, k in enumerate(ks):
            result[row, start : start + len(squared)] = nearest[:, k - 1]
    return result
