"""Noise-contrastive estimation: SciPy's normal densities, differences, its minimum by quadrature, and a fit."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

import zoo
from trainers import objectives
from zoo.datasets import DataSpec
from zoo.errors import RequestError


def build(model=None, dim=2, **options):
    keras.utils.set_random_seed(0)
    model = model or zoo.Gaussian((dim,), dtype="float64")
    return objectives.METHODS.load("noise_contrastive")(model, **options)


def set_gaussian(model, mean, factor):
    model.mean.assign(mean)
    model.log_diagonal.assign(np.log(np.diag(factor)))
    model.below.assign(factor)


def test_loss_and_weight_gradient(weight_gradient, differences, assert_gradients):
    gan = build(noise_mean=0.5, noise_scale=2.0)
    model = gan.generator
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    real, contrast = rng.normal(size=(2, 6, 2))
    noise = stats.multivariate_normal([0.5, 0.5], 4.0 * np.eye(2))

    def oracle(mean, log_diagonal, below):
        factor = np.tril(below, -1) + np.diag(np.exp(log_diagonal))
        density = stats.multivariate_normal(mean, factor @ factor.T)
        r, s = (density.logpdf(x) - noise.logpdf(x) for x in (real, contrast))
        return np.logaddexp(0, -r).mean() + np.logaddexp(0, s).mean()

    value, found = weight_gradient(lambda: gan.contrastive_loss(tf.constant(real), tf.constant(contrast)), model)
    weights = [variable.numpy() for variable in model.trainable_variables]
    # Oracle: SciPy's densities, float64 rounding; the gradient by central differences.
    np.testing.assert_allclose(value, oracle(*weights), rtol=1e-12)
    assert_gradients(found, differences(oracle, weights))


def test_the_expected_gradient_is_zero_where_the_model_is_the_data():
    """Oracle: Gauss-Hermite quadrature in one dimension; p = N(0.4, 0.7²), noise N(0, 1)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    sizes = []
    for mean, scale in ((0.4, 0.7), (0.1, 0.9)):
        gan = build(dim=1)
        set_gaussian(gan.generator, [mean], np.array([[scale]]))
        variables = [variable.value for variable in gan.generator.trainable_variables]
        with tf.GradientTape() as tape:
            pairs = zip(tf.constant((0.4 + 0.7 * nodes)[:, None, None]), tf.constant(nodes[:, None, None]))
            losses = [gan.contrastive_loss(real, contrast) for real, contrast in pairs]
            loss = tf.reduce_sum(tf.stack(losses) * weights / weights.sum())
        gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
        sizes.append(max(np.abs(gradient).max() for gradient in gradients))
    assert sizes[0] < 1e-9
    assert sizes[1] > 1e-2


def test_the_noise_is_drawn_with_its_mean_and_scale():
    gan = build(noise_mean=0.5, noise_scale=2.0)
    normal = gan.noise(6).normal("contrast", [2]).numpy().astype(np.float64)
    np.testing.assert_allclose(gan.contrast(gan.noise(6)), 0.5 + 2.0 * normal, rtol=1e-15)
    # The noise density is that of the distribution it is drawn from.
    found = stats.multivariate_normal([0.5, 0.5], 4.0 * np.eye(2)).logpdf(0.5 + 2.0 * normal)
    np.testing.assert_allclose(gan.contrast_log_density(0.5 + 2.0 * normal), found, rtol=1e-12)


def test_steps_move_the_model_with_noise_of_their_own(weight_gradient):
    gan, twin = (build(noise_mean=0.3, seed=4) for _ in range(2))
    gan.compile(keras.optimizers.SGD(0.5))
    for real in np.random.default_rng(0).normal(1.0, 2.0, (2, 6, 2)):
        contrast, x = twin.contrast(twin.noise(6)), tf.constant(real)
        cost = -tf.reduce_mean(twin.generator.log_density(x))
        # The loss is pinned by SciPy above; here it is the order of the moves.
        value, gradients = weight_gradient(lambda x=x, c=contrast: twin.contrastive_loss(x, c), twin.generator)
        for variable, gradient in zip(twin.generator.trainable_variables, gradients):
            variable.assign(variable - 0.5 * gradient)
        twin.step.assign_add(1)
        logs = gan.train_step((x,))
    for one, other in zip(gan.generator.get_weights(), twin.generator.get_weights()):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    norm = np.sqrt(sum((gradient**2).sum() for gradient in gradients))
    found = [logs[key] for key in ("generator_loss", "negative_log_likelihood", "generator_gradient_norm")]
    np.testing.assert_allclose(found, [value, cost, norm], rtol=1e-12)


def test_it_fits_a_gaussian_and_samples_it():
    mean, factor = np.array([1.0, -0.5]), np.array([[0.6, 0.0], [0.5, 0.8]])
    points = mean + np.random.default_rng(1).normal(size=(300, 512, 2)) @ factor.T
    gan = build(zoo.Gaussian((2,)), noise_scale=1.5, ema_decay=0.9)
    gan.compile(keras.optimizers.Adam(0.02))
    history = gan.fit(tf.data.Dataset.from_tensor_slices(points.astype(np.float32)), verbose=0, shuffle=False).history
    assert set(history) == {"generator_loss", "negative_log_likelihood", "generator_gradient_norm"}
    np.testing.assert_allclose(gan.generator.mean, mean, atol=0.05)
    samples = gan.sample(range(4000)).numpy()
    # 4,000 samples: standard errors of about 0.015.
    np.testing.assert_allclose(np.cov(samples.T), factor @ factor.T, atol=0.1)
    # The logged cost is the negative log-likelihood, here near the data's entropy.
    entropy = np.log(2 * np.pi * np.e) + np.log(0.6 * 0.8)
    np.testing.assert_allclose(history["negative_log_likelihood"][-1], entropy, atol=0.1)


def test_the_density_is_the_only_player_and_network():
    gan = build()
    gan.compile()
    assert (list(gan.networks), list(gan.players)) == (["generator"], ["generator"])
    assert len(gan.trainable_variables) == len(gan.generator.trainable_variables) * 2  # and the average's
    with pytest.raises(TypeError, match="NoiseContrastive has no player 'critic'; it has generator"):
        gan.compile(critic_optimizer=keras.optimizers.SGD(0.1))


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"dynamics": "simultaneous"},
            "config.dynamics: 'simultaneous' does not compose with 'noise_contrastive'",
        ),
        (
            {"dynamics_options.critic_steps": 2},
            "config.dynamics_options.critic_steps: 2; .* trains no critic, use 1",
        ),
        (
            {"techniques.zero_centred": {"weight": 1.0}},
            "config.techniques.zero_centred: 'noise_contrastive': it trains no critic; leave it out",
        ),
    ],
)
def test_parts_that_need_a_critic_are_refused(changes, message, small_config):
    from trainers import build as building

    config = small_config("noise_contrastive")
    config.update_from_flattened_dict(changes)
    with pytest.raises(RequestError, match=message):
        building.build(config, spec=DataSpec((2,)))


def test_wrong_requests_are_refused():
    with pytest.raises(
        RequestError, match=r"noise_contrastive needs an explicit density, not MLPGenerator; use gaussian"
    ):
        build(zoo.MLPGenerator((2,)))
    with pytest.raises(RequestError, match=r"config.objective_options.noise_scale: 0; expected a number above 0"):
        build(noise_scale=0)
    with pytest.raises(RequestError, match=r"config.objective_options.noise_mean: 'left'; expected a number"):
        build(noise_mean="left")
