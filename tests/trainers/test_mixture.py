"""MIX+GAN: the payoff over all pairs and its gradients in float64, against an independent NumPy
implementation; combinations with other methods; what they learn.

The game: three linear generators zA + b against three critics tanh(xK + k)h + c in the plane. NumPy takes gradients by
the complex step, exact to rounding.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from trainers import dynamics, objectives
from trainers.dynamics.simultaneous import Simultaneous
from trainers.mixture import Mixture
from zoo.errors import RequestError

COMPONENTS, LATENTS, DIM, HIDDEN, BATCH, ENTROPY = 3, 2, 2, 4, 6, 0.3
REAL = np.random.default_rng(0).normal(0.5, 1.0, (BATCH, DIM)).astype(np.float32)

MIXABLE = [name for name in objectives.METHODS.names() if "mixture" not in objectives.METHODS.load(name).lacks]


def softplus(t):
    return np.log(1.0 + np.exp(t))


def softmax(t):
    return np.exp(t) / np.exp(t).sum()


def slopes_norm(x, kernel, bias, head):
    gradient = ((1.0 - np.tanh(x @ kernel + bias) ** 2) * head[:, 0]) @ kernel.T
    return np.sqrt((gradient**2).sum(axis=1))


def of_pair(objective, critic, fake, share):
    """(L_D, L_G) of one critic and one generator's examples."""
    kernel, bias, head, offset = critic
    real = REAL.astype(np.float64)
    on_real, on_fake = (np.tanh(x @ kernel + bias) @ head + offset for x in (real, fake))
    if objective == "non_saturating":
        return softplus(-on_real).mean() + softplus(on_fake).mean(), softplus(-on_fake).mean()
    between = slopes_norm(real + share * (fake - real), kernel, bias, head)
    return on_fake.mean() - on_real.mean() + 10.0 * ((between - 1.0) ** 2).mean(), -on_fake.mean()


def pairs(arrays):
    return list(zip(arrays[::2], arrays[1::2]))


def losses(objective, shared, arrays, z, share):
    """(L_D, L_G) of the game, at the arrays that `variables` lists, real or complex."""
    w, v = softmax(arrays[0]), softmax(arrays[2 * COMPONENTS + 1])
    generators, rest = pairs(arrays[1 : 2 * COMPONENTS + 1]), pairs(arrays[2 * COMPONENTS + 2 :])
    lower = rest[:1] * COMPONENTS if shared else rest[:COMPONENTS]
    critics = [(*below, *above) for below, above in zip(lower, rest[-COMPONENTS:])]
    totals = [-ENTROPY * np.log(v).mean(), -ENTROPY * np.log(w).mean()]
    for i, (a, b) in enumerate(generators):
        for j, critic in enumerate(critics):
            for player, loss in enumerate(of_pair(objective, critic, z @ a + b, share)):
                totals[player] = totals[player] + w[i] * v[j] * loss
    return totals


def variables(gan):
    """All that is trained: the generators' logits, A and b of each; the critics' logits, K and k, h and c."""
    generator, critic = gan.generator, gan.critic
    lower = [critic.shared] if critic.shared_layers else critic.tops
    stacks = [*generator.tops, *lower, *critic.heads]
    weights = [stack.trainable_variables for stack in stacks]
    flat = [variable for pair in weights for variable in pair]
    return [generator.logits, *flat[: 2 * COMPONENTS], critic.logits, *flat[2 * COMPONENTS :]]


def make(objective="non_saturating", shared=0, **options):
    keras.utils.set_random_seed(2)
    generator = zoo.MixtureGenerator(
        (DIM,), COMPONENTS, network={"latent_dim": LATENTS, "hidden_units": ()}, dtype="float64"
    )
    network = {"hidden_units": (HIDDEN,), "activation": "tanh"}
    critic = zoo.MixtureCritic((DIM,), COMPONENTS, network=network, shared_layers=shared, dtype="float64")
    options = {"dynamics": Simultaneous(), "entropy_weight": ENTROPY, "seed": 5, **options}
    gan = Mixture.of(objectives.METHODS.load(objective))(generator, critic, **options)
    gan.compile(keras.optimizers.SGD(1.0), keras.optimizers.SGD(1.0))
    rng = np.random.default_rng(7)
    # Component weights too: with equal ones, swapped weights would go unnoticed.
    for variable in variables(gan):
        variable.assign(rng.normal(size=variable.shape))
    return gan


