"""The variational autoencoder: SciPy's normal densities, differences, replicas, and probabilistic PCA, its optimum
where both networks are linear."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

import configs.digits
import zoo
from trainers import build as building
from trainers import config as config_checks
from trainers import objectives
from trainers.checkpoints import Checkpoints
from zoo.batch import Batch
from zoo.datasets import DataSpec
from zoo.errors import RequestError

VAE = objectives.METHODS.load("vae")
LATENTS, DIM = 2, 3


def build(hidden=(4,), dim=DIM, generator=None, **options):
    keras.utils.set_random_seed(0)
    generator = generator or zoo.MLPGenerator(
        (dim,), latent_dim=LATENTS, hidden_units=hidden, activation="tanh", dtype="float64"
    )
    encoder = zoo.Encoder((dim,), 2 * LATENTS, "mlp", {"hidden_units": hidden, "activation": "tanh"}, dtype="float64")
    vae, rng = VAE(generator, encoder, **options), np.random.default_rng(7)
    for network in vae.networks.values():
        # Biases too: networks that start at zero would hide a term.
        network.set_weights([0.7 * rng.normal(size=weight.shape) for weight in network.get_weights()])
    return vae


def layered(weights, x):
    """A perceptron with one hidden layer of tanh."""
    return np.tanh(x @ weights[0] + weights[1]) @ weights[2] + weights[3]


def draws(vae, count):
    """The standard normals of this step's posterior, float64 [count, LATENTS]."""
    return vae.noise(count).normal("posterior", [LATENTS]).numpy().astype(np.float64)


def negative_elbo(decoder, encoder, x, normals, scale):
    """(the bound, the divergence, the mean squared error) by SciPy's densities."""
    means, log_variances = np.split(layered(encoder, x), 2, axis=1)
    deviations = np.exp(log_variances / 2)
    # E log q(z) - log p(z): a polynomial of degree 2, for which eight nodes of Gauss and Hermite are exact.
    nodes, shares = np.polynomial.hermite_e.hermegauss(8)
    z = means[..., None] + deviations[..., None] * nodes
    ratio = stats.norm.logpdf(z, means[..., None], deviations[..., None]) - stats.norm.logpdf(z)
    divergence = (ratio @ (shares / shares.sum())).sum(axis=1).mean()
    made = layered(decoder, means + deviations * normals)
    error = ((x - made) ** 2).mean()
    likelihood = stats.norm.logpdf(x, made, np.sqrt(error) if scale is None else scale).sum(axis=1).mean()
    return divergence - likelihood, divergence, error


@pytest.mark.parametrize("scale", [None, 0.6])
def test_loss_and_weight_gradient(scale, points, weight_gradient, differences, assert_gradients):
    vae, (real, _) = build(scale=scale), points(6)
    normals = draws(vae, 6)
    weights = [*vae.generator.get_weights(), *vae.encoder.get_weights()]

    def oracle(*weights):
        return negative_elbo(weights[:4], weights[4:], real, normals, scale)

    told = {}

    def loss():
        value, logs = vae.negative_elbo(Batch(tf.constant(real)), vae.noise(6))
        told.update(logs)
        return value

    value, found = weight_gradient(loss, vae.generator, vae.encoder)
    expected, divergence, error = oracle(*weights)
    # Oracle: SciPy's densities, float64 rounding; the gradient of decoder and encoder by central differences.
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_allclose([told["kl_divergence"], told["reconstruction_error"]], [divergence, error], rtol=1e-12)
    assert_gradients(found, differences(lambda *weights: oracle(*weights)[0], weights))
    # Through the draw the error reaches the encoder; through the divergence alone it would not reach the decoder.
    assert all(np.abs(gradient).max() > 1e-3 for gradient in found)


def test_the_default_scale_is_the_best_one(points):
    real, losses = Batch(tf.constant(points(6)[0])), {}
    error = build().negative_elbo(real, build().noise(6))[1]["reconstruction_error"].numpy()
    for factor in (None, 0.9, 1.0, 1.1):
        vae = build(scale=None if factor is None else factor * np.sqrt(error))
        losses[factor] = float(vae.negative_elbo(real, vae.noise(6))[0])
    np.testing.assert_allclose(losses[None], losses[1.0], rtol=1e-12)
    assert losses[1.0] < min(losses[0.9], losses[1.1])


@pytest.mark.parametrize("scale", [None, 0.6])
def test_two_replicas_have_the_loss_and_gradient_of_one(scale, points, assert_replicas_agree):
    real, _ = points(8)
    real[4:] *= 5.0  # The halves' own errors are far apart.

    def loss(vae, real):
        return vae.negative_elbo(real, vae.noise(tf.shape(real.x)[0]))[0]

    assert_replicas_agree(lambda: build(scale=scale), loss, "generator", real)


