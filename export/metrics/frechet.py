"""Fréchet distance between Gaussian fits of two sets of features.

Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", equation 6:
d² = ‖m_a - m_b‖² + tr(A + B - 2 (AB)^½). With Inception features it is called FID. The number depends on the features
and, through its bias, on the number of samples: compare only what shares both.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
import threadpoolctl

from export.metrics import intervals

_WIDE, _SPLITS, _SPLITS_WIDE = 512, 20, 10


class GaussianStatistics:
    """Mean and covariance of features that arrive in batches, in float64.

    Batches are joined by the pairwise update of Chan, Golub & LeVeque 1983, so that the result does not lose digits
    when the mean is large beside the spread, and does not depend on the split beyond rounding.

    Args:
      dim: width d of the features.

    Attributes:
      dim: as given.
      count: number of samples so far.
      mean: float64 [d].
      covariance: float64 [d, d], unbiased (divided by count - 1).
    """

    def __init__(self, dim: int):
        self.dim = int(dim)
        self.count = 0
        self._mean = np.zeros(self.dim)
        self._scatter = np.zeros((self.dim, self.dim))

    @classmethod
    def from_features(cls, features) -> GaussianStatistics:
        """The statistics of one array: features [n, d]."""
        features = np.asarray(features)
        if features.ndim != 2:
            raise ValueError(f"features have shape {features.shape}, expected [n, d]")
        return cls(features.shape[1]).update(features)

    def update(self, features) -> GaussianStatistics:
        """Adds a batch.

        Args:
          features: [n, d], any real dtype; n may be 0.

        Returns:
          self.

        Raises:
          ValueError: on another shape, or on a feature that is not finite.
        """
        features = np.asarray(features, np.float64)
        if features.ndim != 2 or features.shape[1] != self.dim:
            raise ValueError(f"features have shape {features.shape}, expected [n, {self.dim}]")
        if not np.isfinite(features).all():
            raise ValueError(f"features hold {np.count_nonzero(~np.isfinite(features))} values that are not finite")
        if len(features):
            mean = features.mean(axis=0)
            centred = features - mean
            self._join(len(features), mean, centred.T @ centred)
        return self

    def merge(self, other: GaussianStatistics) -> GaussianStatistics:
        """Adds the samples that another instance has seen; returns self. Raises ValueError where the widths differ."""
        if other.dim != self.dim:
            raise ValueError(f"statistics of width {other.dim} cannot join those of width {self.dim}")
        if other.count:
            self._join(other.count, other._mean, other._scatter)
        return self

    def _join(self, count, mean, scatter):
        total = self.count + count
        step = mean - self._mean
        self._scatter = self._scatter + scatter + np.outer(step, step) * (self.count * count / total)
        self._mean = self._mean + step * (count / total)
        self.count = total

    @property
    def mean(self) -> np.ndarray:
        if self.count < 1:
            raise ValueError("no samples yet: a mean needs at least 1")
        return self._mean.copy()

    @property
    def covariance(self) -> np.ndarray:
        if self.count < 2:
            raise ValueError(f"{self.count} samples: a covariance needs at least 2")
        return self._scatter / (self.count - 1)


def frechet_distance(a: GaussianStatistics, b: GaussianStatistics) -> float:
    """Squared Fréchet distance between the two Gaussian fits; float64, ≥ 0, never NaN.

    Equals `gaussian_frechet_distance` of their means and covariances.
    """
    return gaussian_frechet_distance(a.mean, a.covariance, b.mean, b.covariance)


def gaussian_frechet_distance(mean_a, covariance_a, mean_b, covariance_b) -> float:
    """‖m_a - m_b‖² + tr(A) + tr(B) - 2 tr(A^½ B A^½)^½ (Dowson & Landau 1982; Heusel et al. 2017, equation 6).

    tr(A^½ B A^½)^½ is the sum of the singular values of A^½ B^½. With the factors taken from the eigenvectors of A
    and of B inside their numerical ranges, no square root is ever taken of a rounding error, so singular covariances
    (fewer samples than features, features that are always zero) need no multiple of the identity.

    Args:
      mean_a, mean_b: [d].
      covariance_a, covariance_b: [d, d], symmetric, positive semi-definite.

    Returns:
      The squared distance as a Python float. A value below zero can only be rounding and is returned as 0.0.
    """
    mean_a, mean_b = np.asarray(mean_a, np.float64), np.asarray(mean_b, np.float64)
    covariance_a, covariance_b = np.asarray(covariance_a, np.float64), np.asarray(covariance_b, np.float64)
    cross = _factor(covariance_a).T @ _factor(covariance_b)
    fidelity = scipy.linalg.svdvals(cross).sum() if cross.size else 0.0
    difference = mean_a - mean_b
    return max(0.0, float(difference @ difference + np.trace(covariance_a) + np.trace(covariance_b) - 2.0 * fidelity))


def frechet_interval(a, b, splits=None, level=0.95, seed=0) -> intervals.Interval:
    """Fréchet distance of two sets of features with its interval, in which both sets vary.

    The distance of two finite samples is biased upwards. The interval covers the expected distance at these numbers of
    samples, bias included, not the distance of the distributions (`export.metrics.intervals`).

    At InceptionV3's width, 2,048 features of variance 1/i, 97 % of 100 intervals held the expectation for equal
    distributions and 96 % for others (1,000 samples), 97.5 % of 80 for others at 2,000 samples. With more samples than
    features, 1,465 of 600, 96 % of 100 did for equal distributions and 92 % for others.

    Args:
      a: [n, d].
      b: [m, d].
      splits: number of random halves; each decomposes four d×d matrices. None: 20, or 10 for more than 512 features,
        where a decomposition takes seconds.
      level, seed: as in `discrepancy_interval`.

    Returns:
      An `Interval`.
    """
    a, b = np.asarray(a), np.asarray(b)
    wide = a.shape[1] > _WIDE

    def statistic(a_index, b_index):
        return frechet_distance(
            GaussianStatistics.from_features(a[a_index]), GaussianStatistics.from_features(b[b_index])
        )

    splits = splits or (_SPLITS_WIDE if wide else _SPLITS)
    # Small decompositions gain nothing from threads, and on a machine with other work BLAS threads waiting for one
    # another make them fifty times slower (measured).
    with threadpoolctl.threadpool_limits(None if wide else 1, user_api="blas"):
        return intervals.discrepancy_interval(statistic, (len(a), len(b)), splits, level, seed)


def _factor(covariance):
    """F [d, rank] with F Fᵀ = covariance: eigenvectors of the numerical range, each times the root of its value."""
    values, vectors = np.linalg.eigh(covariance)
    # The usual threshold of a numerical rank: eigenvalues below it cannot be told from the rounding of the others.
    inside = values > max(values[-1], 0.0) * len(values) * np.finfo(np.float64).eps
    return vectors[:, inside] * np.sqrt(values[inside])
