"""MRGAN: linear networks in NumPy, differences, the encoder's own optimizer, resumption."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from trainers import objectives
from trainers.checkpoints import Checkpoints
from trainers.dynamics.alternating import Alternating
from trainers.techniques.instance_noise import InstanceNoise
from zoo.batch import Batch
from zoo.errors import RequestError
from zoo.noise import Noise

RATE = 0.125


def linear(make, name="mode_regularized", **options):
    return make(name, hidden=(), generator_hidden=(), **options)


def apply(weights, x):
    return x @ weights[0] + weights[1]


def encoder_loss(generator, encoder, critic, real, reconstruction_weight, mode_weight, shift=0.0):
    made = apply(generator, apply(encoder, real))
    found_real = np.logaddexp(0, -apply(critic, made + shift)).mean()  # -log D(G(E(x)))
    return reconstruction_weight * ((real - made) ** 2).mean() + mode_weight * found_real


def test_generator_and_encoder_losses_and_gradients(
    make, points, noise_of, weight_gradient, differences, assert_gradients
):
    gan, (real, _) = linear(make, reconstruction_weight=0.7, mode_weight=0.3), points(6)
    latents = np.random.default_rng(5).normal(size=(6, 2))
    critic = gan.critic.get_weights()

    def of_encoder(*weights):
        return encoder_loss(weights[:2], weights[2:], critic, real, 0.7, 0.3)

    def of_generator(*weights):
        return np.logaddexp(0, -apply(critic, apply(weights[:2], latents))).mean() + of_encoder(*weights)

    weights = [*gan.generator.get_weights(), *gan.encoder.get_weights()]
    x = tf.constant(real)
    # Oracle: NumPy, float64 rounding; gradients by central differences.
    value, found = weight_gradient(
        lambda: gan.generator_total_loss(Batch(x), Batch(gan.generator(tf.constant(latents))), noise_of(6)),
        gan.generator,
    )
    np.testing.assert_allclose(value, of_generator(*weights), rtol=1e-12)
    assert_gradients(found, differences(of_generator, weights)[:2])
    value, found = weight_gradient(lambda: gan.encoder_loss(Batch(x), gan.critic, noise_of(6)), gan.encoder)
    np.testing.assert_allclose(value, of_encoder(*weights), rtol=1e-12)
    assert_gradients(found, differences(of_encoder, weights)[2:])


def test_instance_noise_is_on_all_that_the_critic_sees_and_on_nothing_else(make, points, noise_of):
    gan = linear(make, reconstruction_weight=0.7, mode_weight=0.3, techniques=[InstanceNoise(std=0.5, until=10)])
    (real, fake), noise = points(6), noise_of(6)
    of_fake, of_reconstructed = (
        0.5 * noise.normal(f"instance noise {kind}", [3]).numpy().astype(np.float64)
        for kind in ("fake", "reconstructed")
    )
    assert abs(np.corrcoef(of_fake.ravel(), of_reconstructed.ravel())[0, 1]) < 0.7  # 18 pairs, three deviations
    generator, encoder, critic = (player.get_weights() for player in (gan.generator, gan.encoder, gan.critic))
    # Oracle: NumPy. The reconstruction is compared with the clean example in both moves.
    expected = encoder_loss(generator, encoder, critic, real, 0.7, 0.3, of_reconstructed)
    found = gan.encoder_loss(Batch(tf.constant(real)), gan.critic, noise)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    expected += np.logaddexp(0, -apply(critic, fake + of_fake)).mean()
    found = gan.generator_total_loss(Batch(tf.constant(real)), Batch(tf.constant(fake)), noise)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_generator_is_rewarded_where_the_critic_finds_reconstructions_real(make, points, noise_of):
    """The survey prints +λ₂ log D, which would punish it; the paper's text, and the mathematics, say -λ₂."""
    gan, (real, _) = linear(make, mode_weight=5.0), points(6)
    kernel, bias = gan.critic.get_weights()
    losses = []
    for shift in (0.0, 3.0):
        gan.critic.set_weights([kernel, bias + shift])  # everything looks more real
        losses.append(float(gan.encoder_loss(Batch(tf.constant(real)), gan.critic, noise_of(6))))
    assert losses[1] < losses[0]


def test_a_step_moves_the_encoder_first_by_an_optimizer_of_its_own(make, points, differences):
    gan, (real, _) = linear(make), points(6)
    # The encoder's is like the generator's, which is not the critic's.
    gan.compile(keras.optimizers.SGD(RATE), keras.optimizers.SGD(2.0 * RATE))
    assert gan.players["encoder"].optimizer is not gan.players["generator"].optimizer
    generator, encoder, critic = (player.get_weights() for player in (gan.generator, gan.encoder, gan.critic))
    gan.fit(tf.data.Dataset.from_tensors(real), verbose=0, shuffle=False)

    noise = Noise.of_step(0, tf.constant(0, tf.int64), 6).fold_in(0).fold_in(0)
    latents = noise.normal("latents", [2]).numpy().astype(np.float64)

    def of_encoder(*encoder):
        return encoder_loss(generator, encoder, critic, real, 0.2, 0.4)

    def of_critic(*critic):
        fake = apply(generator, latents)
        return np.logaddexp(0, -apply(critic, real)).mean() + np.logaddexp(0, apply(critic, fake)).mean()

    def of_generator(*generator):
        game = np.logaddexp(0, -apply(critic, apply(generator, latents))).mean()
        return game + encoder_loss(generator, encoder, critic, real, 0.2, 0.4)

    def moved(loss, weights, rate=RATE):
        return [w - rate * g for w, g in zip(weights, differences(loss, weights))]

    # Oracle: the three moves in NumPy by central differences, each at what the last one left.
    encoder = moved(of_encoder, encoder)
    critic = moved(of_critic, critic, 2.0 * RATE)
    generator = moved(of_generator, generator)
    for player, expected in ((gan.encoder, encoder), (gan.critic, critic), (gan.generator, generator)):
        for one, other in zip(player.get_weights(), expected):
            np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", ["mode_regularized", "manifold_diffusion"])
