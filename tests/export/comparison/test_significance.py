"""Tests of differences against SciPy, NumPy and enumeration."""

import itertools

import numpy as np
import pytest
import scipy.stats

from export.comparison import significance
from export.comparison.significance import Measured, bootstrap, difference, from_intervals, holm, welch


def test_holm_against_a_case_by_hand():
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1: 0.02, 0.03, 0.06, 0.04, and the last is no less than 0.06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02], rel=1e-12)
    # What was not tested does not count, and no p-value exceeds 1.
    assert holm([None, 0.01, None, 0.6]) == [None, pytest.approx(0.02), None, pytest.approx(0.6)]
    assert (
        holm([0.5, 0.0]) == [0.5, 0.0] and holm([0.7, 0.8]) == [1.0, 1.0] and holm([]) == [] and holm([None]) == [None]
    )


def test_holm_rejects_as_its_step_down_procedure_does():
    # Holm 1979: in increasing order, reject while p_(i) <= α / (m - i); the first that fails stops it.
    rng = np.random.default_rng(0)
    for _ in range(200):
        p_values = (rng.uniform(size=rng.integers(1, 9)) ** 3).tolist()
        order, rejected = np.argsort(p_values), set()
        for step, place in enumerate(order):
            if p_values[place] > 0.05 / (len(p_values) - step):
                break
            rejected.add(int(place))
        assert {place for place, p in enumerate(holm(p_values)) if p <= 0.05} == rejected


def test_welch_against_its_formula():
    # Welch 1947, Satterthwaite's degrees of freedom; NumPy and the distribution function of t, 1e-12.
    rng = np.random.default_rng(1)
    for sizes in ((2, 2), (3, 4), (10, 3)):
        a, b = rng.normal(0, 1, sizes[0]), rng.normal(0.7, 3, sizes[1])
        of_a, of_b = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
        t = (a.mean() - b.mean()) / np.sqrt(of_a + of_b)
        degrees = (of_a + of_b) ** 2 / (of_a**2 / (len(a) - 1) + of_b**2 / (len(b) - 1))
        assert welch(a, b) == pytest.approx(2 * scipy.stats.t.sf(abs(t), degrees), rel=1e-12)


@pytest.mark.parametrize(
    "a, b", [([1.0, 1.4, 3.0], [1.9, 3.2, 3.3]), ([0.0, 0.0, 1.0], [1.0, 1.0, 2.0]), ([0.7, 0.7, 1.3], [0.7, 0.7, 0.7])]
)
def test_the_bootstrap_against_all_resamples(a, b):
    # Of three values there are 27 resamples, 729 pairs: the exact p-value; 4 standard errors of 100,000 draws.
    a, b = np.array(a), np.array(b)
    middle = np.concatenate([a, b]).mean()
    shifted = [each - each.mean() + middle for each in (a, b)]
    observed = abs(a.mean() - b.mean()) / np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 3)
    reached = []
    for of_a, of_b in itertools.product(*(itertools.product(each, repeat=3) for each in shifted)):
        gap, spread = abs(np.mean(of_a) - np.mean(of_b)), np.sqrt((np.var(of_a, ddof=1) + np.var(of_b, ddof=1)) / 3)
        reached.append(gap > 1e-9 if spread < 1e-9 else gap / spread >= observed - 1e-9)
    exact = np.mean(reached)
    assert 0.02 < exact < 0.6
    error = 4 * np.sqrt(exact * (1 - exact) / 100_000)
    assert bootstrap(a, b, resamples=100_000) == pytest.approx(exact, abs=error)
    assert bootstrap(a, b) == bootstrap(a, b) and bootstrap(np.arange(6.0), np.arange(6) + 100.0) == 1 / 10_000


def test_the_bootstrapped_statistic_is_welch_s_t():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=5), rng.normal(1, 3, size=9)
    expected = abs(scipy.stats.ttest_ind(a, b, equal_var=False).statistic)
    assert significance._welch_statistic(a, b) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("test, size", [(welch, 3), (bootstrap, 6)])
def test_equal_methods_are_seldom_told_apart(test, size):
    rng = np.random.default_rng(2)
    options = {} if test is welch else {"resamples": 199}
    found = [test(*rng.normal(size=(2, size)), **options) for _ in range(600)]
    # At most 5 %, up to three standard errors.
    assert 0.005 < np.mean(np.array(found) <= 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 600)


def test_symmetrical_intervals_give_the_z_test():
    quantile = scipy.stats.norm.ppf(0.975)
    for gap, first, second in ((1.0, 0.3, 0.4), (-2.0, 1.0, 0.1), (0.0, 1.0, 1.0)):
        a = Measured((5.0 + gap,), (5.0 + gap - quantile * first, 5.0 + gap + quantile * first), 0.95)
        b = Measured((5.0,), (5.0 - quantile * second, 5.0 + quantile * second), 0.95)
        z = abs(gap) / np.hypot(first, second)
        assert from_intervals(a, b) == pytest.approx(2 * scipy.stats.norm.sf(z), rel=1e-9)
        assert from_intervals(a, b) == from_intervals(b, a)


def test_asymmetrical_intervals_are_taken_at_the_sides_that_face_each_other():
    a, b = Measured((3.0,), (2.0, 30.0), 0.95), Measured((1.0,), (-20.0, 1.5), 0.9)

    def lower_limit(level):
        """Zou & Donner's lower limit of the difference, both intervals taken to another level."""
        scale = scipy.stats.norm.ppf((1 + level) / 2)
        below = (3.0 - 2.0) / scipy.stats.norm.ppf(0.975) * scale
        above = (1.5 - 1.0) / scipy.stats.norm.ppf(0.95) * scale
        return 3.0 - 1.0 - np.hypot(below, above)

    assert lower_limit(1 - from_intervals(a, b)) == pytest.approx(0, abs=1e-9)
    assert lower_limit(0.5) > 0


def test_the_test_is_that_for_the_number_of_seeds():
    few, many = Measured((1.0, 1.1, 1.3)), Measured((2.0, 2.3, 2.2, 2.6, 2.1))
    one, without = Measured((1.0,), (0.9, 1.1), 0.95), Measured((1.0,))
    assert difference(few, many) == (welch(few.values, many.values), "welch", None)
    assert difference(many, many._replace(values=(1, 2, 3, 4, 5))).test == "bootstrap"
    assert difference(one, one) == (1.0, "intervals", None)
    assert difference(one, many) == (None, None, "one has a single seed")
    assert difference(one, without) == (None, None, "one has neither a second seed nor an interval")
    assert difference(one, Measured(())) == (None, None, "one has no value")
    assert difference(Measured((1.0, 1.0)), Measured((2.0, 2.0))).reason == "neither differs between its seeds"
