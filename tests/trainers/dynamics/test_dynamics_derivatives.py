"""Update directions of the second-order dynamics against an independent NumPy implementation, in float64.

The game: `minimax` between a linear generator zA + b in the plane and the critic tanh(xK + k)h + c. NumPy takes first
derivatives by the complex step (exact to rounding), second derivatives and those through the unrolled optimizer by
central differences.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from trainers.dynamics.consensus import Consensus
from trainers.dynamics.locally_stable import LocallyStable
from trainers.dynamics.simultaneous import Simultaneous
from trainers.dynamics.unrolled import Unrolled
from trainers.objectives.minimax import Minimax
from trainers.techniques.weight_clipping import WeightClipping
from zoo.batch import Batch
from zoo.noise import Noise

LATENTS, DIM, HIDDEN, BATCH, SEED = 2, 2, 3, 6, 5
SHAPES = [(LATENTS, DIM), (DIM,), (DIM, HIDDEN), (HIDDEN,), (HIDDEN, 1), (1,)]
SIZES = [int(np.prod(shape)) for shape in SHAPES]
#: Weights of the generator come first.
OF_GENERATOR, COUNT = sum(SIZES[:2]), sum(SIZES)
REAL = np.random.default_rng(0).normal(0.5, 1.0, (BATCH, DIM)).astype(np.float32)
#: Central differences at 1e-5 of smooth numbers of order one: 1e-10 of the truncation, 1e-11 of rounding.
RTOL, ATOL, DELTA = 1e-6, 1e-9, 1e-5


def softplus(t):
    return np.log(1.0 + np.exp(t))


def losses(theta, z):
    """(L_D, L_G) at weights [COUNT], real or complex."""
    a, b, kernel, bias, head, offset = (
        piece.reshape(shape) for piece, shape in zip(np.split(theta, np.cumsum(SIZES)[:-1]), SHAPES)
    )
    on_real, on_fake = (np.tanh(x @ kernel + bias) @ head + offset for x in (REAL.astype(np.float64), z @ a + b))
    return softplus(-on_real).mean() + softplus(on_fake).mean(), -softplus(on_fake).mean()


def gradient(theta, z, which):
    """Gradient of L_D (0) or L_G (1) by all weights."""
    steps = theta + 1e-30j * np.eye(COUNT)
    return np.array([losses(step, z)[which].imag / 1e-30 for step in steps])


def field(theta, z):
    """v: the generator's part, then the critic's."""
    return np.concatenate([gradient(theta, z, 1)[:OF_GENERATOR], gradient(theta, z, 0)[OF_GENERATOR:]])


def differences(function, theta, positions):
    """Central differences of a scalar function of the weights."""
    found = []
    for position in positions:
        step = DELTA * np.eye(COUNT)[position]
        found.append((function(theta + step) - function(theta - step)) / (2 * DELTA))
    return np.array(found)


def make(dynamics, critic_optimizer=None):
    keras.utils.set_random_seed(2)
    generator = zoo.MLPGenerator((DIM,), latent_dim=LATENTS, hidden_units=(), dtype="float64")
    critic = zoo.MLPCritic((DIM,), hidden_units=(HIDDEN,), activation="tanh", dtype="float64")
    gan = Minimax(generator, critic, dynamics=dynamics, seed=SEED)
    gan.compile(keras.optimizers.SGD(1.0), critic_optimizer or keras.optimizers.SGD(1.0))
    return gan


def weights(gan):
    variables = gan.generator.trainable_variables + gan.critic.trainable_variables
    return np.concatenate([variable.numpy().ravel() for variable in variables])


def latents(step=0):
    noise = Noise.of_step(SEED, tf.constant(step, tf.int64), BATCH).fold_in(0).fold_in(0)
    return noise.normal("latents", [LATENTS]).numpy().astype(np.float64)


def one_step(gan):
    """Weights before a step, and what the step took off them."""
    before = weights(gan)
    logs = gan.train_step((REAL,))
    return before, before - weights(gan), {key: float(value) for key, value in logs.items()}


def test_consensus_descends_the_field_and_its_squared_norm():
    gan = make(Consensus(gamma=0.8))
    theta, taken, logs = one_step(gan)
    z, v = latents(), field(theta, latents())
    pull = differences(lambda at: 0.5 * (field(at, z) ** 2).sum(), theta, range(COUNT))
    assert np.abs(pull).max() > 1e-2
    np.testing.assert_allclose(taken, v + 0.8 * pull, rtol=RTOL, atol=ATOL)
    expected = [*losses(theta, z), np.linalg.norm(v[OF_GENERATOR:]), np.linalg.norm(v[:OF_GENERATOR])]
    names = ["critic_loss", "generator_loss", "critic_gradient_norm", "generator_gradient_norm"]
    np.testing.assert_allclose([logs[name] for name in names], expected, rtol=1e-9)


def test_locally_stable_adds_the_critics_squared_gradient_to_the_generators_loss_only():
    gan = make(LocallyStable(eta=0.8))
    theta, taken, logs = one_step(gan)
    z, v = latents(), field(theta, latents())
    penalty = differences(lambda at: (field(at, z)[OF_GENERATOR:] ** 2).sum(), theta, range(OF_GENERATOR))
    assert np.abs(penalty).max() > 1e-2
    np.testing.assert_allclose(taken[:OF_GENERATOR], v[:OF_GENERATOR] + 0.8 * penalty, rtol=RTOL, atol=ATOL)
    np.testing.assert_allclose(taken[OF_GENERATOR:], v[OF_GENERATOR:], rtol=1e-11)
    np.testing.assert_allclose(logs["generator_loss"], losses(theta, z)[1], rtol=1e-12)


def adam(theta, z, steps, rate, betas, epsilon, first, second, count):
    """Weights after `steps` steps of the critic's Adam, algorithm 1 of Kingma & Ba with epsilon as in its section 2."""
    theta = theta.copy()
    for _ in range(steps):
        count += 1
        g = gradient(theta, z, 0)[OF_GENERATOR:]
        first, second = betas[0] * first + (1 - betas[0]) * g, betas[1] * second + (1 - betas[1]) * g**2
        unbiased = np.sqrt(1 - betas[1] ** count) / (1 - betas[0] ** count)
        theta[OF_GENERATOR:] -= rate * unbiased * first / (np.sqrt(second) + epsilon)
    return theta


