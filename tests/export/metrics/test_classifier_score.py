"""The classifier score against its defining double sum and TF-GAN; class histograms."""

import math

import numpy as np
import pytest
import scipy.stats

from export.metrics import classifier_score


def _logits(n=200, classes=7):
    return 3.0 * np.random.default_rng(0).normal(size=(n, classes))


def test_score_matches_the_definition():
    logits = _logits()
    conditional = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    marginal = conditional.mean(axis=0)
    expected = math.exp(np.mean([scipy.stats.entropy(row, marginal) for row in conditional]))
    found = classifier_score.classifier_score(logits, "a_classifier")
    np.testing.assert_allclose(found.value, expected, rtol=1e-12)  # float64 both, other order of sums
    assert (found.classifier, found.num_samples) == ("a_classifier", 200)
    from_probabilities = classifier_score.classifier_score(np.log(conditional), "a_classifier")
    np.testing.assert_allclose(from_probabilities.value, expected, rtol=1e-12)


def test_score_matches_tfgan(tfgan):
    logits = _logits()
    expected = float(tfgan.eval.classifier_score_from_logits(logits))
    # float64 in TF-GAN as well.
    np.testing.assert_allclose(classifier_score.classifier_score(logits, "c").value, expected, rtol=1e-10)


def test_extremes():
    certain = np.log(np.tile(np.eye(5), (4, 1)), where=np.tile(np.eye(5), (4, 1)) > 0, out=np.full((20, 5), -np.inf))
    np.testing.assert_allclose(classifier_score.classifier_score(certain, "c").value, 5.0, rtol=1e-14)
    np.testing.assert_allclose(classifier_score.classifier_score(np.zeros((20, 5)), "c").value, 1.0, rtol=1e-14)
    collapsed = np.tile([[100.0, 0.0, -300.0]], (9, 1))
    np.testing.assert_allclose(classifier_score.classifier_score(collapsed, "c").value, 1.0, rtol=1e-12)


def test_splits():
    logits = _logits()
    found = classifier_score.classifier_score(logits, "c", splits=4)
    parts = [classifier_score.classifier_score(part, "c").value for part in np.split(logits, 4)]
    np.testing.assert_array_equal(found.split_scores, parts)
    assert found.value == np.mean(parts)
    assert found.split_std == pytest.approx(np.std(parts, ddof=1))
    with pytest.raises(ValueError, match="splits is 201"):
        classifier_score.classifier_score(logits, "c", splits=201)


def test_interval_is_students_of_the_divergences():
    logits = _logits()
    conditional = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    divergences = [scipy.stats.entropy(row, conditional.mean(axis=0)) for row in conditional]
    found = classifier_score.classifier_score_interval(logits, level=0.9)
    expected = scipy.stats.ttest_1samp(divergences, 0.0).confidence_interval(0.9)
    assert found.value == pytest.approx(classifier_score.classifier_score(logits, "c").value, rel=1e-13)
    np.testing.assert_allclose([found.low, found.high], np.exp(expected), rtol=1e-12)  # float64 both


def test_histogram_of_labels_and_of_scores():
    labels = np.array([0, 2, 2, 1, 2])
    expected = [0.2, 0.2, 0.6, 0.0]
    np.testing.assert_array_equal(classifier_score.class_histogram(labels, 4), expected)
    np.testing.assert_array_equal(classifier_score.class_histogram(np.eye(4)[labels], 4), expected)
    with pytest.raises(ValueError, match=r"expected \[0, 1\]"):
        classifier_score.class_histogram(labels, 2)


def test_histogram_kl():
    p, q = [0.5, 0.5, 0.0], [0.25, 0.25, 0.5]
    assert classifier_score.histogram_kl(p, q) == pytest.approx(math.log(2.0), rel=1e-14)
    assert classifier_score.histogram_kl([5, 5, 0], [1, 1, 2]) == pytest.approx(math.log(2.0), rel=1e-14)
    assert classifier_score.histogram_kl(q, p) == math.inf
    assert classifier_score.histogram_kl(q, q) == 0.0
