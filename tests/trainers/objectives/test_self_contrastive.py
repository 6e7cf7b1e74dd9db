"""Self-contrastive estimation has maximum likelihood's expected gradient, which no critic of a family gives a GAN.

Goodfellow 2014b; expectations by quadrature.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import optimize, stats

import zoo
from trainers import objectives
from zoo.errors import RequestError


def build(model):
    return objectives.METHODS.load("self_contrastive")(model)


def flat(gradients):
    return np.concatenate([np.ravel(gradient) for gradient in gradients])


def test_the_expected_gradient_is_half_of_maximum_likelihoods():
    """Oracle: the gradient of E_p -log q for p = N(0.4, 0.7²), q = N(μ, s²), by hand: it is quadratic in x.

    By the mean: (μ - 0.4)/s²; by log s: 1 - (0.7² + (μ - 0.4)²)/s². Quadrature is exact but for rounding.
    """
    mu, s = -0.3, 1.2
    gan = build(zoo.Gaussian((1,), dtype="float64"))
    gan.generator.mean.assign([mu])
    gan.generator.log_diagonal.assign([np.log(s)])
    variables = [gan.generator.mean.value, gan.generator.log_diagonal.value]
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    weights = weights / weights.sum()
    expected, loss = np.zeros(2), 0.0
    for node, weight in zip(nodes, weights):
        with tf.GradientTape() as tape:
            # The quadrature of E_p and of E_q side by side: each is linear in its own term.
            real, contrast = (tf.constant([[x]], tf.float64) for x in (0.4 + 0.7 * node, mu + s * node))
            value = gan.contrastive_loss(real, contrast)
        expected += weight * flat(tape.gradient(value, variables))
        loss += weight * value.numpy()
    by_hand = [(mu - 0.4) / s**2, 1 - (0.7**2 + (mu - 0.4) ** 2) / s**2]
    np.testing.assert_allclose(2 * expected, by_hand, rtol=1e-11)
    np.testing.assert_allclose(loss, np.log(4), rtol=1e-12)


def test_its_noise_is_the_model_at_this_step_and_is_not_differentiated():
    gan = build(zoo.GaussianMixture((2,), components=3, dtype="float64"))
    with tf.GradientTape() as tape:
        points = gan.contrast(gan.noise(7))
    assert tape.gradient(points, [variable.value for variable in gan.generator.trainable_variables]) == [None] * 3
    np.testing.assert_array_equal(points, gan.generate(gan.noise(7)).x)
    assert np.all(gan.log_ratio(points).numpy() == 0.0)


def test_one_step_on_a_large_batch_is_a_step_of_maximum_likelihood():
    """The whole training step, against the likelihood's gradient on the same points: what differs is the sample's mean
    score, of size 1/√N."""
    points = np.random.default_rng(0).normal(0.4, 0.7, size=(1, 200_000, 1)).astype(np.float32)
    gan = build(zoo.Gaussian((1,)))
    gan.compile(keras.optimizers.SGD(1.0))
    gan.fit(tf.data.Dataset.from_tensor_slices(points), verbose=0, shuffle=False)
    x = points[0].astype(np.float64)
    moves = [gan.generator.mean.numpy()[0], gan.generator.log_diagonal.numpy()[0]]
    np.testing.assert_allclose(moves, [0.5 * x.mean(), 0.5 * ((x**2).mean() - 1)], atol=5e-3)


def test_no_critic_of_the_family_gives_the_generator_maximum_likelihoods_gradient():
    """Oracle: quadrature on a grid; SciPy searches the family.

    The generator's expected gradient is E_q φ(D(x)) ∇log q(x), φ = log(1 - D) or -log D; maximum likelihood's is that
    with φ = -p/q. The family are all critics σ(α log(p/q) + β): the optimal one, with any sharpness and any bias.

    Two ways around the statement, found here: with β far below zero the first φ is -exp(β) p/q nearly, so a critic that
    calls everything generated gives the *direction*, at a size that vanishes; and D = 1 - exp(-p/q), which is not of
    the family, for it does not tell p from q, gives the gradient itself. A generator's cost of its own gives it at the
    optimal critic: `maximum_likelihood`.
    """
    model = zoo.GaussianMixture((1,), components=3, dtype="float64")
    for variable, value in zip(model.trainable_variables, ([0.0, 0.5, -0.5], [[-2.5], [0.0], [2.5]], np.zeros((3, 1)))):
        variable.assign(value)
    grid = np.linspace(-12, 12, 1201)
    with tf.GradientTape() as tape:
        log_q = model.log_density(tf.constant(grid[:, None]))
    jacobian = tape.jacobian(log_q, [variable.value for variable in model.trainable_variables])
    scores = np.concatenate([np.reshape(rows, (len(grid), -1)) for rows in jacobian], axis=1)  # ∇log q(x)
    q = np.exp(log_q.numpy())
    p = 0.5 * stats.norm(-1.5, 0.5).pdf(grid) + 0.5 * stats.norm(1.0, 0.7).pdf(grid)
    log_ratio, step = np.log(p) - np.log(q), grid[1] - grid[0]
    wanted = -(p[:, None] * scores).sum(axis=0) * step

    def expected(phi):
        return (q * phi) @ scores * step

    def off(gradient):
        return np.linalg.norm(gradient - wanted) / np.linalg.norm(wanted)

    def off_in_direction(gradient):
        return off(max(gradient @ wanted, 0.0) / (gradient @ gradient) * gradient)

    def minimax(score):
        return -np.logaddexp(0, score)

    def non_saturating(score):
        return np.logaddexp(0, -score)

    for phi in (minimax, non_saturating):
        optimal = expected(phi(log_ratio))
        assert off(optimal) > 0.4
        assert off_in_direction(optimal) > 0.15

        def of_family(alpha_beta, phi=phi):
            return off(expected(phi(alpha_beta[0] * log_ratio + alpha_beta[1])))

        starts = [(alpha, beta) for alpha in np.linspace(0, 12, 25) for beta in np.linspace(-14, 14, 29)]
        nearest = sorted(starts, key=of_family)[:3]
        best = min(optimize.minimize(of_family, start, method="Nelder-Mead").fun for start in nearest)
        assert best > 0.05
    biased = expected(minimax(log_ratio - 12.0))
    assert off_in_direction(biased) < 1e-5
    assert np.linalg.norm(biased) < 1e-5 * np.linalg.norm(wanted)
    assert off(expected(-np.exp(log_ratio))) < 1e-9  # `maximum_likelihood`


def test_wrong_requests_are_refused():
    with pytest.raises(
        RequestError, match=r"self_contrastive needs an explicit density, not MLPGenerator; use gaussian"
    ):
        build(zoo.MLPGenerator((2,)))
    with pytest.raises(RequestError, match=r"config.objective_options.noise_scale: no option of self_contrastive"):
        objectives.METHODS.resolve("self_contrastive", {"noise_scale": 1.0}, "config.objective_options")
