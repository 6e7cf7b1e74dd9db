"""Each objective's loss and gradient against closed forms in NumPy, finite differences, and TF-GAN's losses."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from export.metrics.tfgan import import_tfgan
from trainers import objectives
from trainers.dynamics.alternating import Alternating
from zoo.batch import Batch
from zoo.noise import Noise

#: Float64 throughout: closed forms agree to rounding. Central differences are good to 1e-6.
EXACT, DIFFERENCES = 1e-12, 1e-6


def make(name, hidden=(5,), dim=3, **options):
    keras.utils.set_random_seed(0)
    generator = zoo.MLPGenerator((dim,), latent_dim=2, hidden_units=(4,), activation="tanh", dtype="float64")
    critic = zoo.MLPCritic((dim,), hidden_units=hidden, activation="tanh", dtype="float64")
    return objectives.METHODS.load(name)(generator, critic, **options)


def sigmoid(t):
    return np.exp(-np.logaddexp(0.0, -t))


def softplus(t):
    return np.logaddexp(0.0, t)


def half_squares(a, b, c):
    """Critic's and generator's loss, and their derivatives by real and by fake scores, each times N."""
    return (
        lambda r, f: (0.5 * (r - b) ** 2 + 0.5 * (f - a) ** 2, r - b, f - a),
        lambda f: (0.5 * (f - c) ** 2, f - c),
    )


#: (objective, options) → what each example adds to the critic's loss, its derivative by the real and the fake score;
#: the same for the generator's. The equations of the table of systems, derivatives by hand.
CLOSED_FORMS = {
    ("minimax", ()): (
        lambda r, f: (softplus(-r) + softplus(f), -sigmoid(-r), sigmoid(f)),
        lambda f: (-softplus(f), -sigmoid(f)),
    ),
    ("non_saturating", ()): (
        lambda r, f: (softplus(-r) + softplus(f), -sigmoid(-r), sigmoid(f)),
        lambda f: (softplus(-f), -sigmoid(-f)),
    ),
    ("least_squares", ()): half_squares(0, 1, 1),
    ("least_squares", (("fake_target", -1.0), ("generator_target", 0.0))): half_squares(-1, 1, 0),
    ("wasserstein", ()): (
        lambda r, f: (f - r, -np.ones_like(r), np.ones_like(f)),
        lambda f: (-f, -np.ones_like(f)),
    ),
}
CLOSED_FORMS["wasserstein_gp", ()] = CLOSED_FORMS["wasserstein", ()]


@pytest.mark.parametrize("scale", [1.0, 30.0, 500.0])
@pytest.mark.parametrize("name, options", CLOSED_FORMS)
def test_losses_and_gradients_of_scores_equal_the_closed_form(name, options, scale):
    # Scores of 500 overflow a naive exponential; the losses must not.
    gan = make(name, **dict(options))
    of_critic, of_generator = CLOSED_FORMS[name, options]
    rng = np.random.default_rng(0)
    real, fake = scale * rng.normal(size=(2, 7, 1))
    with tf.GradientTape(persistent=True) as tape:
        r, f = tf.constant(real), tf.constant(fake)
        tape.watch([r, f])
        critic_loss, generator_loss = gan.critic_loss(r, f), gan.generator_loss(f)
    values, by_real, by_fake = of_critic(real, fake)
    assert critic_loss.shape == generator_loss.shape == ()
    np.testing.assert_allclose(critic_loss, values.mean(), rtol=EXACT)
    np.testing.assert_allclose(tape.gradient(critic_loss, r), by_real / 7, rtol=EXACT, atol=1e-300)
    np.testing.assert_allclose(tape.gradient(critic_loss, f), by_fake / 7, rtol=EXACT, atol=1e-300)
    values, by_fake = of_generator(fake)
    np.testing.assert_allclose(generator_loss, values.mean(), rtol=EXACT)
    np.testing.assert_allclose(tape.gradient(generator_loss, f), by_fake / 7, rtol=EXACT, atol=1e-300)


@pytest.mark.parametrize("name", ["minimax", "non_saturating", "least_squares", "wasserstein"])
def test_losses_equal_tf_gans(name):
    losses = import_tfgan().losses.losses_impl
    theirs = {
        "minimax": (losses.minimax_discriminator_loss, losses.minimax_generator_loss),
        "non_saturating": (losses.modified_discriminator_loss, losses.modified_generator_loss),
        "least_squares": (losses.least_squares_discriminator_loss, losses.least_squares_generator_loss),
        "wasserstein": (losses.wasserstein_discriminator_loss, losses.wasserstein_generator_loss),
    }[name]
    smooth = {"label_smoothing": 0.0} if name in ("minimax", "non_saturating") else {}
    real, fake = np.random.default_rng(1).normal(size=(2, 9, 1)).astype(np.float32)
    gan = make(name)
    # TF-GAN computes in float32.
    np.testing.assert_allclose(gan.critic_loss(real, fake), theirs[0](real, fake, **smooth), rtol=1e-6)
    # It adds the critic's loss on real examples of score one to the minimax generator's, a constant.
    constant = np.log1p(np.exp(-1.0)) if name == "minimax" else 0.0
    theirs = theirs[1](tf.constant(fake)) + constant
    np.testing.assert_allclose(gan.generator_loss(tf.constant(fake)), theirs, rtol=1e-6)


def penalised(weights, real, fake, share):
    """The critic's loss of Gulrajani et al. 2017 for D(x) = w·tanh(xK + b) + c, the gradient by x by hand."""
    kernel, bias, head, offset = weights

    def scores(x):
        return np.tanh(x @ kernel + bias) @ head + offset

    between = real + share * (fake - real)
    slope = 1.0 - np.tanh(between @ kernel + bias) ** 2
    norms = np.linalg.norm((slope * head[:, 0]) @ kernel.T, axis=1)
    return scores(fake).mean() - scores(real).mean() + 10.0 * ((norms - 1.0) ** 2).mean()