def test_a_step_moves_decoder_and_encoder_by_one_optimizer_with_a_draw_of_its_own(differences):
    vae, rate = build(seed=4), 0.05
    vae.compile(keras.optimizers.SGD(rate))
    weights = [*vae.generator.get_weights(), *vae.encoder.get_weights()]
    seen = []
    for real in np.random.default_rng(0).normal(size=(2, 6, DIM)):
        normals = draws(vae, 6)
        seen.append(normals)

        def oracle(*weights, real=real, normals=normals):
            return negative_elbo(weights[:4], weights[4:], real, normals, None)[0]

        value, gradients = oracle(*weights), differences(oracle, weights)
        logs = vae.train_step((real,))
        norm = np.sqrt(sum((gradient**2).sum() for gradient in gradients))
        np.testing.assert_allclose(logs["generator_loss"], value, rtol=1e-7)
        np.testing.assert_allclose(logs["generator_gradient_norm"], norm, rtol=1e-6)
        weights = [weight - rate * gradient for weight, gradient in zip(weights, gradients)]
    assert np.abs(seen[0] - seen[1]).max() > 0.1
    # Oracle: plain descent in NumPy by central differences.
    for one, other in zip([*vae.generator.get_weights(), *vae.encoder.get_weights()], weights):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-8)
    assert set(logs) == {"generator_loss", "generator_gradient_norm", "kl_divergence", "reconstruction_error"}


def test_exact_reconstructions_have_a_finite_loss_and_gradient(weight_gradient):
    vae = build()
    for network in vae.networks.values():
        network.set_weights([np.zeros_like(weight) for weight in network.get_weights()])
    zeros = Batch(tf.zeros([6, DIM], tf.float64))
    value, found = weight_gradient(lambda: vae.negative_elbo(zeros, vae.noise(6))[0], *vae.networks.values())
    # The posterior is the prior; the decoder has the least standard deviation, 1e-4.
    np.testing.assert_allclose(value, -DIM * stats.norm.logpdf(0.0, scale=1e-4), rtol=1e-12)
    assert all(np.isfinite(gradient).all() for gradient in found)


def test_with_linear_networks_it_becomes_probabilistic_pca():
    """Oracle: the maximum of the likelihood of probabilistic PCA (Tipping & Bishop 1999, equations 7 to 9, from the
    eigenvalues of the data's covariance), which Lucas et al. 2019, "Don't blame the ELBO!", prove to be the maximum of
    the ELBO of a linear VAE. Its decoder's columns are the principal axes: the posterior's covariance is diagonal."""
    dim, rng = 5, np.random.default_rng(3)
    axes = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    points = rng.normal(size=(512, dim)) * [2.0, 1.2, 0.4, 0.3, 0.25] @ axes.T + rng.normal(size=dim)
    eigenvalues = np.linalg.eigvalsh(np.cov(points.T, bias=True))[::-1]
    noise = eigenvalues[LATENTS:].mean()
    most = -0.5 * (
        dim * np.log(2 * np.pi) + np.log(eigenvalues[:LATENTS]).sum() + (dim - LATENTS) * np.log(noise) + dim
    )

    vae, steps = build(hidden=(), dim=dim), 1_500
    for network in vae.networks.values():
        network.set_weights([0.3 * weight for weight in network.get_weights()])
    rate = keras.optimizers.schedules.CosineDecay(0.05, steps)
    vae.compile(keras.optimizers.Adam(rate, beta_2=0.99), steps_per_execution=100)
    before = exact_elbo(vae, points)[0]
    vae.fit(tf.data.Dataset.from_tensors(points).repeat(), steps_per_epoch=steps, verbose=0, shuffle=False)
    reached, variance = exact_elbo(vae, points)
    # A bound: never above. The draws leave noise in the weights.
    assert before < most - 2 and most - 1e-3 < reached < most
    np.testing.assert_allclose(variance, noise, rtol=0.01)
    kernel, bias = vae.generator.get_weights()
    np.testing.assert_allclose(bias, points.mean(axis=0), atol=0.03)
    gram = kernel @ kernel.T
    np.testing.assert_allclose(np.sort(np.diag(gram))[::-1], eigenvalues[:LATENTS] - noise, rtol=0.02)
    assert abs(gram[0, 1]) < 0.02 * np.sqrt(gram[0, 0] * gram[1, 1])
    # What it samples has the covariance of the principal part.
    samples = vae.generator(rng.normal(size=(20_000, LATENTS))).numpy()
    principal = np.linalg.eigvalsh(np.cov(samples.T))[::-1]
    np.testing.assert_allclose(principal[:LATENTS], eigenvalues[:LATENTS] - noise, rtol=0.05)


