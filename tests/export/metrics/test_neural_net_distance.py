"""The neural-net distance against closed forms and other optimisers; the paper's statements on generalisation."""

import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from export.metrics.neural_net_distance import MLPCritics, UnitLinearCritics, neural_net_distance


def samples(n=300, m=200, dim=2, shift=0.7, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, dim)), rng.normal(size=(m, dim)) * 1.3 + shift


def test_linear_critics_of_unit_norm_see_the_distance_of_the_means():
    x, y = samples(dim=5)
    found = neural_net_distance(x, y, UnitLinearCritics(), "identity")
    # L-BFGS stops where the gradient is 1e-5: the value is flat there, to its square.
    np.testing.assert_allclose(found.value, np.linalg.norm(x.mean(0) - y.mean(0)), rtol=1e-8)
    np.testing.assert_allclose(found.starts, found.value, rtol=1e-8)
    assert (found.critics, found.parameters, found.num_x, found.num_y) == ("linear critics of unit norm", 5, 300, 200)


@pytest.mark.parametrize("dim", [1, 2])
def test_logistic_critics_reach_the_supremum_that_another_optimiser_finds(dim):
    x, y = samples(dim=dim)

    def loss(weights):
        on_x, on_y = (points @ weights[:-1] + weights[-1] for points in (x, y))
        return np.log1p(np.exp(-on_x)).mean() + np.log1p(np.exp(on_y)).mean() - 2.0 * np.log(2.0)

    # Without derivatives, on the points as they are.
    options = {"xatol": 1e-9, "fatol": 1e-13, "maxiter": 5_000}
    oracle = scipy.optimize.minimize(loss, np.zeros(dim + 1), method="Nelder-Mead", options=options)
    found = neural_net_distance(x, y, MLPCritics(()), "log")
    np.testing.assert_allclose(found.value, -oracle.fun, rtol=1e-6)
    np.testing.assert_allclose(found.starts, found.value, rtol=1e-6)
    assert found.critics == "sigmoid critics, linear"
    assert 0.0 < found.value < 2.0 * np.log(2.0)


def test_steep_critics_on_a_line_see_the_kolmogorov_distance():
    # φ(t) = t and D = σ(wx + b): at its steepest a threshold, so the supremum is that of F(t) - G(t) over t.
    x, y = samples(60, 50, dim=1, shift=1.0)
    found = neural_net_distance(x, y, MLPCritics(()), "identity", starts=10, max_iterations=1_000)
    expected = scipy.stats.ks_2samp(x[:, 0], y[:, 0]).statistic
    # The payoff is not concave and slopes stay finite, so the found value is slightly below the supremum.
    assert 0.99 * expected < found.value <= expected + 1e-9


@pytest.mark.parametrize("phi", ["log", "identity"])
@pytest.mark.parametrize("critics", [MLPCritics((4, 3)), MLPCritics(()), UnitLinearCritics()])
def test_gradients_are_central_differences(critics, phi):
    if phi == "log" and isinstance(critics, UnitLinearCritics):
        with pytest.raises(ValueError, match="linear critics leave"):
            critics.measures(phi)
        return
    x, _ = samples(7)
    weights = critics.start(2, np.random.default_rng(1))
    measure, slope = critics.measures(phi)
    scores, back = critics.scores(weights, x)
    steps = 1e-6 * np.eye(weights.size)
    expected = [
        (measure(critics.scores(weights + step, x)[0]) - measure(critics.scores(weights - step, x)[0])).sum() / 2e-6
        for step in steps
    ]
    np.testing.assert_allclose(back(slope(scores)), expected, rtol=1e-6, atol=1e-8)


