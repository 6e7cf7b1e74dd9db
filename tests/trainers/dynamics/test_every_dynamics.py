"""Every dynamics in the registry: same results with replicas, XLA and after resumption; works with every objective.

`alternating` is covered by the tests of every objective.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainers import build as building
from trainers import dynamics, objectives
from trainers.checkpoints import Checkpoints
from zoo.batch import Batch
from zoo.datasets import DataSpec
from zoo.errors import RequestError

#: Options that let each differ from plain descent by far more than rounding, in two steps.
OPTIONS = {
    "alternating": {},
    "simultaneous": {},
    "consensus": {"gamma": 0.5},
    "locally_stable": {"eta": 0.5},
    "unrolled": {"steps": 2},
    "historical_averaging": {"weight": 0.5},
}
STABILISED = [name for name in OPTIONS if name not in ("alternating", "simultaneous")]

#: Objectives that are two-player games, with a config that each accepts.
GAMES = {
    name: {"energy_based": {"critic": {"family": "mlp_autoencoder", "code_dim": 3, "hidden_units": (6,)}}}.get(name, {})
    for name in objectives.METHODS.names()
    # Conditions are derived from images, and networks have stages for images; these games are on points.
    if "two_players" not in objectives.METHODS.load(name).lacks
    and not objectives.METHODS.load(name).derived
    and not hasattr(objectives.METHODS.load(name), "seams")
}


def config_for(small_config, name, objective="non_saturating", changes=()):
    config = small_config(objective, changes)
    config.dynamics, config.dynamics_options = name, OPTIONS[name]
    return config


def points(step, count=8):
    return np.random.default_rng(step).normal(size=(count, 2)).astype(np.float32)


def floats(gan):
    return [variable.numpy() for variable in gan.variables if "float" in variable.dtype]


def test_this_file_knows_every_dynamics():
    assert sorted(OPTIONS) == dynamics.METHODS.names()


@pytest.mark.parametrize("name", STABILISED)
class TestEveryDynamics:
    def test_two_replicas_move_as_one(self, name, small_config, build, two_replicas):
        config = config_for(small_config, name, changes={"train.precision": "float64"})
        config.dynamics_options.critic_steps = 2 if name == "consensus" else 1

        def moved(strategy):
            gan = build(config, strategy=strategy).model
            replicas = strategy.num_replicas_in_sync if strategy else 1

            def piece(step, draw):
                halves = np.split(points(10 * step + draw), replicas)
                if strategy is None:
                    return tf.constant(halves[0])
                return strategy.experimental_distribute_values_from_function(
                    lambda context: tf.constant(halves[context.replica_id_in_sync_group])
                )

            def step(*batches):
                return gan.distribute_strategy.run(gan.train_step, args=(batches,))

            if strategy is not None:
                step = tf.function(step, autograph=False)
            for number in range(2):
                step(*(piece(number, draw) for draw in range(gan.batches_per_step)))
            return floats(gan)

        for one, two in zip(moved(None), moved(two_replicas)):
            # Float64: sums of sixteen terms in another order, two steps of Adam.
            np.testing.assert_allclose(two, one, rtol=1e-9, atol=1e-12)

    def test_a_compiled_step_is_the_plain_step_and_a_checkpoint_holds_all_that_the_next_one_needs(
        self, name, small_config, build, state, assert_same, tmp_path
    ):
        config = config_for(small_config, name)

        def steps(gan, numbers, jit_compile=False):
            # Eager where not compiled: tracing takes longer than these steps do.
            step = tf.function(gan.train_step, autograph=False, jit_compile=True) if jit_compile else gan.train_step
            for number in numbers:
                logs = step(tuple(tf.constant(points(10 * number + k)) for k in range(gan.batches_per_step)))
            assert all(np.isfinite(value) for value in logs.values())

        plain, compiled, resumed = (build(config).model for _ in range(3))
        steps(plain, range(3))
        steps(compiled, range(3), jit_compile=True)
        for one, other in zip(floats(plain), floats(compiled)):
            np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6)
        # A step depends only on these variables, the data and the seed: equal here means equal from here on.
        Checkpoints(tmp_path).save(plain)
        Checkpoints(tmp_path).restore(resumed, 3)
        assert_same(state(resumed), state(plain))


class Reference:
    """The moves of every dynamics at rate 1, from the gradients of a game's two losses alone, taken one at a time."""

    #: Of central differences in float64 at 1e-6: rounding of 1e-10 of the function, truncation below that.
    DELTA = 1e-6

    def __init__(self, gan, real, rng):
        self.model, self.real = gan, tf.constant(real)
        self.players = gan.players["critic"], gan.players["generator"]
        self.variables = [variable for player in self.players for variable in player.variables]
        self.of_critic = sum(int(np.prod(variable.shape)) for variable in self.players[0].variables)
        direction = rng.normal(size=self.weights().size)
        self.direction = direction / np.linalg.norm(direction)

    def weights(self):
        return np.concatenate([variable.numpy().ravel() for variable in self.variables])

    def assign(self, weights):
        ends = np.cumsum([int(np.prod(variable.shape)) for variable in self.variables])[:-1]
        for variable, piece in zip(self.variables, np.split(weights, ends)):
            variable.assign(piece.reshape(variable.shape))

    def loss(self, player, weights):
        """L_D (player 0) or L_G (1), and its gradient by the player's own weights, zero at the other's."""
        self.assign(weights)
        noise, total = self.model.noise(len(self.real)), (self.model.critic_total_loss, self.model.generator_total_loss)
        with tf.GradientTape() as tape:
            value = total[player](Batch(self.real), self.model.generate(noise), noise)
        variables = [variable.value for variable in self.players[player].variables]
        gradients = tape.gradient(value, variables, unconnected_gradients="zero")
        flat, whole = np.concatenate([gradient.numpy().ravel() for gradient in gradients]), np.zeros(weights.size)
        whole[slice(0, self.of_critic) if player == 0 else slice(self.of_critic, None)] = flat
        return float(value), whole

    def of_critics(self, weights):
        return self.loss(0, weights)[1]

    def of_generators(self, weights):
        return self.loss(1, weights)[1]

    def field(self, weights):
        return self.of_critics(weights) + self.of_generators(weights)

    def slope(self, function, weights, direction):
        """Derivative of a function of the weights along a direction."""
        step = self.DELTA * direction
        return (function(weights + step) - function(weights - step)) / (2.0 * self.DELTA)

    def alternating(self, weights):
        of_critic = self.of_critics(weights)
        return of_critic + self.of_generators(weights - of_critic)

    def answered(self, weights, steps, rate):
        """The weights, the critic's after so many plain steps."""
        for _ in range(steps):
            weights = weights - rate * self.of_critics(weights)
        return weights