def sgd(theta, z, steps, rate):
    theta = theta.copy()
    for _ in range(steps):
        theta[OF_GENERATOR:] -= rate * gradient(theta, z, 0)[OF_GENERATOR:]
    return theta


@pytest.mark.parametrize("steps", [1, 3])
def test_unrolled_gradients_go_through_plain_descent(steps):
    gan = make(Unrolled(steps=steps, surrogate="sgd", surrogate_rate=0.5))
    theta, taken, logs = one_step(gan)
    z = latents()
    answered = differences(lambda at: losses(sgd(at, z, steps, 0.5), z)[1], theta, range(OF_GENERATOR))
    np.testing.assert_allclose(taken[:OF_GENERATOR], answered, rtol=RTOL, atol=ATOL)
    # Far from the gradient at a fixed unrolled critic: the path through the unrolled steps is included.
    still = gradient(sgd(theta, z, steps, 0.5), z, 1)[:OF_GENERATOR]
    assert np.abs(answered - still).max() > 1e-2
    np.testing.assert_allclose(taken[OF_GENERATOR:], gradient(theta, z, 0)[OF_GENERATOR:], rtol=1e-11)
    np.testing.assert_allclose(logs["generator_loss"], losses(sgd(theta, z, steps, 0.5), z)[1], rtol=1e-12)
    np.testing.assert_allclose(logs["critic_loss"], losses(theta, z)[0], rtol=1e-12)


@pytest.mark.parametrize("warm", [0, 2])
@pytest.mark.parametrize("steps", [1, 3])
def test_unrolled_gradients_go_through_adam_from_its_current_state(steps, warm):
    # Exact in float32, in which Keras keeps them.
    rate, betas, epsilon = 0.125, (0.25, 0.75), 2.0**-4
    gan = make(Unrolled(steps=steps), keras.optimizers.Adam(rate, *betas, epsilon=epsilon))
    for _ in range(warm):
        one_step(gan)
    first, second = (
        np.concatenate([moment.numpy().ravel() for moment in moments])
        for moments in (gan.players["critic"].optimizer._momentums, gan.players["critic"].optimizer._velocities)
    )
    assert (np.abs(first).max() > 0) == (warm > 0)
    theta, taken, _ = one_step(gan)
    z = latents(warm)
    settings = (rate, betas, epsilon, first, second, warm)
    answered = differences(lambda at: losses(adam(at, z, steps, *settings), z)[1], theta, range(OF_GENERATOR))
    np.testing.assert_allclose(taken[:OF_GENERATOR], answered, rtol=RTOL, atol=ATOL)
    still = gradient(adam(theta, z, steps, *settings), z, 1)[:OF_GENERATOR]
    assert np.abs(answered - still).max() > 1e-3
    # The critic took one step of its own, whatever its surrogate did.
    np.testing.assert_allclose((theta - taken)[OF_GENERATOR:], adam(theta, z, 1, *settings)[OF_GENERATOR:], rtol=1e-9)
    assert int(gan.players["critic"].optimizer.iterations.numpy()) == warm + 1


