"""Every divergence: its conjugate found numerically from f, the bound tight on discrete distributions, losses in NumPy.

The table below is independent of the code under test: f from Nowozin et al. 2016, table 2, conjugates checked as
suprema, and Lambert's W from SciPy.
"""

import numpy as np
import pytest
import tensorflow as tf
from scipy import optimize
from scipy.special import lambertw

from export.metrics.tfgan import import_tfgan
from trainers.objectives._divergences import DIVERGENCES
from zoo.errors import RequestError

F = {
    "kl": lambda u: u * np.log(u),
    "reverse_kl": lambda u: -np.log(u),
    "pearson": lambda u: (u - 1) ** 2,
    "neyman": lambda u: (1 - u) ** 2 / u,
    "squared_hellinger": lambda u: (np.sqrt(u) - 1) ** 2,
    "jensen_shannon": lambda u: -(u + 1) * np.log((1 + u) / 2) + u * np.log(u),
    "gan": lambda u: u * np.log(u) - (u + 1) * np.log(u + 1),
    "total_variation": lambda u: np.abs(u - 1) / 2,
    "jeffrey": lambda u: (u - 1) * np.log(u),
}

#: g, increasing: the table's with the sign that makes it so.
ACTIVATIONS = {
    "kl": lambda v: v,
    "reverse_kl": lambda v: -np.exp(-v),
    "pearson": lambda v: v,
    "neyman": lambda v: 1 - np.exp(-v),
    "squared_hellinger": lambda v: 1 - np.exp(-v),
    "jensen_shannon": lambda v: np.log(2) - np.logaddexp(0, -v),
    "gan": lambda v: -np.logaddexp(0, -v),
    "total_variation": lambda v: np.tanh(v) / 2,
    "jeffrey": lambda v: v,
}


def jeffrey_conjugate(t):
    w = lambertw(np.exp(1 - t)).real
    return w + 1 / w + t - 2


#: f*, table 6.
CONJUGATES = {
    "kl": lambda t: np.exp(t - 1),
    "reverse_kl": lambda t: -1 - np.log(-t),
    "pearson": lambda t: t**2 / 4 + t,
    "neyman": lambda t: 2 - 2 * np.sqrt(1 - t),
    "squared_hellinger": lambda t: t / (1 - t),
    "jensen_shannon": lambda t: -np.log(2 - np.exp(t)),
    "gan": lambda t: -np.log(1 - np.exp(t)),
    "total_variation": lambda t: t,
    "jeffrey": jeffrey_conjugate,
}

EVERY = pytest.mark.parametrize("name", DIVERGENCES)
SCORES = np.array([-4.0, -1.7, -0.6, -0.05, 0.0, 0.3, 1.1, 2.9])


def supremum(name, t):
    """sup_u ut - f(u): Brent's method over log u; over all real u for `pearson`, as the paper has it."""
    if name == "pearson":
        return -optimize.minimize_scalar(lambda u: F[name](u) - u * t, tol=1e-12).fun
    grid = np.linspace(-40, 40, 2001)
    values = np.exp(grid) * t - F[name](np.exp(grid))
    best = grid[values.argmax()]
    found = optimize.minimize_scalar(
        lambda s: F[name](np.exp(s)) - np.exp(s) * t,
        bounds=(best - 0.1, best + 0.1),
        method="bounded",
        options={"xatol": 1e-10},
    )
    return max(-found.fun, values.max())


def constant(x):
    return tf.constant(np.asarray(x, np.float64))


def test_the_tests_know_every_divergence():
    assert set(F) == set(ACTIVATIONS) == set(CONJUGATES) == set(DIVERGENCES)
    assert len(DIVERGENCES) == 9


@EVERY
def test_f_is_the_tables_and_its_derivative_is_its_derivative(name):
    row, u, h = DIVERGENCES[name], np.array([0.02, 0.4, 0.9, 1.3, 7.0, 60.0]), 1e-6
    np.testing.assert_allclose(row.f(constant(u)), F[name](u), rtol=1e-12, atol=1e-15)
    slope = (F[name](u * (1 + h)) - F[name](u * (1 - h))) / (2 * h * u)
    np.testing.assert_allclose(row.derivative(constant(u)), slope, rtol=1e-7, atol=1e-8)  # central differences


