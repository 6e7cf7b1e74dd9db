"""A linear classifier on fixed features, for the classes of data that an extractor was not trained on."""

from __future__ import annotations

import dataclasses

import numpy as np

#: Weight of the penalty ‖W‖² / 2 beside the sum of the cross-entropies, for standardised features.
PENALTY = 300.0
_MOST_ITERATIONS = 300
#: Logit of a class that no training image is of.
_NEVER = -1e4


@dataclasses.dataclass(frozen=True)
class LinearClassifier:
    """Logits that are linear in features.

    Attributes:
      kernel: float32 [d, K].
      bias: float32 [K].
    """

    kernel: np.ndarray
    bias: np.ndarray

    def __call__(self, features):
        """Features float32 [n, d] → logits float32 [n, K]."""
        return features @ self.kernel + self.bias


def fit(features, labels, num_classes):
    """Multinomial logistic regression on standardised features, by L-BFGS (scikit-learn).

    The minimised loss is Σ cross-entropy + PENALTY ‖W‖² / 2, W being the weights of the standardised features. It is
    strictly convex, so that no seed enters.

    Args:
      features: float [n, d].
      labels: int [n] in [0, num_classes), of two classes or more.
      num_classes: K. A class that is not among the labels is never the most likely one.

    Returns:
      The `LinearClassifier`.
    """
    from sklearn.linear_model import LogisticRegression

    features = np.asarray(features, np.float64)
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale[scale == 0.0] = 1.0
    regression = LogisticRegression(C=1.0 / PENALTY, max_iter=_MOST_ITERATIONS)
    regression.fit((features - mean) / scale, labels)
    weights, bias = regression.coef_, regression.intercept_
    if len(weights) == 1:  # of two classes it gives the second one's log-odds
        weights, bias = np.concatenate([0.0 * weights, weights]), np.concatenate([0.0 * bias, bias])
    kernel = np.zeros((features.shape[1], num_classes))
    shift = np.full(num_classes, _NEVER)
    kernel[:, regression.classes_] = weights.T / scale[:, None]
    shift[regression.classes_] = bias - mean @ kernel[:, regression.classes_]
    return LinearClassifier(kernel.astype(np.float32), shift.astype(np.float32))
