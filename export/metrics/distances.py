"""Squared Euclidean distances between two sets of points, some rows at a time: memory does not grow with n · m.

Each distance is ‖x‖² + ‖y‖² - 2 x·y, whose inner products are one matrix product; `centred` points lose less to
rounding, at the same distances.
"""

from __future__ import annotations

import numpy as np

#: Rows of a distance matrix that are in memory at a time.
CHUNK = 256


def squared_distances(x, y, chunk=CHUNK):
    """Squared distances of all rows of x to all rows of y.

    Args:
      x: float64 [n, d].
      y: float64 [m, d].
      chunk: rows of x at a time.

    Yields:
      (start, float64 [at most chunk, m]), the distances of x[start : start + chunk]. Copies of a point are at 0.
    """
    x_norms, y_norms = np.einsum("nd,nd->n", x, x), np.einsum("nd,nd->n", y, y)
    # The norms are two more terms of the inner products, so that one matrix product is all that passes over the matrix.
    left = np.concatenate([-2.0 * x, x_norms[:, None], np.ones((len(x), 1))], axis=1)
    right = np.concatenate([y, np.ones((len(y), 1)), y_norms[:, None]], axis=1).T
    # ‖x‖² + ‖y‖² - 2 x·y below this resolution is rounding error. Setting it to zero keeps copies of a point at
    # distance 0, so that they lie in one another's balls even if the radius is 0.
    resolution = x.shape[1] * np.finfo(np.float64).eps
    largest = y_norms.max()
    for start in range(0, len(x), chunk):
        squared = left[start : start + chunk] @ right
        norms = x_norms[start : start + chunk]
        # Few distances, if any, are as small as the largest resolution of the rows: only they are looked at again.
        rows = np.flatnonzero(squared.min(axis=1) < resolution * (norms + largest))
        for row in rows:
            values = squared[row]
            values[values < resolution * (norms[row] + y_norms)] = 0.0
        yield start, squared


def nearest(x, y, k=1, chunk=CHUNK, same=False):
    """The k nearest points of y to each point of x.

    Args:
      x: float64 [n, d].
      y: float64 [m, d], m ≥ k, or m > k where `same`.
      k: number of neighbours.
      chunk: as in `squared_distances`.
      same: whether x and y are one set, in which a point is not its own neighbour.

    Returns:
      (squared distances float64 [n, k], indices into y, int64 [n, k]), from the nearest on.

    Raises:
      ValueError: where k < 1 or there are too few points.
    """
    if k < 1 or len(y) < k + same:
        raise ValueError(f"{len(y)} points: expected more than k = {k}, k ≥ 1")
    squared, indices = np.empty((len(x), k)), np.empty((len(x), k), np.int64)
    for start, rows in squared_distances(x, y, chunk):
        if same:
            rows[np.arange(len(rows)), start + np.arange(len(rows))] = np.inf
        if k == 1:
            found = rows.argmin(axis=1)[:, None]
        else:
            found = np.argpartition(rows, k - 1, axis=1)[:, :k]
        values = np.take_along_axis(rows, found, axis=1)
        order = np.argsort(values, axis=1, kind="stable")
        part = slice(start, start + len(rows))
        squared[part], indices[part] = (np.take_along_axis(each, order, axis=1) for each in (values, found))
    return squared, indices


def nearest_of_many(x, y, chunk=CHUNK):
    """The nearest point of y to each point of x, by products in float32: for tens of thousands of points.

    Points of y whose distances from a point differ by less than float32 resolves may be taken for one another. The
    distance is that of the point taken, in float64; equal points are at 0.

    Args:
      x: [n, d], used as float32.
      y: [m, d], used as float32.
      chunk: as in `squared_distances`.

    Returns:
      (distances float64 [n], indices into y, int64 [n]).
    """
    x, y = np.asarray(x, np.float32), np.asarray(y, np.float32)
    squares = np.einsum("nd,nd->n", y, y, dtype=np.float64)
    found, indices = np.empty(len(x)), np.empty(len(x), np.int64)
    for start in range(0, len(x), chunk):
        part = slice(start, start + chunk)
        indices[part] = (squares - 2.0 * (x[part] @ y.T)).argmin(axis=1)
        # Once more without the cancellation, which would hide a distance of 0.
        found[part] = np.linalg.norm(x[part].astype(np.float64) - y[indices[part]], axis=1)
    return found, indices


def checked(x, y):
    """Two sets of points [n, d] and [m, d] as arrays of float32, where they have it, or float64.

    Raises:
      ValueError: on other shapes, or values that are not finite.
    """
    x, y = (
        np.asarray(each, np.float32 if getattr(each, "dtype", None) == np.float32 else np.float64) for each in (x, y)
    )
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or not len(x) or not len(y):
        raise ValueError(f"features have shapes {x.shape} and {y.shape}, expected [n, d] and [m, d]")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("features hold values that are not finite")
    return x, y


def centred(x, y):
    """Two sets of points [n, d] and [m, d] in float64, less the second one's mean.

    Raises:
      ValueError: on other shapes, or values that are not finite.
    """
    x, y = (each.astype(np.float64, copy=False) for each in checked(x, y))
    centre = y.mean(axis=0)
    return x - centre, y - centre
