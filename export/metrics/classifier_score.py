"""Metrics from a classifier's outputs on samples: classifier score, class histogram and its KL divergence.

Salimans et al. 2016, "Improved Techniques for Training GANs", section 4: exp E KL(p(y|x) ‖ p(y)), called the Inception
score when the classifier is Inception trained on ImageNet. Scores compare only under one classifier, so each result
names it.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import scipy.special

from export.metrics import intervals


@dataclasses.dataclass(frozen=True)
class ClassifierScore:
    """A classifier score.

    Attributes:
      value: mean over the splits, in [1, number of classes].
      split_scores: float64 [splits].
      classifier: name of the classifier that gave the logits.
      num_samples: number of samples.
    """

    value: float
    split_scores: np.ndarray
    classifier: str
    num_samples: int

    @property
    def split_std(self) -> float:
        """Unbiased standard deviation over the splits (divided by splits - 1); NaN for one split."""
        return float(self.split_scores.std(ddof=1)) if len(self.split_scores) > 1 else math.nan


def classifier_score(logits, classifier: str, splits: int = 1) -> ClassifierScore:
    """exp E KL(p(y|x) ‖ p(y)) from a classifier's logits (Salimans et al. 2016, section 4).

    Args:
      logits: [n, K], or log-probabilities, which have the same softmax.
      classifier: name of the classifier.
      splits: number of contiguous parts of the samples, each with its own p(y). The literature's 10 makes the score
        smaller; 1 is the least biased.

    Returns:
      A `ClassifierScore`.

    Raises:
      ValueError: on another shape, NaN or +inf, no samples, or `splits` outside 1 to n.
    """
    logits = _checked(logits)
    if not 1 <= splits <= len(logits):
        raise ValueError(f"splits is {splits}, expected 1 to {len(logits)}, the number of samples")
    scores = np.array([math.exp(mutual_information(part)) for part in np.array_split(logits, splits)])
    return ClassifierScore(float(scores.mean()), scores, classifier, len(logits))


def mutual_information(logits) -> float:
    """E KL(p(y|x) ‖ p(y)) in nats, the logarithm of the classifier score, as H(y) - H(y|x).

    Args:
      logits: [n, K].

    Returns:
      A float in [0, log K] up to rounding.
    """
    conditional = scipy.special.softmax(np.asarray(logits, np.float64), axis=1)
    marginal = conditional.mean(axis=0)
    return float(scipy.special.entr(marginal).sum() - scipy.special.entr(conditional).sum(axis=1).mean())


def classifier_score_interval(logits, level=0.95) -> intervals.Interval:
    """Classifier score (one split) with its interval: exp of Student's t interval of the mean of KL(p(y|x) ‖ p(y)).

    p(y) is estimated from the same samples. Its error has no effect to first order, because the mean KL is minimal
    where p(y) is the mean of p(y|x).

    Args:
      logits: [n, K], as in `classifier_score`.
      level: in (0, 1).

    Returns:
      An `Interval`; without ends for one sample, or where all samples have the same divergence.
    """
    conditional = scipy.special.softmax(_checked(logits), axis=1)
    divergences = scipy.special.rel_entr(conditional, conditional.mean(axis=0)).sum(axis=1)
    return intervals.mean_interval(divergences, level, of="sample").mapped(math.exp)


def class_divergence_interval(labels, reference_labels, num_classes: int, level=0.95, seed=0) -> intervals.Interval:
    """KL(samples' class histogram ‖ data's class histogram) in nats, with an interval over the sampling of both.

    Args:
      labels: int [n], classes of the samples, in [0, num_classes).
      reference_labels: int [m], classes of the data.
      num_classes: K.
      level, seed: as in `discrepancy_interval`.

    Returns:
      An `Interval`; infinite and without ends where the samples have a class that the data lacks.
    """
    labels, reference_labels = np.asarray(labels), np.asarray(reference_labels)

    def statistic(index, reference_index):
        return histogram_kl(
            class_histogram(labels[index], num_classes), class_histogram(reference_labels[reference_index], num_classes)
        )

    return intervals.discrepancy_interval(statistic, (len(labels), len(reference_labels)), level=level, seed=seed)


def class_histogram(labels, num_classes: int) -> np.ndarray:
    """Share of each class.

    Args:
      labels: int [n] in [0, num_classes), or logits [n, num_classes], whose argmax is taken.
      num_classes: K.

    Returns:
      float64 [K], summing to 1.

    Raises:
      ValueError: without samples, or where a label is outside the range.
    """
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] == num_classes:
        labels = labels.argmax(axis=1)
    if labels.ndim != 1 or len(labels) == 0:
        raise ValueError(f"labels have shape {labels.shape}, expected [n] or [n, {num_classes}] with n ≥ 1")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(f"labels lie in [{labels.min()}, {labels.max()}], expected [0, {num_classes - 1}]")
    return np.bincount(labels, minlength=num_classes) / len(labels)


def histogram_kl(histogram, reference) -> float:
    """KL(histogram ‖ reference) in nats.

    A class that only the samples lack adds 0. A class that only the reference lacks makes it infinite.

    Args:
      histogram: [K] non-negative, the samples' shares (or counts).
      reference: [K] non-negative, the data's.

    Returns:
      A float ≥ 0, possibly infinite.

    Raises:
      ValueError: where the shapes are not [K] twice.
    """
    histogram, reference = np.asarray(histogram, np.float64), np.asarray(reference, np.float64)
    if histogram.shape != reference.shape or histogram.ndim != 1:
        raise ValueError(f"histograms have shapes {histogram.shape} and {reference.shape}, expected [K] twice")
    divergence = scipy.special.rel_entr(histogram / histogram.sum(), reference / reference.sum()).sum()
    return max(0.0, float(divergence))


def _checked(logits):
    logits = np.asarray(logits, np.float64)
    if logits.ndim != 2 or len(logits) == 0:
        raise ValueError(f"logits have shape {logits.shape}, expected [n, K] with n ≥ 1")
    if np.isnan(logits).any() or np.isposinf(logits).any():
        raise ValueError("logits hold values that are NaN or +inf")
    return logits