def exact_elbo(vae, points):
    """(ELBO per example, the decoder's best variance) of linear networks, in closed form: no draw."""
    (kernel, bias), (encode, offset) = vae.generator.get_weights(), vae.encoder.get_weights()
    means, log_variances = np.split(points @ encode + offset, 2, axis=1)
    variances = np.exp(log_variances)
    divergence = 0.5 * (means**2 + variances - 1 - log_variances).sum(axis=1).mean()
    error = ((points - means @ kernel - bias) ** 2).sum(axis=1) + variances @ (kernel**2).sum(axis=1)
    variance = error.mean() / points.shape[1]
    return -divergence - 0.5 * points.shape[1] * (1 + np.log(2 * np.pi * variance)), variance


def test_decoder_and_encoder_are_one_player_and_a_checkpoint_holds_both(points, tmp_path):
    trained, fresh = build(), build(seed=1)
    for vae in (trained, fresh):
        vae.compile(keras.optimizers.Adam(0.01))
    assert (list(trained.networks), list(trained.players)) == (["generator", "encoder"], ["generator"])
    with pytest.raises(TypeError, match="VAE has no player 'encoder'; it has generator"):
        trained.compile(encoder_optimizer=keras.optimizers.SGD(0.1))
    trained.fit(tf.data.Dataset.from_tensor_slices(np.stack(points(6))), verbose=0, shuffle=False)
    Checkpoints(tmp_path).save(trained)
    assert Checkpoints(tmp_path).restore_newest(fresh) == 2
    for part in ("generator", "encoder", "generator_optimizer"):
        for one, other in zip(trained.state()[part].variables, fresh.state()[part].variables, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_decoder_that_is_told_labels_reconstructs_under_them():
    decoder = zoo.ConditionalGenerator((DIM,), 3, "mlp", {"latent_dim": LATENTS - 1}, 4, dtype="float64")
    vae, x = build(generator=decoder), tf.zeros([4, DIM], tf.float64)
    made = [vae.reconstruct(Batch(x, {"label": tf.fill([4], label)}), vae.noise(4))[1].x.numpy() for label in (0, 0, 2)]
    np.testing.assert_array_equal(made[0], made[1])
    assert np.abs(made[0] - made[2]).max() > 1e-3


def test_the_encoder_has_the_layers_of_the_critic_and_what_its_key_changes(small_config):
    def encoder(**changes):
        config = small_config("vae", changes)
        return building.build(config, spec=DataSpec((2,))).model.encoder

    plain = encoder()
    assert (plain.family, plain.code_dim, plain.network["hidden_units"]) == ("mlp", 8, (8,))
    changed = encoder(**{"encoder.hidden_units": (7, 5), "encoder.normalization": "layer"})
    assert (changed.network["hidden_units"], changed.network["normalization"]) == ((7, 5), "layer")
    assert changed.network["activation"] == "tanh"
    # One with a family of its own takes nothing from the critic's.
    own = encoder(encoder={"family": "mlp"})
    assert (own.network["activation"], own.network["hidden_units"]) == ("relu", (128, 128))
    digits = configs.digits.get_config("vae")
    run = building.build(digits, config_checks.check(digits))
    assert (run.model.encoder.family, run.model.encoder.network["normalization"]) == ("dcgan", "batch")
    assert "encoder dcgan of 140,880 parameters" in building.summary(run)[1]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"dynamics": "consensus"}, "config.dynamics: 'consensus' does not compose with 'vae': there is one player"),
        ({"dynamics_options.critic_steps": 2}, "config.dynamics_options.critic_steps: 2; 'vae': it trains no critic"),
        ({"techniques.zero_centred": {"weight": 1.0}}, "config.techniques.zero_centred: 'vae': it trains no critic"),
        ({"conditional.critic": "projection"}, "config.conditional.critic: 'projection'; 'vae': it trains no critic"),
        ({"mixture.components": 2}, "'vae' is not played by mixtures: its encoder inverts one generator"),
        ({"objective_options.scale": 0.0}, "config.objective_options.scale: 0.0; expected a number above 0"),
        (
            {"critic.family": "mlp_autoencoder"},
            "config.critic.family: 'mlp_autoencoder'; vae needs an encoder, use mlp, dcgan, resnet or srgan",
        ),
    ],
)
def test_what_does_not_go_with_it_is_refused(changes, message, small_config):
    config = small_config("vae", changes)
    with pytest.raises(RequestError, match=message):
        building.build(config, spec=DataSpec((2,), 8))


def test_an_encoder_with_other_codes_is_refused():
    generator = zoo.MLPGenerator((DIM,), latent_dim=LATENTS)
    with pytest.raises(RequestError, match=r"encoder\.code_dim: 2; expected 4, means and log-variances of 2 latents"):
        VAE(generator, zoo.Encoder((DIM,), LATENTS))
    with pytest.raises(RequestError, match=r"encoder\.code_dim: None; expected 4"):
        VAE(generator, zoo.MLPCritic((DIM,)))