@EVERY
def test_the_conjugate_is_the_supremum_that_defines_it(name):
    row = DIVERGENCES[name]
    t = row.activation(constant(SCORES)).numpy()
    np.testing.assert_allclose(t, ACTIVATIONS[name](SCORES), rtol=1e-12, atol=1e-15)
    assert np.all(np.diff(t) > 0)
    found = row.conjugate(constant(t)).numpy()
    # Oracle: numerical maximisation; its minimum is flat, so the value is good to far better than its place.
    np.testing.assert_allclose(found, [supremum(name, value) for value in t], rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(row.composed(constant(SCORES)), found, rtol=1e-10, atol=1e-13)


@EVERY
def test_the_bound_is_tight_at_the_derivative_of_the_ratio(name):
    rng, row = np.random.default_rng(3), DIVERGENCES[name]
    for _ in range(5):
        p, q = rng.dirichlet(np.ones(6), size=2)
        divergence = (q * F[name](p / q)).sum()
        best = row.derivative(constant(p / q))
        np.testing.assert_allclose(
            (p * best).numpy().sum() - (q * row.conjugate(best)).numpy().sum(), divergence, rtol=1e-10
        )
        for _ in range(5):
            other = row.activation(constant(rng.normal(size=6)))
            assert (p * other).numpy().sum() - (q * row.conjugate(other)).numpy().sum() < divergence


@pytest.mark.parametrize("name", [name for name in DIVERGENCES if name != "total_variation"])
def test_training_scores_on_counts_reaches_the_divergence(name, make):
    """The critic's loss through its own activation: a free score for each of four values, minimised by SciPy's BFGS.

    Not of total_variation, whose best activation, a half, is a limit that no finite score reaches.
    """
    gan = make("f_divergence", divergence=name)
    real, fake = np.array([0, 0, 0, 1, 1, 2, 2, 2, 3, 3]), np.array([0, 1, 1, 1, 1, 2, 2, 3, 3, 3])
    p, q = np.bincount(real) / 10, np.bincount(fake) / 10

    def loss(scores):
        with tf.GradientTape() as tape:
            free = constant(scores)
            tape.watch(free)
            value = gan.critic_loss(tf.gather(free, real)[:, None], tf.gather(free, fake)[:, None])
        return value.numpy(), tf.convert_to_tensor(tape.gradient(value, free)).numpy()

    found = optimize.minimize(loss, np.zeros(4), jac=True, options={"gtol": 1e-9})
    np.testing.assert_allclose(-found.fun, (q * F[name](p / q)).sum(), rtol=1e-8)


@EVERY
@pytest.mark.parametrize("saturating", [False, True])
def test_losses_and_gradients_of_scores(name, saturating, make, value_and_gradient, differences, assert_gradients):
    gan = make("f_divergence", divergence=name, saturating=saturating)
    real, fake = np.random.default_rng(0).normal(size=(2, 7, 1))

    def of_critic(real, fake):
        return CONJUGATES[name](ACTIVATIONS[name](fake)).mean() - ACTIVATIONS[name](real).mean()

    def of_generator(fake):
        activated = ACTIVATIONS[name](fake)
        return -(CONJUGATES[name](activated) if saturating else activated).mean()

    for found, oracle, scores in (
        (gan.critic_loss, of_critic, [real, fake]),
        (gan.generator_loss, of_generator, [fake]),
    ):
        value, gradients = value_and_gradient(found, scores)
        # Oracle: NumPy and SciPy; the gradient by central differences.
        np.testing.assert_allclose(value, oracle(*scores), rtol=1e-10)
        assert_gradients(gradients, differences(oracle, scores))


@EVERY
def test_the_curvature_is_the_conjugates_second_derivative_along_the_score(name):
    g, h = ACTIVATIONS[name], 1e-4
    v = SCORES[1:-1]
    # f*''(t) by second differences of the conjugate in t, g'(v) by first ones.
    t, slope = g(v), (g(v + 1e-6) - g(v - 1e-6)) / 2e-6
    width = h * np.minimum(1.0, np.abs(slope))
    second = CONJUGATES[name](t + width) - 2 * CONJUGATES[name](t) + CONJUGATES[name](t - width)
    found = DIVERGENCES[name].curvature(constant(v))
    # Second differences are good to about 1e-6.
    np.testing.assert_allclose(found, second / width**2 * slope**2, rtol=2e-5, atol=1e-6)


@EVERY
def test_compositions_differentiate_twice(name):
    v = tf.constant(SCORES)
    with tf.GradientTape() as outer:
        outer.watch(v)
        with tf.GradientTape() as inner:
            inner.watch(v)
            value = DIVERGENCES[name].composed(v)
        first = inner.gradient(value, v)
    second = outer.gradient(first, v, unconnected_gradients="zero")
    composed, h = lambda v: CONJUGATES[name](ACTIVATIONS[name](v)), 1e-4
    expected = (composed(SCORES + h) - 2 * composed(SCORES) + composed(SCORES - h)) / h**2
    np.testing.assert_allclose(second, expected, rtol=2e-5, atol=1e-5)  # second differences


@pytest.mark.parametrize("name", ["gan", "jensen_shannon", "total_variation", "pearson"])
def test_certain_critics_overflow_nothing(name, make, value_and_gradient):
    gan = make("f_divergence", divergence=name)
    scores = np.array([[-700.0], [-50.0], [50.0], [700.0]])
    for found, arrays in ((gan.critic_loss, [scores, scores]), (gan.generator_loss, [scores])):
        value, gradients = value_and_gradient(found, arrays)
        assert np.isfinite(value)
        assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_lamberts_w_holds_from_one_end_of_the_scores_to_the_other():
    """Oracle: the equation w + log w = 1 - v itself, w = 1/f*'(v); SciPy's W overflows where exp(1 - v) does."""
    v = np.concatenate([-np.logspace(4, -3, 50), np.linspace(-3, 3, 61), np.logspace(-3, 2, 40)])
    x = tf.constant(v)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = DIVERGENCES["jeffrey"].composed(x)
    w = 1 / tape.gradient(value, x).numpy()
    # At v = -10⁴ the derivative is 10⁻⁴, left over of terms of order one.
    np.testing.assert_allclose(w + np.log(w), 1 - v, rtol=1e-11, atol=1e-12)
    within = np.abs(v) < 500
    np.testing.assert_allclose(value.numpy()[within], jeffrey_conjugate(v[within]), rtol=1e-11, atol=1e-12)


def test_with_gan_it_is_the_original_game_as_in_tf_gan(make):
    losses = import_tfgan().losses.losses_impl
    real, fake = np.random.default_rng(1).normal(size=(2, 9, 1)).astype(np.float32)
    gan = make("f_divergence", divergence="gan")
    theirs = losses.minimax_discriminator_loss(real, fake, label_smoothing=0.0)
    np.testing.assert_allclose(gan.critic_loss(tf.constant(real), tf.constant(fake)), theirs, rtol=1e-6)  # float32
    theirs = losses.modified_generator_loss(fake, label_smoothing=0.0)
    np.testing.assert_allclose(gan.generator_loss(tf.constant(fake)), theirs, rtol=1e-6)


@pytest.mark.parametrize(
    "wrong, near", [("reverse-kl", "reverse_kl"), ("hellinger", "squared_hellinger"), ("js", "expected")]
)
def test_an_unknown_divergence_is_refused_with_the_nearest(wrong, near, make):
    with pytest.raises(RequestError, match=rf"config.objective_options.divergence: '{wrong}'; .*{near}"):
        make("f_divergence", divergence=wrong)
