"""Number of statistically different bins: parts of the data that samples fall into too often or too rarely.

Richardson & Weiss 2018, "On GANs and GMMs", section 3: the training examples are divided into K bins by k-means;
samples go to the nearest centre. A bin whose share of the samples differs from its share of the training examples by a
two-proportion z-test at 5 % counts as different. Of samples from the data's own distribution 5 % of the bins are.
The test sees smaller differences the more samples there are: compare only counts with as many.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.special

from export.metrics import distances, intervals

#: Two-sided significance of a bin's test.
SIGNIFICANCE = 0.05
#: The paper's number of bins, where there are enough examples for `_FEWEST` a bin on average.
_BINS, _FEWEST = 100, 20
_ITERATIONS = 50


@dataclasses.dataclass(frozen=True)
class Bins:
    """Bins of training examples.

    Attributes:
      centres: float64 [K, d].
      labels: int64 [n], the bin of each training example.
    """

    centres: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, examples, seed=0) -> Bins:
        """The bins of training examples [n, d]: K = min(100, n / 20), at least 2, by scikit-learn's k-means.

        Raises:
          ValueError: on another shape, fewer than 4 examples, or examples that are not finite.
        """
        import sklearn.cluster  # Imported here because it takes a second, which would slow down --help.
        import threadpoolctl

        examples = np.asarray(examples)
        if examples.ndim != 2 or len(examples) < 4 or not np.isfinite(examples).all():
            raise ValueError(f"examples have shape {examples.shape}, expected finite ones [n, d] with n ≥ 4")
        number = max(2, min(_BINS, len(examples) // _FEWEST))
        fit = sklearn.cluster.KMeans(number, n_init=1, max_iter=_ITERATIONS, random_state=seed)
        # One thread: the order in which threads add up changes the centres' last digits.
        with threadpoolctl.threadpool_limits(1):
            centres = fit.fit(examples).cluster_centers_.astype(np.float64)
        return cls(centres, assign(examples, centres))

    def of_points(self, points) -> np.ndarray:
        """The bin of each point [m, d], int64 [m]."""
        return assign(points, self.centres)


def assign(points, centres) -> np.ndarray:
    """Index of the nearest centre [K, d] to each point [n, d], int64 [n]."""
    return distances.nearest(*distances.centred(points, centres))[1][:, 0]


def different_bins(labels, reference_labels, num_bins) -> np.ndarray:
    """Which bins hold another share of the samples than of the training examples, bool [num_bins].

    The z-test of two proportions with a pooled variance, two-sided at 5 %.

    Args:
      labels: int [m], bins of the samples.
      reference_labels: int [n], bins of the training examples.
      num_bins: K.
    """
    counts, reference = (np.bincount(each, minlength=num_bins) for each in (labels, reference_labels))
    m, n = len(labels), len(reference_labels)
    pooled = (counts + reference) / (m + n)
    error = np.sqrt(pooled * (1.0 - pooled) * (1.0 / m + 1.0 / n))
    difference = counts / m - reference / n
    critical = -scipy.special.ndtri(SIGNIFICANCE / 2.0)
    return np.abs(difference) > critical * error


def bin_divergence(labels, reference_labels, num_bins) -> float:
    """Jensen-Shannon divergence, in nats, of the histograms of bins; a float in [0, log 2].

    Args:
      labels, reference_labels, num_bins: as of `different_bins`.
    """
    p, q = (np.bincount(each, minlength=num_bins) / len(each) for each in (labels, reference_labels))
    middle = (p + q) / 2.0
    each = scipy.special.rel_entr(p, middle).sum() + scipy.special.rel_entr(q, middle).sum()
    return max(0.0, float(each) / 2.0)


def bin_divergence_interval(labels, reference_labels, num_bins, level=0.95, seed=0) -> intervals.Interval:
    """`bin_divergence` with its interval over the sampling of both, for these bins: `discrepancy_interval`."""
    labels, reference_labels = np.asarray(labels), np.asarray(reference_labels)
    return intervals.discrepancy_interval(
        lambda x, y: bin_divergence(labels[x], reference_labels[y], num_bins),
        (len(labels), len(reference_labels)),
        level=level,
        seed=seed,
    )
