"""Penalties as parts: against a critic written in NumPy, several at once, with any objective; what is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from trainers import techniques
from trainers.objectives.least_squares import LeastSquares
from trainers.objectives.wasserstein_gp import WassersteinGP
from trainers.techniques.base import PLACES
from trainers.techniques.gradient_norm import GradientNorm
from trainers.techniques.instance_noise import InstanceNoise
from trainers.techniques.zero_centred import ZeroCentred
from zoo.batch import Batch
from zoo.errors import RequestError
from zoo.noise import Noise

BATCH, DIM, HIDDEN = 5, 3, 4


def read(entries):
    """The techniques of a list of options, each under a key of its own."""
    return techniques.read({f"penalty {index}": entry for index, entry in enumerate(entries)}, 10)


def networks(**options):
    keras.utils.set_random_seed(0)
    generator = zoo.MLPGenerator((DIM,), latent_dim=2, hidden_units=(), dtype="float64")
    critic = zoo.MLPCritic((DIM,), hidden_units=(HIDDEN,), activation="tanh", dtype="float64", **options)
    return generator, critic


def examples():
    return np.random.default_rng(3).normal(size=(2, BATCH, DIM))


def step_noise():
    return Noise.of_step(0, tf.constant(4, tf.int64), BATCH)


def norms(weights, x):
    """‖∇ₓD(x)‖₂ of D(x) = tanh(xK + k)h + c, by hand."""
    kernel, bias, head, _ = weights
    slope = 1.0 - np.tanh(x @ kernel + bias) ** 2
    return np.linalg.norm((slope * head[:, 0]) @ kernel.T, axis=1)


def places(real, fake):
    """The points of each place, from the noise that the step draws."""
    noise = step_noise()
    share = noise.uniform("interpolates", [1]).numpy().astype(np.float64)
    spread = 0.5 * real.std() * noise.uniform("surroundings share", [1]).numpy().astype(np.float64)
    around = real + spread * noise.uniform("surroundings", [DIM]).numpy().astype(np.float64)
    between = real + share * (fake - real)
    alone = {"real": real, "fake": fake, "interpolates": between, "perturbed": around}
    return {**{name: [x] for name, x in alone.items()}, "both": [real, fake]}


def value(entry, weights, points):
    each = [norms(weights, x) for x in points[entry["at"]]]
    if entry["name"] == "zero_centred":
        return entry["weight"] / 2 * sum((norm**2).mean() for norm in each)
    return entry["weight"] * sum(((norm - entry["target"]) ** 2).mean() for norm in each)


ENTRIES = [
    *({"name": "gradient_norm", "weight": 3.0, "at": at, "target": 0.7} for at in PLACES),
    *({"name": "zero_centred", "weight": 3.0, "at": at} for at in PLACES),
]


@pytest.mark.parametrize(
    "entries", [*([entry] for entry in ENTRIES), ENTRIES], ids=lambda e: "+".join(x["at"] for x in e)
)
def test_what_they_add_to_the_critics_loss_and_its_weight_gradient(entries):
    gan = LeastSquares(*networks(), techniques=read(entries))
    real, fake = examples()
    rng = np.random.default_rng(2)
    weights = [rng.normal(size=weight.shape) for weight in gan.critic.get_weights()]
    gan.critic.set_weights(weights)
    variables = [variable.value for variable in gan.critic.trainable_variables]
    with tf.GradientTape() as tape:
        arguments = Batch(tf.constant(real)), Batch(tf.constant(fake)), step_noise()
        added = gan.critic_total_loss(*arguments) - gan.compute_critic_loss(*arguments)
    found = tape.gradient(added, variables, unconnected_gradients="zero")

    points = places(real, fake)

    def total(weights):
        return sum(value(entry, weights, points) for entry in entries)

    np.testing.assert_allclose(added, total(weights), rtol=1e-12)
    for position, weight in enumerate(weights):
        expected = np.empty_like(weight)
        for index in np.ndindex(weight.shape):
            moved = [[w.copy() for w in weights] for _ in range(2)]
            moved[0][position][index] += 1e-5
            moved[1][position][index] -= 1e-5
            expected[index] = (total(moved[0]) - total(moved[1])) / 2e-5
        # Central differences at 1e-5 of sums of order a hundred.
        np.testing.assert_allclose(found[position], expected, rtol=1e-6, atol=1e-7)


def test_they_look_at_the_critic_where_it_sees_the_examples():
    noisy = InstanceNoise(std=0.5, until=10)
    gan = LeastSquares(*networks(), techniques=(noisy, *read(ENTRIES)))
    gan.step.assign(4)
    real, fake = examples()
    found = gan.critic_total_loss(Batch(tf.constant(real)), Batch(tf.constant(fake)), step_noise())
    # Six tenths of the noise are left at step 4 of 10.
    real, fake = (
        x + 0.3 * step_noise().normal(f"instance noise {kind}", [DIM]).numpy().astype(np.float64)
        for kind, x in (("real", real), ("fake", fake))
    )
    kernel, bias, head, offset = weights = gan.critic.get_weights()
    on_real, on_fake = (np.tanh(x @ kernel + bias) @ head + offset for x in (real, fake))
    game = 0.5 * ((on_real - 1.0) ** 2).mean() + 0.5 * (on_fake**2).mean()
    points = places(real, fake)
    np.testing.assert_allclose(found, game + sum(value(entry, weights, points) for entry in ENTRIES), rtol=1e-12)


def test_wasserstein_with_the_part_is_wasserstein_gp():
    (part,) = techniques.read({"gradient_norm": {"weight": None}}, 10)
    assert part == GradientNorm(weight=10.0, at="interpolates", target=1.0)
    real, fake = (tf.constant(x) for x in examples())
    own, parts = WassersteinGP(*networks()), WassersteinGP(*networks(), penalty_weight=0.0, techniques=(part,))
    one, other = (gan.critic_total_loss(Batch(real), Batch(fake), step_noise()) for gan in (own, parts))
    np.testing.assert_allclose(one, other, rtol=1e-12)


def test_the_generators_loss_has_none():
    gan = LeastSquares(*networks(), techniques=read(ENTRIES))
    arguments = (*(Batch(tf.constant(x)) for x in examples()), step_noise())
    np.testing.assert_array_equal(gan.generator_total_loss(*arguments), gan.compute_generator_loss(*arguments))


def test_a_flat_critic_has_no_nan_and_r1_keeps_its_curvature():
    gan = LeastSquares(*networks(), techniques=read(ENTRIES))
    gan.critic.set_weights([np.zeros_like(weight) for weight in gan.critic.get_weights()])
    variables = [variable.value for variable in gan.critic.trainable_variables]
    with tf.GradientTape() as tape:
        loss = gan.critic_total_loss(*(Batch(tf.constant(x)) for x in examples()), step_noise())
    assert all(np.all(np.isfinite(gradient)) for gradient in tape.gradient(loss, variables))
    # ½ E‖∇D‖² of a linear critic is ½‖w‖²: its Hessian at w = 0 is the identity, not nothing.
    from trainers.penalties import zero_centred_penalty

    critic = zoo.MLPCritic((DIM,), hidden_units=(), dtype="float64")
    critic.set_weights([np.zeros((DIM, 1)), np.zeros(1)])
    weight = critic.trainable_variables[0].value
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            penalty = zero_centred_penalty(critic, Batch(tf.constant(examples()[0])))
        gradient = tf.reshape(inner.gradient(penalty, weight), [-1])
    np.testing.assert_allclose(np.reshape(outer.jacobian(gradient, weight), [DIM, DIM]), np.eye(DIM), rtol=1e-12)


@pytest.mark.parametrize(
    "entries, message",
    [
        ({"gradient_norm": 10.0}, "gradient_norm: 10.0; expected a dict of options"),
        ({"gradient_nrm": {}}, "gradient_nrm: 'gradient_nrm'; did you mean 'gradient_norm'"),
        ({"r2": {"name": "zero_centered"}}, "r2.name: 'zero_centered'; did you mean 'zero_centred'"),
        (
            {"zero_centred": {"target": 1.0}},
            "zero_centred.target: no option of zero_centred, which takes at, weight, every",
        ),
        ({"r2": {"name": "zero_centred", "weight": -1}}, "r2.weight: -1; expected a number, 0 or"),
        ({"gradient_norm": {"at": "reel"}}, "gradient_norm.at: 'reel'; did you mean 'real'"),
        ({"gradient_norm": {"target": "one"}}, "gradient_norm.target: 'one'; expected a number, 0 or more"),
        ({"gradient_norm": {"every": 0}}, "gradient_norm.every: 0; expected a whole number, 1 to"),
    ],
)
def test_wrong_options_are_refused(entries, message):
    with pytest.raises(RequestError, match=f"^config.techniques.{message}"):
        techniques.read(entries, 10)


def test_a_technique_is_off_until_an_option_is_set_and_can_be_used_twice():
    assert techniques.read({"gradient_norm": {}, "zero_centred": {}}, 10) == ()
    r1, r2 = techniques.read({"zero_centred": {"weight": 3.0}, "r2": {"name": "zero_centred", "at": "fake"}}, 10)
    assert (r1, r2) == (ZeroCentred(weight=3.0, at="real"), ZeroCentred(weight=10.0, at="fake"))


@pytest.mark.parametrize("compiled", [False, True])
def test_a_lazy_penalty_is_taken_in_every_kth_step_with_k_times_its_weight(compiled):
    gan = LeastSquares(*networks(), techniques=(GradientNorm(weight=3.0, at="perturbed", every=4),))
    arguments = (*(Batch(tf.constant(x)) for x in examples()), step_noise())
    variables = [variable.value for variable in gan.critic.trainable_variables]

    @tf.function(autograph=False, jit_compile=compiled)
    def penalised():
        with tf.GradientTape() as tape:
            loss = gan.critic_total_loss(*arguments)
        return loss - gan.compute_critic_loss(*arguments), tape.gradient(loss, variables)

    def plain(factor):
        gan.techniques = (GradientNorm(weight=factor * 3.0, at="perturbed"),) if factor else ()
        with tf.GradientTape() as tape:
            loss = gan.critic_total_loss(*arguments)
        return loss - gan.compute_critic_loss(*arguments), tape.gradient(loss, variables)

    found = []
    for step in range(5):
        gan.step.assign(step)
        found.append(penalised())
    for step, (loss, gradients) in enumerate(found):
        expected, of_weights = plain(0 if step % 4 else 4)
        np.testing.assert_allclose(loss, expected, rtol=1e-12, atol=1e-14)
        for one, other in zip(gradients, of_weights):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "objective", ["dragan", "jensen_shannon_regularized", "mmd", "non_saturating", "wasserstein_gp"]
)
@pytest.mark.parametrize(
    "critic, message",
    [
        ({"normalization": "batch"}, "config.critic.normalization: 'batch' mixes examples.*use 'layer', 'spectral' or"),
        (
            {"normalization": "none", "minibatch_discrimination": 4},
            "config.critic.minibatch_discrimination: 4 kernels compare examples.*use 0",
        ),
    ],
)
def test_a_critic_that_mixes_examples_is_refused(objective, critic, message, small_config, build):
    config = small_config(objective)
    config.critic.update(critic)
    if objective == "non_saturating":
        build(config)
        config.techniques.zero_centred.weight = 1.0
    with pytest.raises(RequestError, match=message) as refusal:
        build(config)
    assert ("config.techniques.zero_centred" if objective == "non_saturating" else objective) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_automatic_normalisation_of_a_penalised_image_critic_is_layer():
    from configs import digits
    from trainers import build as building
    from trainers import config as config_checks

    config = digits.get_config()
    data = config_checks.check(config)
    assert building.build(config, data).model.critic.normalization == "batch"
    config.techniques.zero_centred.weight = 1.0
    assert building.build(config, data).model.critic.normalization == "layer"