def test_the_encoder_moves_on_the_last_batch_of_a_step(make, points, name):
    (one, other), (last, _) = points(6), points(6, seed=3)
    found = []
    for batches in ((one, last), (other, last), (one, other)):
        gan = linear(make, name, dynamics=Alternating(critic_steps=2))
        gan.compile(keras.optimizers.SGD(RATE), keras.optimizers.SGD(RATE))
        gan.train_step(batches)
        found.append(np.concatenate([weight.ravel() for weight in gan.encoder.get_weights()]))
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[0] - found[2]).max() > 1e-3


def test_a_checkpoint_holds_the_encoder_and_its_optimizer(make, tmp_path):
    trained, fresh = make("mode_regularized"), make("mode_regularized")
    for gan in (trained, fresh):
        gan.compile(keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01))
    data = np.random.default_rng(0).normal(size=(2, 6, 3))
    trained.fit(tf.data.Dataset.from_tensor_slices(data), verbose=0, shuffle=False)
    Checkpoints(tmp_path).save(trained)
    assert Checkpoints(tmp_path).restore_newest(fresh) == 2
    for part in ("encoder", "encoder_optimizer"):
        one, other = trained.state()[part].variables, fresh.state()[part].variables
        assert len(one) == len(other) > 0
        for a, b in zip(one, other):
            np.testing.assert_array_equal(a, b)
    assert int(fresh.players["encoder"].optimizer.iterations) == 2


def test_the_encoder_follows_the_critics_layers_but_not_its_tricks():
    for normalization, kept in (
        ("layer", "layer"),
        ("batch", "batch"),
        ("spectral", "none"),
        ("virtual_batch", "none"),
    ):
        critic = zoo.MLPCritic(
            (3,), hidden_units=(7, 5), activation="tanh", normalization=normalization, dtype="float64"
        )
        encoder = zoo.Encoder.beside(critic, 4)
        expected = {"hidden_units": (7, 5), "activation": "tanh", "normalization": kept}
        assert expected.items() <= encoder.network.items()
        codes = encoder(np.zeros((2, 3)))
        assert (codes.shape, codes.dtype) == ((2, 4), tf.float64)


def test_wrong_requests_are_refused(make):
    for option in ("reconstruction_weight", "mode_weight"):
        with pytest.raises(RequestError, match=rf"config.objective_options.{option}: -1; expected a number, 0 or more"):
            make("mode_regularized", **{option: -1})
    with pytest.raises(RequestError, match=r"config.critic.family: .* MLPAutoencoder; use mlp, dcgan or resnet"):
        make("mode_regularized", critic=zoo.MLPAutoencoder((3,), hidden_units=(4,)))


@pytest.mark.parametrize("name", ["mode_regularized", "manifold_diffusion"])
def test_reconstructions_leave_the_statistics_that_samples_are_drawn_with(make, points, name):
    # Codes and the prior's latents have different statistics: an average over both would fit neither.
    generator = zoo.MLPGenerator((3,), latent_dim=2, hidden_units=(4,), normalization="batch", dtype="float64")
    critic = zoo.MLPCritic((3,), hidden_units=(5,), dtype="float64")
    gan, (real, _) = objectives.METHODS.load(name)(generator, critic), points(6)
    gan.encoder.set_weights([7.0 * weight + 1.0 for weight in gan.encoder.get_weights()])
    latents = np.random.default_rng(0).normal(size=(6, 2))

    @tf.function(autograph=False)
    def after(reconstruct):
        generator(tf.constant(latents), training=True)
        made = gan.reconstruct(Batch(tf.constant(real))).x if reconstruct else 0.0
        return made, [tf.identity(tf.convert_to_tensor(each)) for each in generator.non_trainable_variables]

    start = [each.numpy() for each in generator.non_trainable_variables]
    _, expected = after(False)
    for each, value in zip(generator.non_trainable_variables, start):
        each.assign(value)
    made, found = after(True)
    assert len(found) == 2 and any(np.abs(a - b).max() > 0.01 for a, b in zip(expected, start))
    for one, other, variable in zip(found, expected, generator.non_trainable_variables):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(variable, other)
    # In training mode all the same: each unit's outputs are centred on the batch of codes.
    codes = gan.encoder(tf.constant(real), training=True)
    np.testing.assert_allclose(made, generator(codes, training=True), rtol=1e-12)