@pytest.mark.parametrize("objective", GAMES)
def test_every_dynamics_moves_as_its_equation_says_in_every_two_player_game(objective, small_config, build):
    """The whole move, or its component in one direction where the equation has a derivative of a derivative in it."""
    # One GAN for each objective, whose dynamics is exchanged: the networks do not depend on it.
    config = small_config(objective, {"train.precision": "float64", "dynamics_options.critic_steps": 1})
    config.update(GAMES[objective])
    if "clip" in config.objective_options:
        config.objective_options.clip = 0.0  # A projected weight has not moved by its gradient.
    gan = build(config).model
    if hasattr(gan, "retract"):
        gan.retract = lambda value: value
    if hasattr(gan, "multiplier"):
        gan.multiplier.assign(0.3)
        gan.rho = 0.0  # It would move whenever the loss is computed.
    # A third player, such as an encoder, is updated outside of the dynamics; rate 0 keeps it fixed.
    for player, rate in (("generator", 1.0), ("critic", 1.0), ("encoder", 0.0)):
        if player in gan.players:
            gan.players[player].prepare(keras.optimizers.SGD(rate), gan.distribute_strategy)
    real = points(0).astype(np.float64)
    reference = Reference(gan, real, np.random.default_rng(1))
    start, along = reference.weights(), reference.direction

    def moved(name, moves=1, **options):
        """What the last of so many moves from the start took off the weights; all moves have the same noise."""
        gan.dynamics = dynamics.METHODS.load(name)(**options)
        gan.dynamics.build(gan)
        reference.assign(start)
        for _ in range(moves):
            gan.step.assign(0)
            before = reference.weights()
            gan.train_step((real,))
        gan.step.assign(0)
        return before - reference.weights()

    of_critic, of_generator = reference.of_critics(start), reference.of_generators(start)
    v = of_critic + of_generator
    assert min(np.abs(of_critic).max(), np.abs(of_generator).max()) > 1e-3
    along_generator = np.where(np.arange(v.size) < reference.of_critic, 0.0, along)
    # Float64 rounding of one step; differences as above.
    exact, differences = {"rtol": 1e-9, "atol": 1e-12}, {"rtol": 1e-5, "atol": 1e-8}
    np.testing.assert_allclose(moved("simultaneous"), v, **exact)
    first = reference.alternating(start)
    np.testing.assert_allclose(moved("alternating"), first, **exact)

    pull = reference.slope(lambda at: 0.5 * (reference.field(at) ** 2).sum(), start, along)
    np.testing.assert_allclose(along @ moved("consensus", gamma=0.7), along @ v + 0.7 * pull, **differences)

    taken = moved("locally_stable", eta=0.7)
    np.testing.assert_allclose(taken[: reference.of_critic], v[: reference.of_critic], **exact)
    pull = reference.slope(lambda at: (reference.of_critics(at) ** 2).sum(), start, along_generator)
    np.testing.assert_allclose(along_generator @ taken, along_generator @ v + 0.7 * pull, **differences)

    taken = moved("unrolled", steps=2, surrogate="sgd", surrogate_rate=0.1)
    np.testing.assert_allclose(taken[: reference.of_critic], v[: reference.of_critic], **exact)
    found = reference.slope(lambda at: reference.loss(1, reference.answered(at, 2, 0.1))[0], start, along_generator)
    np.testing.assert_allclose(along_generator @ taken, found, **differences)

    # At the second move the mean of both iterates is half of the first move away: w times the move, back.
    second, back = start - first, -0.3 * first
    expected = np.where(np.arange(v.size) < reference.of_critic, reference.of_critics(second) + back, 0.0)
    answer = reference.of_generators(second - expected) + back
    expected = np.where(np.arange(v.size) < reference.of_critic, expected, answer)
    np.testing.assert_allclose(moved("historical_averaging", 2, weight=0.3), expected, **exact)