def test_gradient_penalty_loss_and_its_weight_gradient():
    gan = make("wasserstein_gp")
    rng = np.random.default_rng(2)
    real, fake = rng.normal(size=(2, 6, 3))
    noise = Noise.of_step(0, tf.constant(4, tf.int64), 6)
    share = noise.uniform("interpolates", [1]).numpy().astype(np.float64)
    assert len(np.unique(share)) == 6  # a point on the line for each example
    weights = [rng.normal(size=weight.shape) for weight in gan.critic.get_weights()]
    gan.critic.set_weights(weights)
    variables = [variable.value for variable in gan.critic.trainable_variables]
    with tf.GradientTape() as tape:
        loss = gan.compute_critic_loss(Batch(tf.constant(real)), Batch(tf.constant(fake)), noise)
    found = tape.gradient(loss, variables, unconnected_gradients="zero")
    np.testing.assert_allclose(loss, penalised(weights, real, fake, share), rtol=EXACT)
    step = 1e-5
    for position, weight in enumerate(weights):
        expected = np.empty_like(weight)
        for index in np.ndindex(weight.shape):
            moved = [weight.copy() for weight in weights]
            moved[position][index] += step
            above = penalised(moved, real, fake, share)
            moved[position][index] -= 2 * step
            expected[index] = (above - penalised(moved, real, fake, share)) / (2 * step)
        # Differences of a loss of about ten at 1e-5: rounding of 1e-10.
        np.testing.assert_allclose(found[position], expected, rtol=DIFFERENCES, atol=1e-8)


def test_gradient_penalty_equals_tf_gans():
    gan = make("wasserstein_gp", penalty_weight=1.0)
    rng = np.random.default_rng(3)
    gan.critic.set_weights([rng.normal(size=weight.shape) for weight in gan.critic.get_weights()])
    # Real and generated points that coincide: the lines between them, drawn at random by both, are points.
    x = rng.normal(size=(6, 3))
    ours = gan.compute_critic_loss(Batch(tf.constant(x)), Batch(tf.constant(x)), Noise.of_seeds(range(6)))

    def critic(points, _):
        return gan.critic(tf.cast(points, tf.float64))

    @tf.function(autograph=False)
    def theirs():
        # It refuses to run eagerly, and draws its lines in float32.
        points = tf.constant(x, tf.float32)
        return import_tfgan().losses.losses_impl.wasserstein_gradient_penalty(points, points, None, critic, "critic")

    np.testing.assert_allclose(ours, theirs(), rtol=1e-5)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_flat_critic_has_a_penalty_of_lambda_and_no_nan(jit_compile):
    gan = make("wasserstein_gp", penalty_weight=3.0)
    gan.critic.set_weights([np.zeros_like(weight) for weight in gan.critic.get_weights()])
    x = tf.constant(np.random.default_rng(0).normal(size=(4, 3)))
    variables = [variable.value for variable in gan.critic.trainable_variables]

    # XLA, unlike the plain kernels, makes NaN of the root's derivative at zero times zero.
    @tf.function(autograph=False, jit_compile=jit_compile)
    def loss_and_gradients():
        with tf.GradientTape() as tape:
            loss = gan.compute_critic_loss(Batch(x), Batch(x + 1.0), Noise.of_seeds([0, 1, 2, 3]))
        return loss, tape.gradient(loss, variables, unconnected_gradients="zero")

    loss, gradients = loss_and_gradients()
    np.testing.assert_allclose(loss, 3.0, rtol=EXACT)
    for gradient in gradients:
        assert np.all(np.isfinite(gradient))


def test_clipping_bounds_every_critic_weight_and_only_those():
    gan = make("wasserstein", clip=0.05, dynamics=Alternating(critic_steps=1))
    gan.compile(keras.optimizers.SGD(1.0), keras.optimizers.SGD(1.0))
    gan.critic.set_weights([np.full_like(weight, 0.7) for weight in gan.critic.get_weights()])
    before = [weight.copy() for weight in gan.generator.get_weights()]
    gan.fit(tf.data.Dataset.from_tensors(np.ones((8, 3), np.float32)), verbose=0)
    weights = np.concatenate([weight.ravel() for weight in gan.critic.get_weights()])
    assert np.abs(weights).max() == 0.05
    assert max(np.abs(weight).max() for weight in gan.generator.get_weights()) > 0.05
    assert any(not np.array_equal(a, b) for a, b in zip(before, gan.generator.get_weights()))
    free = make("wasserstein", clip=0.0)
    free.critic.set_weights([np.full_like(weight, 0.7) for weight in free.critic.get_weights()])
    critic = free.players["critic"]
    critic.prepare(keras.optimizers.SGD(0.0), free.distribute_strategy)
    critic.update([tf.zeros_like(variable) for variable in critic.variables])
    assert free.critic.get_weights()[0].max() == 0.7