def test_the_surrogates_adam_is_kerass():
    # Keras' defaults, none of which float32 holds exactly: three surrogate steps against three of the optimizer.
    from trainers.dynamics.unrolled import _Adam

    rng = np.random.default_rng(1)
    for dtype, tolerance in (("float64", 1e-12), ("float32", 1e-6)):
        variable = keras.Variable(rng.normal(size=(3, 4)), dtype=dtype)
        optimizer = keras.optimizers.Adam(2e-4, beta_1=0.9)
        optimizer.build([variable])
        optimizer.apply([tf.constant(rng.normal(size=(3, 4)), dtype)], [variable])
        gradients = [tf.constant(rng.normal(size=(3, 4)), dtype) for _ in range(3)]
        start = variable.numpy()
        advance, moved = _Adam(optimizer, None), [tf.convert_to_tensor(variable)]
        for gradient in gradients:
            moved = advance(moved, [gradient])
        for gradient in gradients:
            optimizer.apply([gradient], [variable])
        # Relative to the distance moved.
        found, expected = moved[0].numpy() - start, variable.numpy() - start
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=3e-7 if dtype == "float32" else 1e-15)


def test_a_unit_that_no_example_reaches_does_not_make_the_unrolled_gradient_nan():
    gan = make(Unrolled(steps=2), keras.optimizers.Adam(0.1))
    # tanh is flat at 400: that unit's gradient and moments are exactly zero.
    gan.critic.trainable_variables[1].assign([400.0, 0.0, 0.0])
    _, taken, _ = one_step(gan)
    assert np.all(np.isfinite(taken))
    assert np.abs(taken[:OF_GENERATOR]).max() > 0


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_step_of_the_surrogates_adam_has_a_derivative_where_nothing_has_moved_yet(jit_compile):
    from trainers.dynamics.unrolled import _Adam

    variable = keras.Variable([0.5], dtype="float64")
    optimizer = keras.optimizers.Adam(0.125, 0.25, 0.75, epsilon=2.0**-4)
    optimizer.build([variable])

    @tf.function(autograph=False, jit_compile=jit_compile)
    def slope(gradient):
        with tf.GradientTape() as tape:
            tape.watch(gradient)
            moved = _Adam(optimizer, None)([tf.convert_to_tensor(variable)], [gradient])
        return tape.gradient(moved, gradient)

    # At g = 0 the root's own derivative is left out: -h √(1 - β₂) / (1 - β₁) times (1 - β₁) / ε.
    np.testing.assert_allclose(slope(tf.zeros([1], tf.float64)), [-0.125 * 0.5 / 2.0**-4], rtol=1e-12)


@pytest.mark.parametrize("surrogate", ["adam", "sgd"])
def test_no_unrolled_steps_are_simultaneous_descent_to_the_bit(surrogate):
    optimizers = [keras.optimizers.Adam(0.1) for _ in range(2)]
    plain, unrolled = make(Simultaneous(), optimizers[0]), make(Unrolled(steps=0, surrogate=surrogate), optimizers[1])
    for _ in range(3):
        one_step(plain)
        one_step(unrolled)
    assert weights(plain).tobytes() == weights(unrolled).tobytes()


@pytest.mark.parametrize("normalization", ["batch", "spectral"])
def test_the_surrogate_leaves_the_critics_other_state_alone(normalization):
    states = []
    for steps in (0, 3):
        keras.utils.set_random_seed(0)
        critic = zoo.MLPCritic((DIM,), hidden_units=(HIDDEN,), normalization=normalization, dtype="float64")
        gan = Minimax(
            zoo.MLPGenerator((DIM,), hidden_units=(), dtype="float64"), critic, dynamics=Unrolled(steps=steps)
        )
        gan.compile(critic_optimizer=keras.optimizers.Adam(0.1))
        fake, noise = gan.generate(gan.noise(BATCH)), gan.noise(BATCH)
        before = [
            variable.numpy().tobytes() for variable in [*critic.variables, *gan.players["critic"].optimizer.variables]
        ]
        with gan.dynamics.answered(gan, Batch(tf.constant(REAL, tf.float64)), fake, noise):
            answered = [tf.convert_to_tensor(variable.value).numpy() for variable in critic.trainable_variables]
        after = [
            variable.numpy().tobytes() for variable in [*critic.variables, *gan.players["critic"].optimizer.variables]
        ]
        assert before == after
        states.append(answered)
    assert all(np.abs(one - other).max() > 0 for one, other in zip(*states))


def test_the_surrogate_is_clipped_like_the_critic():
    gan = make(Unrolled(steps=2, surrogate="sgd", surrogate_rate=0.5))
    gan.techniques = (WeightClipping(bound=0.125),)
    fake, noise = gan.generate(gan.noise(BATCH)), gan.noise(BATCH)
    with gan.dynamics.answered(gan, Batch(tf.constant(REAL, tf.float64)), fake, noise):
        weights = [tf.convert_to_tensor(variable.value).numpy() for variable in gan.critic.trainable_variables]
    assert max(np.abs(weight).max() for weight in weights) == 0.125
