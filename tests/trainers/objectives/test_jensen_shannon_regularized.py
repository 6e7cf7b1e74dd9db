"""Roth's regulariser: a critic and its gradient by hand, differences, and noise on the inputs by quadrature."""

import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.batch import Batch
from zoo.errors import RequestError


def sigmoid(t):
    return 1 / (1 + np.exp(-t))


@pytest.mark.parametrize("divergence", ["jensen_shannon", "gan", "kl", "squared_hellinger"])
def test_loss_and_weight_gradient(
    divergence, make, points, noise_of, weight_gradient, differences, assert_gradients, penalised_critic
):
    gan, (real, fake) = make("jensen_shannon_regularized", gamma=0.6, divergence=divergence), points(6)

    def oracle(*weights):
        (r, real_slopes), (f, fake_slopes) = penalised_critic(weights, real), penalised_critic(weights, fake)
        if divergence in ("jensen_shannon", "gan"):
            loss = np.logaddexp(0, -r).mean() + np.logaddexp(0, f).mean()
            loss -= 2 * np.log(2) * (divergence == "jensen_shannon")
            omega = ((1 - sigmoid(r)) ** 2 * real_slopes).mean() + (sigmoid(f) ** 2 * fake_slopes).mean()
        elif divergence == "kl":  # f* = exp(t - 1), its own second derivative; g(v) = v
            loss, omega = np.exp(f - 1).mean() - r.mean(), (np.exp(f - 1) * fake_slopes).mean()
        else:  # f* = t / (1 - t), f*'' = 2 / (1 - t)³; g(v) = 1 - exp(-v), and ∇g(v) = exp(-v)∇v
            loss = (np.exp(f) - 1).mean() - (1 - np.exp(-r)).mean()
            omega = (2 * np.exp(3 * f) * np.exp(-2 * f) * fake_slopes).mean()
        return loss + 0.3 * omega

    value, found = weight_gradient(
        lambda: gan.compute_critic_loss(Batch(tf.constant(real)), Batch(tf.constant(fake)), noise_of(6)),
        gan.critic,
    )
    weights = gan.critic.get_weights()
    # Oracle: NumPy; γ is a float32 number. The gradient by central differences: the weights of ‖∇D‖² take part in it.
    np.testing.assert_allclose(value, oracle(*weights), rtol=1e-7)
    for one, other in zip(found, differences(oracle, weights)):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


def test_images_are_penalised_over_all_their_components(make, noise_of):
    critic = zoo.MLPCritic((4, 4, 1), hidden_units=(), dtype="float64")
    gan = make("jensen_shannon_regularized", critic=critic)
    x = tf.constant(np.random.default_rng(0).normal(size=(5, 4, 4, 1)))
    kernel, bias = critic.get_weights()
    scores = x.numpy().reshape(5, 16) @ kernel + bias
    omega = (((1 - sigmoid(scores)) ** 2).mean() + (sigmoid(scores) ** 2).mean()) * (kernel**2).sum()
    game = np.logaddexp(0, -scores).mean() + np.logaddexp(0, scores).mean() - 2 * np.log(2)
    np.testing.assert_allclose(gan.compute_critic_loss(Batch(x), Batch(x), noise_of(5)), game + 0.05 * omega, rtol=1e-7)


def gaussian_expectation(values, mean, scale):
    nodes, weights = np.polynomial.hermite_e.hermegauss(100)
    return (weights / weights.sum() * values(mean + scale * nodes)).sum()


def test_omega_is_what_noise_of_variance_gamma_does_to_the_loss(make):
    """At the optimal critic d/dγ of the critic's loss on noised examples is Ω/2, in both forms of Ω.

    Oracle: Gauss-Hermite quadrature over p = N(0.3, 0.9²) and q = N(-0.2, 1.1²), convolved with N(0, γ), by central
    differences in γ. Roth et al. 2017: the Laplacian terms cancel where p(1 - σ) = qσ.
    """
    (m, s), (mu, t) = (0.3, 0.9), (-0.2, 1.1)

    def score(x):
        return 0.5 * ((x - mu) / t) ** 2 - 0.5 * ((x - m) / s) ** 2 + np.log(t / s)

    def slope(x):
        return (x - mu) / t**2 - (x - m) / s**2

    def noised(gamma):
        real = gaussian_expectation(lambda x: np.logaddexp(0, -score(x)), m, np.sqrt(s**2 + gamma))
        return real + gaussian_expectation(lambda x: np.logaddexp(0, score(x)), mu, np.sqrt(t**2 + gamma))

    by_noise = (noised(1e-4) - noised(-1e-4)) / 2e-4
    gan = make("jensen_shannon_regularized", dim=1)
    general = make("jensen_shannon_regularized", dim=1)
    general.divergence = "the general form"  # of the same row

    def omega(gan):
        def on(x, real, fake):
            pairs = zip(tf.constant(score(x)[:, None, None]), tf.constant(slope(x)[:, None, None] ** 2))
            return tf.stack([gan.regularizer(v, real * square, v, fake * square) for v, square in pairs]).numpy()

        of_real = gaussian_expectation(lambda x: on(x, 1.0, 0.0), m, s)
        return of_real + gaussian_expectation(lambda x: on(x, 0.0, 1.0), mu, t)

    np.testing.assert_allclose(0.5 * omega(gan), by_noise, rtol=1e-6)
    np.testing.assert_allclose(0.5 * omega(general), by_noise, rtol=1e-6)


def test_gamma_falls_exponentially_to_its_share_and_stays(make):
    gan = make("jensen_shannon_regularized", gamma=2.0, decay=0.01, decay_steps=100)
    for step, expected in ((0, 2.0), (50, 0.2), (100, 0.02), (1000, 0.02)):
        gan.step.assign(step)
        np.testing.assert_allclose(gan.current_gamma(), expected, rtol=1e-6)
    assert float(make("jensen_shannon_regularized").current_gamma()) == np.float32(0.1)


def test_wrong_requests_are_refused(make):
    for options, message in (
        ({"gamma": -0.1}, "gamma: -0.1; expected a number, 0 or more"),
        ({"decay": 0.0}, "decay: 0.0; expected a number in"),
        ({"decay": 1.5}, "decay: 1.5; expected a number in \\(0, 1\\]"),
        ({"decay_steps": 0}, "decay_steps: 0; expected a number, 1 or more"),
        ({"divergence": "total_variation"}, "divergence: 'total_variation'"),
    ):
        with pytest.raises(RequestError, match=rf"config.objective_options.{message}"):
            make("jensen_shannon_regularized", **options)
    mixing = zoo.MLPCritic((3,), hidden_units=(5,), normalization="batch")
    with pytest.raises(RequestError, match=r"config.critic.normalization: 'batch' mixes"):
        make("jensen_shannon_regularized", critic=mixing)
