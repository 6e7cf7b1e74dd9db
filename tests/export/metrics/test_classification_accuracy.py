"""The classification accuracy score against scikit-learn's pipeline, and on samples whose labels are wrong."""

import numpy as np
import sklearn.linear_model
import sklearn.pipeline
import sklearn.preprocessing

from export.metrics.classification_accuracy import right_after_training


def _classes(count, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=count)
    return 3.0 * np.eye(3, 5)[labels] + rng.normal(size=(count, 5)), labels


def test_the_classifier_is_scikit_learns_on_standardised_features():
    (x, y), (test, test_labels) = _classes(90, 0), _classes(60, 1)
    x, test = (
        7.0 + x * [1.0, 100.0, 0.01, 1.0, 0.0],
        7.0 + test * [1.0, 100.0, 0.01, 1.0, 1.0],
    )  # the last one never varies
    oracle = sklearn.pipeline.make_pipeline(
        sklearn.preprocessing.StandardScaler(), sklearn.linear_model.LogisticRegression(max_iter=300)
    )
    expected = oracle.fit(x, y).predict(test) == test_labels
    right = right_after_training(x, y, test, test_labels)
    np.testing.assert_array_equal(right, expected)
    assert 0.8 < right.mean() < 1.0


def test_samples_whose_labels_are_wrong_teach_nothing():
    (x, y), (test, test_labels) = _classes(200, 2), _classes(200, 3)
    right = right_after_training(x, y, test, test_labels).mean()
    assert right_after_training(x, (y + 1) % 3, test, test_labels).mean() < 0.2 < 0.8 < right
    one = right_after_training(x, np.ones(200, int), test, test_labels)
    np.testing.assert_array_equal(one, test_labels == 1)
