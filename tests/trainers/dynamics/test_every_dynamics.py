"""What every dynamics in the registry owes: replicas, XLA and resumption change nothing; it plays with every objective.

For `alternating` the tests over all objectives show it.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainers import dynamics, objectives
from trainers.checkpoints import Checkpoints
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
    if "two_players" not in objectives.METHODS.load(name).lacks
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
            gan = build(config, strategy=strategy).gan
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
                step(*(piece(number, draw) for draw in range(gan.dynamics.batches_per_step)))
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
                logs = step(tuple(tf.constant(points(10 * number + k)) for k in range(gan.dynamics.batches_per_step)))
            assert all(np.isfinite(value) for value in logs.values())

        plain, compiled, resumed = (build(config).gan for _ in range(3))
        steps(plain, range(3))
        steps(compiled, range(3), jit_compile=True)
        for one, other in zip(floats(plain), floats(compiled)):
            np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6)
        # A step is a function of these variables, the data and the seed: equal here, equal ever after.
        Checkpoints(tmp_path).save(plain)
        Checkpoints(tmp_path).restore(resumed, 3)
        assert_same(state(resumed), state(plain))


@pytest.mark.parametrize("objective", GAMES)
def test_every_dynamics_plays_every_two_player_game(objective, small_config, build):
    # One GAN an objective, its dynamics exchanged: what is built does not depend on it.
    config = small_config(objective)
    config.update(GAMES[objective])
    gan = build(config).gan
    gan.critic_optimizer = keras.optimizers.Adam(0.01)
    gan.critic_optimizer.build(gan.critic.trainable_variables)
    for name in STABILISED:
        play = dynamics.METHODS.load(name)(**OPTIONS[name])
        play.build(gan)
        gan.dynamics = play
        before = [variable.numpy() for variable in gan.critic.weights + gan.generator.weights]
        logs = gan.train_step((points(0),))
        assert all(np.isfinite(value) for value in logs.values()), name
        after = [variable.numpy() for variable in gan.critic.weights + gan.generator.weights]
        assert all(np.all(np.isfinite(weight)) for weight in after), name
        assert any(np.abs(one - other).max() > 0 for one, other in zip(before, after)), name


@pytest.mark.parametrize("objective", sorted(set(objectives.METHODS.names()) - set(GAMES)))
@pytest.mark.parametrize("name", [name for name in OPTIONS if name != "alternating"])
def test_a_game_of_other_players_is_refused_with_the_reason(objective, name):
    import zoo
    from zoo.densities import Gaussian

    generator = Gaussian((2,)) if "contrastive" in objective else zoo.MLPGenerator((2,), hidden_units=(2,))
    with pytest.raises(RequestError, match=f"'{name}' does not compose with '{objective}': it is|there is") as refusal:
        objectives.METHODS.load(objective)(
            generator, zoo.MLPDiscriminator((2,), hidden_units=(2,)), dynamics=dynamics.METHODS.load(name)()
        )
    assert "use alternating" in str(refusal.value)


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("alternating", {"critic_steps": 0}, "critic_steps: 0; expected a whole number, 1 or more"),
        ("consensus", {"gamma": -1.0}, "gamma: -1.0; expected a number, 0 or more"),
        ("consensus", {"gama": 1.0}, "gama: no option of consensus, which takes gamma, critic_steps"),
        ("locally_stable", {"eta": "much"}, "eta: 'much'; expected a number, 0 or more"),
        ("historical_averaging", {"weight": float("nan")}, "weight: nan; expected a number, 0 or more"),
        ("unrolled", {"steps": -1}, "steps: -1; expected a whole number, 0 or more"),
        ("unrolled", {"surrogate": "rmsprop"}, "surrogate: 'rmsprop'; expected one of adam, sgd"),
        ("unrolled", {"surrogate_rate": 0.0}, "surrogate_rate: 0.0; expected a number above 0, or none"),
    ],
)
def test_wrong_options_are_refused(name, options, message):
    with pytest.raises(RequestError, match=f"^config.dynamics_options.{message}$"):
        dynamics.METHODS.build(name, options, "config.dynamics_options")


@pytest.mark.parametrize("critic_optimizer", [{"name": "rmsprop"}, {"name": "adam", "clipnorm": 1.0}])
def test_unrolling_through_another_optimizer_than_adam_is_refused(critic_optimizer, small_config, build):
    config = config_for(small_config, "unrolled", changes={"critic_optimizer": {"learning_rate": 1e-3}})
    config.critic_optimizer = {"learning_rate": 1e-3, **critic_optimizer}
    with pytest.raises(RequestError, match=r"config.critic_optimizer: .*plain adam, or set .*surrogate to 'sgd'"):
        build(config)
    config.dynamics_options = {"steps": 2, "surrogate": "sgd"}
    build(config)
