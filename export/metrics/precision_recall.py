"""Separate metrics of fidelity and diversity: improved precision and recall, density and coverage.

Kynkäänniemi et al. 2019, "Improved Precision and Recall Metric for Assessing Generative Models", equations 1 and 2:
precision is the share of samples inside the data's manifold, recall the share of data inside the samples' manifold. A
manifold is the union of balls around its points, each with the distance to the k-th nearest neighbour as radius.

Naeem et al. 2020, "Reliable Fidelity and Diversity Metrics for Generative Models", equations 3 and 4: density is the
mean number of data balls around a sample, divided by k; coverage is the share of data whose ball contains a sample.
Outliers in the data inflate precision, outliers in the samples recall; density and coverage suffer less.

Salvy et al. 2025, "Enhanced Generative Model Evaluation with Clipped Density and Coverage" (arXiv 2507.01761): clipped
density and clipped coverage bound what each point and each ball contributes and are calibrated, so that both fall
linearly with the share of bad samples. Clipped density is that of balls no larger than the median one, at most 1 a
sample, in proportion to what the data's own points reach. Clipped coverage counts up to k samples in each data ball; it
is the share of good samples, among as many, that is expected to fill the balls as much. Both follow the paper's code,
but for closed balls throughout and a calibration that is interpolated between whole numbers of samples.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import scipy.special

from export.metrics import balls, distances, intervals

_MANY, _SPLITS, _SPLITS_MANY = 5000, 8, 4
_SHARE_CAVEAT = (
    "Covered 91 % for precision and recall of Gaussians 2.8 standard deviations apart in 8 dimensions, 99.5 % where "
    "fewer than ten points miss 0 or 1."
)

_CUT_CAVEAT = (
    "Covered 90 % for equal distributions of 120 points in 24 dimensions, where one value in four is cut at 1 and one "
    "draw in twenty has no interval."
)


@dataclasses.dataclass(frozen=True)
class ManifoldMetrics:
    """The six metrics and their terms for each point, of whose means they are functions.

    Attributes:
      sample_in_data: bool [m]: the sample lies in the data's manifold.
      data_in_samples: bool [n]: the data point lies in the samples' manifold.
      sample_density: float64 [m]: number of the data's balls around the sample, divided by k.
      data_covered: bool [n]: the data point's ball holds a sample.
      sample_clipped_density: float64 [m]: number of the data's balls around the sample, none larger than the median
        one, divided by k and at most 1.
      data_clipped_density: float64 [n]: the same of the data's points, each without its own ball.
      data_clipped_coverage: float64 [n]: number of samples in the data point's ball, divided by k and at most 1.
      neighbours_precision_recall: k of precision and recall.
      neighbours_density_coverage: k of density and coverage.
    """

    sample_in_data: np.ndarray
    data_in_samples: np.ndarray
    sample_density: np.ndarray
    data_covered: np.ndarray
    sample_clipped_density: np.ndarray
    data_clipped_density: np.ndarray
    data_clipped_coverage: np.ndarray
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

    @property
    def clipped_density(self) -> float:
        """In [0, 1]; about the share of good samples, 1 where the distributions agree."""
        return min(1.0, self.unclipped_density)

    @property
    def clipped_coverage(self) -> float:
        """In [0, 1]; about the share of good samples, 1 where the distributions agree."""
        return min(1.0, self.unclipped_coverage)

    @property
    def unclipped_density(self) -> float:
        """`clipped_density` before it is cut at 1, which chance exceeds where the distributions agree."""
        return float(self.sample_clipped_density.mean() / self.data_clipped_density.mean())

    @property
    def unclipped_coverage(self) -> float:
        """`clipped_coverage` before it is cut at 1; beyond it, the calibration's last slope goes on."""
        n, m = len(self.data_clipped_coverage), len(self.sample_in_data)
        expected = expected_clipped_coverage(n, m, self.neighbours_density_coverage)
        found = float(self.data_clipped_coverage.mean())
        if found <= expected[-1]:
            return float(np.interp(found, expected, np.arange(m + 1) / m))
        return float(1.0 + (found - expected[-1]) / (expected[-1] - expected[-2]) / m)

    def values(self) -> dict[str, float]:
        """The metrics by name."""
        return {name: getattr(self, name) for name in NAMES}


#: Names of the metrics, in the order of a report.
NAMES = ("precision", "recall", "density", "coverage", "clipped_density", "clipped_coverage")


def expected_clipped_coverage(n, m, k):
    """Mean of min(J, k) / k, J being how many of j good samples lie in one data ball (Salvy et al. 2025).

    For good samples J has the beta-binomial distribution with parameters j, k and n - k, whatever the distribution of
    the data.

    Args:
      n: number of data points.
      m: number of samples.
      k: neighbours that make a ball; k < n.

    Returns:
      float64 [m + 1], for j = 0, …, m; increasing.
    """
    j = np.arange(m + 1.0)
    missing = np.zeros(m + 1)  # mean of max(0, k - J)
    for t in range(k):
        # log of the probability that J = t; there are no t among fewer than t.
        with np.errstate(invalid="ignore", divide="ignore"):
            log_choose = -np.log1p(j) - scipy.special.betaln(np.maximum(j - t, 0) + 1.0, t + 1.0)
        log_share = scipy.special.betaln(k + t, n - k + np.maximum(j - t, 0)) - scipy.special.betaln(k, n - k)
        missing += np.where(j >= t, (k - t) * np.exp(log_choose + log_share), 0.0)
    return 1.0 - missing / k