@pytest.mark.parametrize("objective", ["non_saturating", "wasserstein_gp"])
@pytest.mark.parametrize("shared", [0, 1])
def test_each_player_descends_the_expected_payoff_and_its_entropy_term(objective, shared):
    gan = make(objective, shared)
    assert len(variables(gan)) == len(gan.generator.trainable_variables) + len(gan.critic.trainable_variables)
    before, noise = [variable.numpy() for variable in variables(gan)], gan.noise(BATCH)
    z = noise.normal("latents", [1 + LATENTS]).numpy().astype(np.float64)[:, 1:]
    share = noise.uniform("interpolates", [1]).numpy().astype(np.float64)
    logs = gan.train_step((REAL,))
    expected = losses(objective, shared, before, z, share)
    np.testing.assert_allclose([logs["critic_loss"], logs["generator_loss"]], expected, rtol=1e-12)
    for position, variable in enumerate(variables(gan)):
        player = 1 if position <= 2 * COMPONENTS else 0
        gradient = np.empty(variable.shape)
        for index in np.ndindex(*variable.shape):
            moved = [array.astype(complex) for array in before]
            moved[position][index] += 1e-30j
            gradient[index] = losses(objective, shared, moved, z, share)[player].imag / 1e-30
        taken = before[position] - variable.numpy()
        if variable is gan.generator.logits or variable is gan.critic.logits:
            assert np.abs(gradient).max() > 1e-2
        np.testing.assert_allclose(taken, gradient, rtol=1e-9, atol=1e-12)


def test_a_component_plays_alone_within_its_turn_and_the_critic_scores_by_the_expectation_outside():
    critic = make(shared=1).critic
    alone, features = [], []
    for index in range(COMPONENTS):
        with critic.playing(index):
            alone.append(critic(REAL).numpy())
            features.append(critic.features(REAL).numpy())
            with critic.playing(0):
                np.testing.assert_array_equal(critic(REAL), alone[0])
            np.testing.assert_array_equal(critic(REAL), alone[-1])
    assert len({scores.tobytes() for scores in alone}) == COMPONENTS
    # The shared lowest layers are all layers below the heads, so the features are equal.
    assert len({scores.tobytes() for scores in features}) == 1
    expected = sum(weight * scores for weight, scores in zip(softmax(critic.logits.numpy()), alone))
    np.testing.assert_allclose(critic(REAL), expected, rtol=1e-12)
    np.testing.assert_array_equal(critic.features(REAL), np.concatenate(features, axis=1))


def test_a_seed_chooses_its_component_by_the_weights_and_gives_the_same_example_in_any_batch():
    gan = make(ema_decay=0.0)
    gan.generator.logits.assign(np.log([0.2, 0.5, 0.3]))
    for index, top in enumerate(gan.generator.tops):
        top.set_weights([np.zeros((LATENTS, DIM)), np.full(DIM, float(index))])
    whole = gan.sample(range(20_000)).numpy()
    shares = np.bincount(whole[:, 0].astype(int)) / len(whole)
    # Four standard errors.
    np.testing.assert_allclose(shares, [0.2, 0.5, 0.3], atol=4 * 0.5 / np.sqrt(len(whole)))
    parts = [gan.sample(range(start, start + 3)).numpy() for start in range(0, 30, 3)]
    np.testing.assert_array_equal(np.concatenate(parts), whole[:30])


def test_the_moving_average_has_the_weights_of_the_components_too():
    gan = make(ema_decay=0.5)
    start = gan.averaged_generator.logits.numpy()
    gan.train_step((REAL,))
    keep = 0.1  # (1 + n) / (10 + n) at n = 0: early on it forgets faster.
    expected = keep * start + (1.0 - keep) * gan.generator.logits.numpy()
    np.testing.assert_allclose(gan.averaged_generator.logits, expected, rtol=1e-6)


@pytest.mark.parametrize("objective", MIXABLE)
def test_it_composes_with_every_objective_of_scores(objective, small_config, build):
    config = small_config(
        objective, {"mixture.components": 2, "mixture.entropy_weight": 0.25, "mixture.shared_layers": 1}
    )
    config.techniques.update(instance_noise={"std": 0.1}, weight_clipping={"bound": 0.01})
    gan = build(config).model
    assert gan.entropy_weight == 0.25
    gan.generator.logits.assign([0.0, 1.0])
    gan.critic.logits.assign([1.0, 0.0])
    before = [variable.numpy() for player in (gan.generator, gan.critic) for variable in player.trainable_variables]
    logs = gan.train_step((np.random.default_rng(0).normal(size=(16, 2)),) * gan.batches_per_step)
    assert all(np.isfinite(value) for value in logs.values())
    after = [variable.numpy() for player in (gan.generator, gan.critic) for variable in player.trainable_variables]
    # A critic's offset cancels in differences of scores.
    assert all(np.abs(one - other).max() > 0 for one, other in zip(before, after) if one.size > 1)
    # The bound is on the networks; on logits it would make the components equal.
    assert np.abs(gan.critic.logits.numpy()).max() > 0.9
    assert max(np.abs(weight).max() for weight in gan.critic.heads[0].get_weights()) <= np.float32(0.01)


