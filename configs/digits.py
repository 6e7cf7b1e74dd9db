"""The 8×8 digits inside scikit-learn: needs no download, trains in two minutes on two cores.

python -m trainers.train --config=configs/digits.py --workdir=runs/digits
"""

from configs.base import base_config, set_objective

_FAST = {"generator_optimizer": {"learning_rate": 1e-3}, "critic_optimizer": {"learning_rate": 1e-3}}

#: As on Fashion-MNIST: a generator that keeps up with a critic that is soon sure.
_FAST_GENERATOR = {"generator_optimizer": {"learning_rate": 1e-3}}

#: What each objective changes.
VARIANTS = {
    "minimax": _FAST_GENERATOR,
    "maximum_likelihood": _FAST_GENERATOR,
    "least_squares": _FAST_GENERATOR,
    "jensen_shannon_regularized": _FAST_GENERATOR,
    "dragan": _FAST_GENERATOR,
    "feature_matching": _FAST_GENERATOR,
    "wasserstein": {"generator_optimizer": {"learning_rate": 5e-4}, "critic_optimizer": {"learning_rate": 5e-4}},
    "wasserstein_gp": _FAST,
    "loss_sensitive": {"objective_options": {"margin_scale": 0.02}},
    "energy_based": {"critic": {"family": "dcgan_autoencoder", "code_dim": 64, "base_filters": 64}},
}


def get_config(objective="non_saturating"):
    config = base_config("digits")
    config.generator.latent_dim = 32
    config.train.steps = 4_000
    config.train.decay_from = 0.5
    config.train.steps_per_execution = 10
    set_objective(config, objective, VARIANTS)
    return config