@pytest.mark.parametrize(
    "objective", [name for name in objectives.METHODS.names() if "two_players" in objectives.METHODS.load(name).lacks]
)
@pytest.mark.parametrize("name", [name for name in OPTIONS if name != "alternating"])
def test_a_game_of_other_players_is_refused_with_the_reason(objective, name, small_config):
    config = small_config(objective)
    config.dynamics, config.dynamics_options = name, {}
    with pytest.raises(RequestError, match=f"'{name}' does not compose with '{objective}': it is|there is") as refusal:
        building.build(config, spec=DataSpec((2,)))
    assert "use alternating" in str(refusal.value)


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("alternating", {"critic_steps": 0}, "critic_steps: 0; expected a whole number, 1 to 100"),
        ("consensus", {"gamma": -1.0}, "gamma: -1.0; expected a number, 0 or more"),
        ("consensus", {"gama": 1.0}, "gama: no option of Consensus, which takes gamma, critic_steps"),
        ("locally_stable", {"eta": "much"}, "eta: 'much'; expected a number, 0 or more"),
        ("historical_averaging", {"weight": float("nan")}, "weight: nan; expected a number, 0 or more"),
        ("unrolled", {"steps": -1}, "steps: -1; expected a whole number, 0 to 100"),
        ("unrolled", {"surrogate": "rmsprop"}, "surrogate: 'rmsprop'; expected one of 'adam', 'sgd'"),
        ("unrolled", {"surrogate_rate": 0.0}, "surrogate_rate: 0.0; expected a number above 0, or none"),
    ],
)
def test_wrong_options_are_refused(name, options, message):
    with pytest.raises(RequestError, match=f"^config.dynamics_options.{message}$"):
        dynamics.METHODS.load(name)(**options)


@pytest.mark.parametrize("critic_optimizer", [{"name": "rmsprop"}, {"name": "adam", "clipnorm": 1.0}])
def test_unrolling_through_another_optimizer_than_adam_is_refused(critic_optimizer, small_config, build):
    config = config_for(small_config, "unrolled", changes={"critic_optimizer": {"learning_rate": 1e-3}})
    config.critic_optimizer = {"learning_rate": 1e-3, **critic_optimizer}
    with pytest.raises(RequestError, match=r"config.critic_optimizer: .*plain adam, or set .*surrogate to 'sgd'"):
        build(config)
    config.dynamics_options = {"steps": 2, "surrogate": "sgd"}
    build(config)