@pytest.mark.parametrize("name", dynamics.METHODS.names())
def test_it_composes_with_every_dynamics(name, small_config, build):
    config = small_config(changes={"mixture.components": 2})
    config.dynamics, config.dynamics_options = name, {}
    config.techniques.weight_clipping.bound = 0.5
    gan = build(config).model
    gan.critic.logits.assign([2.0, 0.0])
    before = [variable.numpy() for variable in (gan.generator.logits, gan.critic.logits)]
    logs = gan.train_step((np.random.default_rng(0).normal(size=(16, 2)),))
    assert all(np.isfinite(value) for value in logs.values())
    for old, new in zip(before, (gan.generator.logits, gan.critic.logits)):
        assert 0 < np.abs(new.numpy() - old).max() < 0.1


@pytest.mark.parametrize(
    "objective, changes, message",
    [
        (
            "energy_based",
            {},
            "config.mixture.components: 'energy_based' is not played by mixtures: its critic is an autoencoder; "
            "use 1, or an objective such as non_saturating",
        ),
        ("mode_regularized", {}, "config.mixture.components: 'mode_regularized' .* its encoder inverts one generator"),
        ("manifold_diffusion", {}, "config.mixture.components: 'manifold_diffusion' .* one generator"),
        ("self_contrastive", {}, "config.mixture.components: 'self_contrastive' .* there is one player, the density"),
        ("minimax", {"mixture.components": 0}, "config.mixture.components: 0; expected a whole number, 1 to 100"),
        ("minimax", {"mixture.entropy_weight": -0.1}, "config.mixture.entropy_weight: -0.1; expected a number, 0 or"),
        (
            "minimax",
            {"mixture.shared_layers": 2},
            "config.mixture.shared_layers: 2; mixture_generator.* has 1 that can be shared",
        ),
        (
            "minimax",
            {"critic.family": "mlp_autoencoder"},
            "config.mixture.components: no mixture of MLPAutoencoder; use mlp, dcgan or resnet",
        ),
        (
            "wasserstein_gp",
            {"critic.normalization": "batch"},
            "config.critic.normalization: 'batch' mixes examples, but wasserstein_gp penalises",
        ),
        (
            "minimax",
            {"critic.normalization": "virtual_batch", "mixture.shared_layers": 1},
            "config.mixture.shared_layers: 1; virtual batch normalisation needs a network of its own, use 0",
        ),
    ],
)
def test_wrong_requests_are_refused_before_training(objective, changes, message, small_config, build):
    with pytest.raises(RequestError, match=message) as refusal:
        build(small_config(objective, {"mixture.components": 2, **changes}))
    assert "\n" not in str(refusal.value)


def test_a_negative_entropy_weight_is_refused_in_python_too():
    with pytest.raises(RequestError, match=r"config.mixture.entropy_weight: -1.0; expected a number, 0 or more"):
        make(entropy_weight=-1.0)


def two_gaussians(batch_size):
    """A quarter of the mass at -2, three quarters at 2, deviation ½."""

    def batch(number):
        seed = tf.stack([tf.constant(5, tf.int64), number])
        normal = tf.random.stateless_normal([batch_size, 1], seed)
        right = tf.random.stateless_uniform([batch_size, 1], seed + tf.constant([1, 0], tf.int64)) < 0.75
        return 0.5 * normal + tf.where(right, 2.0, -2.0)

    return tf.data.Dataset.counter().map(batch)


def test_components_and_their_weights_are_learned():
    # A component can only be one Gaussian, so the data is in the mixture's reach by the right weights alone.
    keras.utils.set_random_seed(0)
    generator = zoo.MixtureGenerator((1,), 2, network={"latent_dim": 1, "hidden_units": ()})
    critic = zoo.MixtureCritic((1,), 2, network={"hidden_units": (32, 32)})
    gan = Mixture.of(objectives.METHODS.load("non_saturating"))(generator, critic, entropy_weight=0.0, ema_decay=0.998)
    gan.compile(*(keras.optimizers.Adam(rate, beta_1=0.5) for rate in (5e-3, 1e-2)), steps_per_execution=100)
    gan.fit(two_gaussians(128), steps_per_epoch=1_000, verbose=0, shuffle=False)
    average = gan.averaged_generator
    found = sorted(
        (float(offset[0]), abs(float(scale[0, 0]))) for scale, offset in (t.get_weights() for t in average.tops)
    )
    # An average of a thousand steps of 128 examples; seen: 0.01.
    np.testing.assert_allclose(found, [(-2.0, 0.5), (2.0, 0.5)], atol=0.1)
    np.testing.assert_allclose(np.sort(np.exp(average.log_weights())), [0.25, 0.75], atol=0.03)