def manifold_metrics(real, samples, neighbours_precision_recall=5, neighbours_density_coverage=5) -> ManifoldMetrics:
    """Precision, recall, density, coverage, clipped density and clipped coverage of samples against data.

    Balls are closed: a point lies in a ball if its distance is at most the radius, as in both papers. A point is not
    among its own k neighbours. Distances are those of float64 (`export.metrics.balls.counts`).

    Args:
      real: [n, d] features of the data.
      samples: [m, d] features of the samples.
      neighbours_precision_recall: k of precision and recall. The first paper uses 3; the second, and the field since,
        compares all four metrics at 5.
      neighbours_density_coverage: k of density and coverage; the second paper's is 5.

    Returns:
      A `ManifoldMetrics`.

    Raises:
      ValueError: where k < 1, a set has at most k points, the widths differ, or a feature is not finite.
    """
    real, samples = distances.checked(real, samples)
    k_first, k_second = neighbours_precision_recall, neighbours_density_coverage
    if min(k_first, k_second) < 1 or len(real) <= max(k_first, k_second) or len(samples) <= k_first:
        raise ValueError(
            f"{len(real)} data and {len(samples)} samples: expected more than k = {k_first} and {k_second}"
        )
    counts = balls.counts(real, samples, k_first, k_second)
    return ManifoldMetrics(
        counts.sample_in_data,
        counts.data_in_samples,
        sample_density=counts.around_sample / k_second,
        data_covered=counts.samples_inside > 0,
        sample_clipped_density=np.minimum(counts.clipped_around_sample / k_second, 1.0),
        data_clipped_density=np.minimum(counts.clipped_around_data / k_second, 1.0),
        data_clipped_coverage=np.minimum(counts.samples_inside / k_second, 1.0),
        neighbours_precision_recall=k_first,
        neighbours_density_coverage=k_second,
    )


def manifold_intervals(
    real,
    samples,
    splits=None,
    level=0.95,
    seed=0,
    neighbours_precision_recall=5,
    neighbours_density_coverage=5,
) -> dict[str, intervals.Interval]:
    """Intervals of the four metrics over the sampling of data and samples, and so of both manifolds.

    The variance comes from random halves of both sets (`export.metrics.intervals`). It is that of the arcsine of the
    root for shares and of the logarithm for density, which changes least where the metric itself depends on the number
    of points. A share's interval is Wilson's for the number of independent points with the same variance (Korn &
    Graubard 1998). Density's is Student's t of its logarithm. Those of clipped density and clipped coverage are
    Student's t of the values before they are cut at 1, and cut then.

    Args:
      real, samples, neighbours_precision_recall, neighbours_density_coverage: as in `manifold_metrics`.
      splits: number of random splits, each at half the cost of `manifold_metrics`. None: 8, or 4 for more than 5,000
        points.
      level: in (0, 1).
      seed: of the splits.

    Returns:
      Dict with an `Interval` for each of `NAMES`; without ends for fewer than max(40, 2k + 2) points in a set, for a
      density of 0, even on a single half, and where the whole interval of a clipped metric lies above 1.
    """
    real, samples = np.asarray(real), np.asarray(samples)
    ks = {
        "neighbours_precision_recall": neighbours_precision_recall,
        "neighbours_density_coverage": neighbours_density_coverage,
    }
    found = manifold_metrics(real, samples, **ks)
    values, unclipped = found.values(), _unclipped(found)
    fewest = max(intervals.FEWEST, 2 * max(neighbours_precision_recall, neighbours_density_coverage) + 2)
    if min(len(real), len(samples)) < fewest:
        return {name: intervals.absent(value, f"fewer than {fewest} examples") for name, value in values.items()}

    sizes = (len(real), len(samples))
    splits = splits or (_SPLITS_MANY if max(sizes) > _MANY else _SPLITS)

    def statistic(real_index, samples_index):
        found = manifold_metrics(real[real_index], samples[samples_index], **ks)
        return list((found.values() | _unclipped(found)).values())

    of_halves = intervals.halves(statistic, sizes, splits, seed)
    result = {}
    for position, (name, value) in enumerate(values.items()):
        on_halves = of_halves[..., position]
        if name == "density":
            result[name] = _density_interval(value, on_halves, level)
            continue
        if name in unclipped:
            result[name] = _clipped_interval(unclipped[name], on_halves, level)
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


def _unclipped(found):
    return {"clipped_density": found.unclipped_density, "clipped_coverage": found.unclipped_coverage}


def _clipped_interval(value, on_halves, level):
    variance = float(intervals.variance_from_halves(on_halves))
    found = intervals.normal_interval(value, variance, level, len(on_halves))
    if found.low is not None and found.low >= 1.0:
        return intervals.absent(1.0, "the whole interval would lie above 1, where the value is cut")
    return dataclasses.replace(found.mapped(lambda end: min(max(end, 0.0), 1.0)), caveat=_CUT_CAVEAT)
