"""Runs of a few units and steps, and closed forms in `games`."""

import pytest

import configs.ring
from trainers import build, training
from trainers import config as config_checks


@pytest.fixture(scope="session")
def small_run(tmp_path_factory):
    """small_run(objective, steps=6): the run, trained on the ring with two checkpoints kept, of each objective once."""
    made = {}

    def run(objective, steps=6):
        if objective not in made:
            config = configs.ring.get_config(objective)
            config.generator = {"family": "mlp", "latent_dim": 4, "hidden_units": (8,)}
            if "critic" in config:
                config.critic = {"family": "mlp", "hidden_units": (8,), "normalization": "none", "activation": "tanh"}
            config.train.update(batch_size=16, steps=steps, steps_per_execution=1, checkpoint_every=3, log_every=3)
            config.train.update(sample_every=100, keep_checkpoints=2)
            workdir = tmp_path_factory.mktemp(objective)
            training.train(build.build(config, config_checks.check(config), workdir=workdir))
            made[objective] = build.open_run(workdir)
        return made[objective]

    return run


@pytest.fixture(scope="session")
def untrained_run():
    """untrained_run(objective): a run of the ring without steps and without files."""

    def run(objective):
        config = configs.ring.get_config(objective)
        return build.build(config, config_checks.check(config))

    return run
