"""The linear classifier on features, against the optimality conditions of its loss."""

import numpy as np
import pytest
import scipy.special

from export.metrics import linear_classifier


def test_the_loss_is_at_its_minimum():
    """Σ cross-entropy + penalty ‖W‖² / 2 in the standardised features has gradient 0, by the closed form."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 400)
    features = rng.normal(size=(400, 6)) * [1, 2, 5, 0.1, 1, 0] + 3.0 * labels[:, None] * [1, 0, 0, 0.1, 0, 0] + 7.0
    found = linear_classifier.fit(features.astype(np.float32), labels, 3)
    scale = features.std(axis=0)
    scale[5] = 1.0
    x, kernel = (features - features.mean(axis=0)) / scale, found.kernel * scale[:, None]
    error = scipy.special.softmax(found(features.astype(np.float32)), axis=1) - np.eye(3)[labels]
    size = np.abs(x.T @ np.eye(3)[labels]).max()
    # L-BFGS stops early, and the result is float32.
    np.testing.assert_allclose(x.T @ error + linear_classifier.PENALTY * kernel, 0.0, atol=2e-3 * size)
    np.testing.assert_allclose(error.sum(axis=0), 0.0, atol=2e-3 * len(x))
    assert (found(np.float32(features)).argmax(axis=1) == labels).mean() > 0.7


@pytest.mark.parametrize("present", [[0, 1], [1, 3], [0, 2, 3]])
def test_classes_without_images_are_never_named(present):
    rng = np.random.default_rng(1)
    labels = np.array(present)[np.arange(300) % len(present)]
    features = np.float32(rng.normal(size=(300, 4)) + 5.0 * np.eye(4)[labels])
    logits = linear_classifier.fit(features, labels, 4)(features)
    assert logits.shape == (300, 4) and logits.dtype == np.float32 and np.isfinite(logits).all()
    assert set(logits.argmax(axis=1)) == set(present) and (logits.argmax(axis=1) == labels).mean() > 0.98
