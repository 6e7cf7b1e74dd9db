"""The Vendi score against its definition: the eigenvalues of the n×n matrix of similarities."""

import math

import numpy as np
import pytest
import scipy.linalg
import scipy.special

from export.metrics import vendi


def _definition(features):
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    eigenvalues = np.clip(scipy.linalg.eigvalsh(unit @ unit.T / len(unit)), 0.0, None)
    return math.exp(scipy.special.entr(eigenvalues).sum())


@pytest.mark.parametrize("n, d", [(60, 8), (9, 40), (1, 3)])
def test_the_score_is_that_of_the_matrix_of_similarities(n, d):
    features = 0.5 + np.random.default_rng(0).normal(size=(n, d))
    # Eigenvalues of another matrix, to rounding: 1e-10.
    assert vendi.vendi_score(features) == pytest.approx(_definition(features), rel=1e-10)
    assert vendi.vendi_score(1e-3 * features) == pytest.approx(vendi.vendi_score(features), rel=1e-12)


def test_known_scores():
    basis = np.eye(6)
    assert vendi.vendi_score(np.repeat(basis[:1], 50, axis=0)) == pytest.approx(1.0)
    assert vendi.vendi_score(np.repeat(basis[:4], 5, axis=0)) == pytest.approx(4.0, rel=1e-12)
    # Zero features are alike, and like nothing else.
    assert vendi.vendi_score(np.concatenate([basis[:3], np.zeros((1, 6))])) == pytest.approx(4.0, rel=1e-12)
    shares = np.array([0.5, 0.25, 0.25])
    uneven = vendi.vendi_score(np.repeat(basis[:3], [20, 10, 10], axis=0))
    assert uneven == pytest.approx(math.exp(scipy.special.entr(shares).sum()), rel=1e-12)


def test_one_sample_has_no_interval_and_wrong_features_are_refused():
    assert vendi.vendi_interval(np.ones((1, 3))).reason == "there is one sample only"
    with pytest.raises(ValueError, match="expected finite"):
        vendi.vendi_score(np.full((3, 2), np.nan))
