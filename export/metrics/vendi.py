"""Vendi score: the effective number of different samples.

Friedman & Dieng 2022, "The Vendi Score: A Diversity Evaluation Metric for Machine Learning", definition 3.1: the
exponential of the Shannon entropy of the eigenvalues of K / n, K being the matrix of similarities of n samples. With
the cosine similarity of features, K = X Xᵀ of rows of unit length, the eigenvalues other than 0 are those of
Xᵀ X / n [d, d]: neither time nor memory grows with n².
"""

from __future__ import annotations

import math

import numpy as np

from export.metrics import intervals


def vendi_score(features) -> float:
    """Vendi score of features [n, d] with cosine similarity; see `vendi_interval`.

    Returns:
      A float in [1, min(n, d + 1)]: 1 where all features point in one direction.
    """
    return math.exp(_contributions(features).mean())


def vendi_interval(features, level=0.95) -> intervals.Interval:
    """Vendi score with its interval: exp of Student's t interval of the mean of -xᵀ log(C) x over the samples.

    That mean is the entropy of C = Xᵀ X / n exactly, and the terms are, to first order, what each sample contributes to
    it. Features that are zero count as one more direction.

    Args:
      features: [n, d], n ≥ 1.
      level: in (0, 1).

    Returns:
      An `Interval`; without ends for one sample, or where all contribute the same.

    Raises:
      ValueError: on another shape, or on features that are not finite.
    """
    return intervals.mean_interval(_contributions(features), level, of="sample").mapped(math.exp)


def _contributions(features):
    """-xᵀ log(C) x of each sample, float64 [n]."""
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or not len(features) or not np.isfinite(features).all():
        raise ValueError(f"features have shape {features.shape}, expected finite ones [n, d] with n ≥ 1")
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    rows = np.concatenate([features / np.where(norms > 0.0, norms, 1.0), norms == 0.0], axis=1)
    values, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
    # Below the numerical rank, eigenvalues are rounding error; no sample has a part in their directions.
    inside = values > values[-1] * len(values) * np.finfo(np.float64).eps
    return np.square(rows @ vectors[:, inside]) @ -np.log(values[inside])
