"""Direct detection of copies: how near samples lie to training examples, and how near held-out examples do.

`CopyDetection` compares the two distributions of distances; `estimated_share` counts of which kind the nearest example
of each sample is.

A generator that memorised training examples makes samples nearer to them than new examples of the data are. No single
score of memorisation works in every case (Stein et al. 2023, "Exposing flaws of generative model evaluation metrics and
their unfair treatment of diffusion models", section 5): the numbers here belong beside the closest pairs themselves,
and depend on what the features see.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from export.metrics import distances, intervals

#: Share of the held-out examples that lie within `CopyDetection.threshold` of a training example.
QUANTILE = 0.01
_SPLITS = 20


@dataclasses.dataclass(frozen=True)
class CopyDetection:
    """Samples and held-out examples by their distance to the nearest training example.

    Attributes:
      of_samples: float64 [m], Euclidean distance of each sample to its nearest training example.
      of_held_out: float64 [h], the same of each held-out example.
    """

    of_samples: np.ndarray
    of_held_out: np.ndarray

    @property
    def threshold(self) -> float:
        """The k-th smallest distance of held-out examples, k = max(1, ⌊0.01 (h + 1)⌋)."""
        rank = max(1, int(QUANTILE * (len(self.of_held_out) + 1)))
        return float(np.partition(self.of_held_out, rank - 1)[rank - 1])

    @property
    def copied(self) -> np.ndarray:
        """Whether each sample lies within `threshold` of a training example, bool [m]."""
        return self.of_samples <= self.threshold

    @property
    def copied_share(self) -> float:
        """Share of the samples within `threshold` of a training example."""
        return float(self.copied.mean())

    @property
    def honest_share(self) -> float:
        """What `copied_share` is expected to be for new examples of the data: k / (h + 1), or more where held-out
        examples tie with the k-th."""
        return float((self.of_held_out <= self.threshold).sum() / (len(self.of_held_out) + 1))

    @property
    def distance_ratio(self) -> float:
        """Mean distance of the samples, divided by that of the held-out examples: 1 for new examples of the data, 0
        for copies; infinite where the held-out examples are copies themselves."""
        mean = self.of_held_out.mean()
        return float(self.of_samples.mean() / mean) if mean > 0.0 else math.inf

    def share_interval(self, level=0.95, seed=0) -> intervals.Interval:
        """Interval of `copied_share` over new samples and new held-out examples, for these training examples.

        Wilson's for the number of independent samples with the variance that random halves of both sets show, which is
        the threshold's too.

        Args:
          level: in (0, 1).
          seed: of the halves.
        """
        sizes = len(self.of_samples), len(self.of_held_out)
        if min(sizes) < intervals.FEWEST:
            return intervals.absent(self.copied_share, f"fewer than {intervals.FEWEST} examples")
        on_halves = intervals.halves(
            lambda x, y: CopyDetection(self.of_samples[x], self.of_held_out[y]).copied_share, sizes, _SPLITS, seed
        )
        variance = float(intervals.variance_from_halves(np.arcsin(np.sqrt(on_halves))))
        # arcsin(√p) of a share p of n independent samples has the variance 1 / 4n.
        effective = min(sizes[0], 0.25 / variance) if variance > 0.0 else sizes[0]
        return intervals.share_interval(self.copied_share, effective, level, _SPLITS)

    def ratio_interval(self, level=0.95) -> intervals.Interval:
        """Interval of `distance_ratio`: Student's t of its logarithm, from the variances of both means."""
        value = self.distance_ratio
        if min(len(self.of_samples), len(self.of_held_out)) < 2:
            return intervals.absent(value, "there is one example only")
        if not (value > 0.0 and math.isfinite(value)):
            return intervals.absent(value, f"the value is {'0' if value == 0.0 else 'not finite'}")
        variance = sum(each.var(ddof=1) / len(each) / each.mean() ** 2 for each in (self.of_samples, self.of_held_out))
        degrees = len(self.of_samples) + len(self.of_held_out) - 2
        return intervals.normal_interval(math.log(value), float(variance), level, degrees).mapped(math.exp)


def nearest_examples(points, training):
    """The training example nearest to each point.

    Args:
      points: [n, d] features.
      training: [t, d] features of training examples.

    Returns:
      (distances float64 [n], indices into training, int64 [n]).

    Raises:
      ValueError: on other shapes, or features that are not finite.
    """
    squared, indices = distances.nearest(*distances.centred(points, training))
    return np.sqrt(squared[:, 0]), indices[:, 0]


def estimated_share(samples, training, held_out):
    """Estimates the share of the samples that are copies of training examples.

    A sample that is none is as near to the one kind of real example as to the other: of m training and n held-out
    examples together the nearest is one for training with probability m / (m + n). What exceeds it is copied: the share
    is 1 - (m + n) / n · P(the nearest is held out). It is negative where held-out examples are nearer. Samples that are
    held-out examples themselves count as new ones.

    Samples with the same nearest example count as fewer in the interval: N² / Σ Nₑ², Nₑ being the samples of example e
    (Kish 1965). Noise lies in one spot of the space, and all of it has the same few neighbours. But a sample that
    equals a training example is a copy: the interval begins at their share, less that of held-out examples that do.

    Args:
      samples, training, held_out: points [N, d], [m, d] and [n, d].

    Returns:
      `intervals.Interval`, of level 0.95.
    """
    (to_training, of_training), (to_held_out, of_held_out) = (
        distances.nearest_of_many(samples, real) for real in (training, held_out)
    )
    # A sample that is a held-out example is no copy of a training one, and says nothing of the others.
    made = (to_held_out > 0.0) | (to_training == 0.0)
    if not made.any():
        return intervals.absent(0.0, "the samples are held-out examples")
    to_training, to_held_out = to_training[made], to_held_out[made]
    held_out_nearer = (to_held_out < to_training) + 0.5 * (to_held_out == to_training)
    nearest_of_all = np.where(held_out_nearer > 0.5, len(training) + of_held_out[made], of_training[made])
    shared = np.unique(nearest_of_all, return_counts=True)[1]
    scale = (len(training) + len(held_out)) / len(held_out)
    share = intervals.share_interval(float(held_out_nearer.mean()), made.sum() ** 2 / (shared**2).sum())
    value, low, high = (made.mean() * (1.0 - scale * end) for end in (share.value, share.high, share.low))
    exact = float((to_training == 0.0).sum() / len(samples))
    if exact > max(low, 0.0):
        low = min(value, max(low, exact - _twins(held_out, training)))
    return intervals.Interval(float(value), float(low), float(high), share.level, share.method)


def _twins(held_out, training):
    """Share of held-out examples that are training examples too."""
    known = {example.tobytes() for example in training}
    return float(np.mean([example.tobytes() in known for example in held_out]))
