"""Every dynamics on the bilinear game f = wb, where plain descent cycles: closed forms, float64, 1e-12 relative.

The game is a GAN: the Wasserstein losses of a critic D(x) = wx + c at the real point 0 and the generated point b are
L_D = wb and L_G = -wb - c, so the gradient vector field is v = (b, -w).
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from trainers.dynamics.alternating import Alternating
from trainers.dynamics.consensus import Consensus
from trainers.dynamics.historical_averaging import HistoricalAveraging
from trainers.dynamics.locally_stable import LocallyStable
from trainers.dynamics.simultaneous import Simultaneous
from trainers.dynamics.unrolled import Unrolled
from trainers.objectives.wasserstein import Wasserstein
from zoo.batch import Batch

#: A power of two: Keras keeps learning rates in float32.
RATE, START = 0.125, np.array([0.8, -0.6])


class Bilinear(Wasserstein):
    """The generator is its bias: one generated point, b. There is no noise in it, nor any drawn, which takes long."""

    def noise(self, batch_size, draw=0):
        return None

    def generate(self, noise, conditions):
        return Batch(self.generator(tf.zeros([1, 1], tf.float64)))


def game(dynamics):
    """The GAN at START, and its variables w and b."""
    generator = zoo.MLPGenerator((1,), latent_dim=1, hidden_units=(), dtype="float64")
    critic = zoo.MLPCritic((1,), hidden_units=(), dtype="float64")
    gan = Bilinear(generator, critic, clip=0.0, dynamics=dynamics)
    gan.compile(keras.optimizers.SGD(RATE), keras.optimizers.SGD(RATE))
    w, b = critic.trainable_variables[0], generator.trainable_variables[1]
    w.assign([[START[0]]])
    b.assign([START[1]])
    return gan, w, b


def play(dynamics, steps):
    """(w, b) before each of `steps` steps of plain descent, and after the last: [steps + 1, 2]."""
    gan, w, b = game(dynamics)
    step = tf.function(gan.train_step, autograph=False) if steps > 20 else gan.train_step
    path = [START]
    for _ in range(steps):
        step((tf.zeros([1, 1]),) * dynamics.batches_per_step)
        path.append(np.array([w.numpy()[0, 0], b.numpy()[0]]))
    return np.array(path)


def linear(matrix, steps):
    """The path of θ ← Mθ."""
    path = [START]
    for _ in range(steps):
        path.append(matrix @ path[-1])
    return np.array(path)


def field(w_by_w=0.0, b_by_b=0.0):
    """1 - h v' as a matrix, v' = [[w_by_w, 1], [-1, b_by_b]]."""
    return np.eye(2) - RATE * np.array([[w_by_w, 1.0], [-1.0, b_by_b]])


CLOSED_FORMS = {
    "simultaneous": (Simultaneous(), field()),
    # w moves first, and b answers the new w.
    "alternating": (Alternating(), np.array([[1, 0], [RATE, 1]]) @ np.array([[1, -RATE], [0, 1]])),
    # ½‖v‖² = ½(w² + b²), for both players.
    "consensus": (Consensus(gamma=0.7), field(0.7, 0.7)),
    # ‖∇_D V‖² = b², for the generator alone.
    "locally_stable": (LocallyStable(eta=0.7), field(0.0, 1.4)),
    # w after K steps of plain descent is w - Kρb, so L_G = -wb + Kρb².
    "unrolled": (Unrolled(steps=4, surrogate="sgd", surrogate_rate=0.3), field(0.0, 2.4)),
    "unrolled at the critic's rate": (Unrolled(steps=4, surrogate="sgd"), field(0.0, 8 * RATE)),
    "unrolled 0 times": (Unrolled(steps=0), field()),
    "historical averaging of weight 0": (
        HistoricalAveraging(weight=0.0),
        np.array([[1, 0], [RATE, 1]]) @ np.array([[1, -RATE], [0, 1]]),
    ),
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_path_is_the_closed_form(name):
    dynamics, matrix = CLOSED_FORMS[name]
    np.testing.assert_allclose(play(dynamics, 12), linear(matrix, 12), rtol=1e-12, atol=1e-15)


def test_plain_descent_spirals_outwards_and_the_stabilised_ones_go_to_the_centre():
    outwards = np.linalg.norm(linear(field(), 300), axis=1)
    # Each step multiplies the distance by √(1 + h²).
    np.testing.assert_allclose(outwards, (1 + RATE**2) ** (np.arange(301) / 2), rtol=1e-12)
    assert outwards[-1] > 10
    for name in ("consensus", "locally_stable", "unrolled"):
        dynamics, matrix = CLOSED_FORMS[name]
        assert max(abs(np.linalg.eigvals(matrix))) < 1
        assert np.linalg.norm(play(dynamics, 100)[-1]) < 1e-2, name


def averaged(steps, weight, k=1):
    """`alternating` with historical averaging, the mean taken from the whole list of iterates."""
    (w, b), pasts = START, ([], [])
    path = [START]
    for _ in range(steps):
        for _ in range(k):
            pasts[0].append(w)
            w = w - RATE * (b + 2 * weight * (w - np.mean(pasts[0])))
        pasts[1].append(b)
        b = b - RATE * (-w + 2 * weight * (b - np.mean(pasts[1])))
        path.append(np.array([w, b]))
    return np.array(path)


@pytest.mark.parametrize("k", [1, 3])
def test_historical_averaging_is_that_with_all_iterates_remembered(k):
    # Running means against means of lists: rounding of sums of forty numbers.
    found = play(HistoricalAveraging(weight=0.5, critic_steps=k), 40)
    np.testing.assert_allclose(found, averaged(40, 0.5, k), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("weight", [0.1, 0.5, 1.0])
def test_historical_averaging_draws_the_circle_in(weight):
    plain, drawn = (np.linalg.norm(averaged(3000, w), axis=1) for w in (0.0, weight))
    # Alternating descent keeps to an orbit. With the term the players follow 2w/(2w + i) of the mean, in the complex
    # plane, and the mean of a power of time follows them: the distance falls as t to the power of -1 / (1 + 4w²).
    assert plain[-100:].max() > 0.9
    slope = np.log(drawn[3000] / drawn[1500]) / np.log(2.0)
    # What is left of the start's transient is of the order of 1/t.
    np.testing.assert_allclose(slope, -1.0 / (1.0 + 4.0 * weight**2), rtol=0.02)
    assert drawn[3000] < 0.4 * drawn[0]


@pytest.mark.parametrize("make", [Simultaneous, Consensus, LocallyStable, Unrolled])
def test_more_critic_steps_are_the_critics_alone_and_come_first(make):
    options = {Unrolled: {"steps": 1, "surrogate": "sgd"}}.get(make, {})
    once, thrice = make(**options), make(critic_steps=3, **options)
    assert (once.batches_per_step, thrice.batches_per_step) == (1, 3)
    w, b = START
    # w moves by -hb twice, then the joint move from there; the joint moves are linear.
    matrix = np.linalg.lstsq(*(play(once, 6)[slice(i, i + 6)] for i in (0, 1)), rcond=None)[0].T
    np.testing.assert_allclose(play(thrice, 1)[1], matrix @ [w - 2 * RATE * b, b], rtol=1e-9)


@pytest.mark.parametrize("name", ["simultaneous", "alternating", "consensus", "locally_stable", "unrolled"])
def test_field_and_its_derivatives_are_the_closed_form(name):
    dynamics, matrix = CLOSED_FORMS[name]
    # To first order in the rate, alternating descent is the simultaneous one.
    jacobian = (np.eye(2) - (field() if name == "alternating" else matrix)) / RATE
    gan, w, b = game(dynamics)
    with tf.GradientTape(persistent=True) as tape:
        of_critic, of_generator = dynamics.field(gan, Batch(tf.zeros([1, 1], tf.float64)), None)
    parts = of_critic[0][0, 0], of_generator[1][0]
    np.testing.assert_allclose([float(part) for part in parts], jacobian @ START, rtol=1e-12)
    assert (w.numpy()[0, 0], b.numpy()[0]) == tuple(START)
    rows = [tape.gradient(of_critic[0], [w.value, b.value], unconnected_gradients="zero")]
    rows += [tape.gradient(of_generator[1], [w.value, b.value], unconnected_gradients="zero")]
    found = np.array([[float(tf.reduce_sum(entry)) for entry in row] for row in rows])
    np.testing.assert_allclose(found, jacobian, rtol=1e-12, atol=1e-15)


def test_the_field_of_historical_averaging_leads_to_the_mean():
    dynamics = HistoricalAveraging(weight=0.5)
    gan, w, b = game(dynamics)
    gan.train_step((tf.zeros([1, 1]),))
    before, now = START, np.array([w.numpy()[0, 0], b.numpy()[0]])
    of_critic, of_generator = dynamics.field(gan, Batch(tf.zeros([1, 1], tf.float64)), None)
    expected = np.array([now[1], -now[0]]) + 2 * 0.5 * (now - (before + now) / 2)
    found = [float(of_critic[0][0, 0]), float(of_generator[1][0])]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
