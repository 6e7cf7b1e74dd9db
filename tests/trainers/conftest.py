"""Small runs: the ring, or the digits where that needs images, and networks of a few units, a few steps each."""

import keras
import numpy as np
import pytest

import configs.digits
import configs.ring
from trainers import build as building
from trainers import config as config_checks
from trainers import training


def _config(objective="non_saturating", changes=()):
    config = (configs.digits if objective == "rbm" else configs.ring).get_config(objective)
    # Networks become small; a density model stays as in the variant.
    if config.generator.family == "mlp":
        config.generator = {"family": "mlp", "latent_dim": 4, "hidden_units": (8,)}
    if config.generator.family == "rbm":
        config.generator.update(hidden_units=8, gibbs_steps=4, chains=6)
    # tanh passes NaN on; ReLU may turn it into zero.
    family = "mlp" if config.critic.family == "dcgan" else config.critic.family
    if objective == "super_resolution":
        config.data.source = "digits"
        config.generator = {"family": family, "blocks": 1, "base_filters": 4}
        config.critic = {"family": family, "base_filters": 2, "normalization": "none"}
    elif objective == "progressive":
        config.data.source = "digits"
        config.generator = {"family": family, "latent_dim": 4, "filter_base": 16}
        config.critic = {"family": family, "filter_base": 16}
        # Four steps: before, at the beginning of, in and behind a fade.
        config.objective_options = {"stable_steps": 1, "fade_steps": 2}
    elif objective == "stacked":
        config.data.source = "shapes"
        config.generator = {
            "family": family,
            "noise_dim": 3,
            "condition_dim": 2,
            "blocks": 1,
            "base_filters": 2,
            "text_units": 3,
        }
        config.critic = {"family": family, "base_filters": 2, "text_units": 3}
        # Four steps, two in each stage.
        config.objective_options = {"first_steps": 2}
    else:
        config.critic = {"family": family, "hidden_units": (8,), "normalization": "none", "activation": "tanh"}
    # Five critic steps make a graph of five copies; two are enough to tell k from one.
    if objective.startswith(("wasserstein", "mmd", "mean_", "covariance_")):
        config.dynamics_options.critic_steps = 2
    for key in ("generator_optimizer", "critic_optimizer"):
        config[key].learning_rate = 0.01
    config.train.update(
        batch_size=16, steps=6, steps_per_execution=1, checkpoint_every=3, log_every=1, sample_every=100
    )
    config.update_from_flattened_dict(dict(changes))
    return config


@pytest.fixture(scope="session")
def small_config():
    """A config of the ring: small_config(objective, {"train.steps": 3, …})."""
    return _config


@pytest.fixture(scope="session")
def build():
    """The run of a config, as the train program builds it: build(config, strategy=…, workdir=…)."""

    def build(config, **options):
        return building.build(config, config_checks.check(config), **options)

    return build


@pytest.fixture(scope="session")
def fit():
    """`fit` on the run's own data, without callbacks: fit(run, steps) → Keras' history."""

    def fit(run, steps):
        data = training.batches(run, int(run.model.step.numpy()))
        return run.model.fit(data, steps_per_epoch=steps, verbose=0, shuffle=False).history

    return fit


@pytest.fixture(scope="session")
def state():
    """All that the next step depends on, networks, averages, optimizers and counters: state(gan) → list of arrays."""

    def state(gan):
        optimizers = [player.optimizer for player in gan.players.values()]
        variables = [*gan.variables, *(variable for optimizer in optimizers for variable in optimizer.variables)]
        return [keras.ops.convert_to_numpy(variable) for variable in variables]

    return state


@pytest.fixture(scope="session")
def assert_same():
    """Asserts that two states are the same bits, or within a tolerance of each other."""

    def assert_same(one, other, rtol=0.0, atol=0.0):
        assert len(one) == len(other) > 0
        for a, b in zip(one, other):
            if rtol == atol == 0.0:
                assert a.tobytes() == b.tobytes()
            else:
                np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)

    return assert_same