def test_more_critics_see_more_and_the_best_start_counts():
    # A ring around a blob: not linearly separable, but separable with tanh units.
    rng = np.random.default_rng(3)
    angle = rng.uniform(0, 2 * np.pi, 300)
    ring, blob = 2.0 * np.stack([np.cos(angle), np.sin(angle)], 1), 0.3 * rng.normal(size=(300, 2))
    line, perceptron = (neural_net_distance(ring, blob, MLPCritics(hidden)) for hidden in ((), (8,)))
    assert line.value < 0.05
    # Perfect separation: the maximum of φ = log is 2 log 2.
    assert perceptron.value > 1.3
    assert perceptron.value == perceptron.starts.max() and len(perceptron.starts) == 4
    assert perceptron.parameters == 8 * 3 + 9
    again = neural_net_distance(ring, blob, MLPCritics((8,)))
    np.testing.assert_array_equal(again.starts, perceptron.starts)


def test_each_start_is_of_a_stream_of_its_own_and_the_best_one_is_kept():
    x, y = samples(40, 30)
    found = neural_net_distance(x, y, MLPCritics((2,)), seed=1)
    assert len(set(found.starts)) == 4 and found.starts.argmax() > 0
    np.testing.assert_allclose(found.payoff(x, y), found.value, rtol=1e-12)
    fewer = neural_net_distance(x, y, MLPCritics((2,)), starts=2, seed=1)
    np.testing.assert_array_equal(fewer.starts, found.starts[:2])
    # Points are standardised, so a start does not depend on their location and scale, beyond rounding.
    moved = neural_net_distance(1e3 * x + 1e4, 1e3 * y + 1e4, MLPCritics((2,)), starts=1, seed=1, max_iterations=1)
    unmoved = neural_net_distance(x, y, MLPCritics((2,)), starts=1, seed=1, max_iterations=1)
    np.testing.assert_allclose(moved.value, unmoved.value, rtol=1e-6)
    kernel = MLPCritics((300,)).start(200, np.random.default_rng(0))[: 200 * 300]
    # Glorot & Bengio's √(2 / (in + out)), of 60,000 draws.
    np.testing.assert_allclose(kernel.std(), (2.0 / 500) ** 0.5, rtol=0.02)


def test_no_critic_is_worse_than_the_constant_one():
    x, _ = samples(40)
    np.testing.assert_array_equal(neural_net_distance(x, x, max_iterations=1).starts, np.zeros(4))


def test_the_distance_of_equal_samples_is_none():
    x, _ = samples()
    np.testing.assert_allclose(neural_net_distance(x, x).value, 0.0, atol=1e-12)


def test_small_samples_look_far_apart_and_the_gap_falls_with_their_size():
    # Both samples come from one distribution: its distance is 0, and the value is all generalisation gap.
    rng, critics = np.random.default_rng(0), MLPCritics((8,))
    held_out = rng.normal(size=(2, 10_000, 2))
    parameters, values, gaps = 33, [], []
    sizes = [parameters // 2, 5 * parameters, 50 * parameters]
    for size in sizes:
        pairs = rng.normal(size=(3, 2, size, 2))
        found = [neural_net_distance(*pair, critics, starts=1, max_iterations=200) for pair in pairs]
        assert {one.parameters for one in found} == {parameters}
        values.append(np.mean([one.value for one in found]))
        gaps.append(np.mean([one.generalization_gap(*held_out) for one in found]))
    # With fewer examples than parameters the samples are separable; with enough examples the value tends to 0.
    assert values[0] > 0.5 and values[2] < 0.05
    assert values[0] > 3 * values[1] > 9 * values[2]
    assert gaps[0] > gaps[1] > gaps[2] > 0.0
    # In expectation the population's distance lies between the payoff on held-out samples and the value.
    assert all(gap > value > 0.0 for gap, value in zip(gaps, values))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((np.zeros((3, 2)), np.zeros((3, 1))), r"shapes \(3, 2\) and \(3, 1\)"),
        ((np.zeros((0, 2)), np.zeros((3, 2))), r"shapes \(0, 2\)"),
        ((np.full((3, 2), np.nan), np.zeros((3, 2))), "not finite"),
        ((np.zeros((3, 2)), np.zeros((3, 2)), MLPCritics(), "square"), "phi='square'"),
    ],
)
def test_wrong_requests_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        neural_net_distance(*arguments)
