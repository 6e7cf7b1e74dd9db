"""The 8×8 digits inside scikit-learn: needs no download, trains in two minutes on two cores.

python -m trainers.train --config=configs/digits.py --workdir=runs/digits
"""

from configs.base import base_config

#: What each objective changes.
VARIANTS = {
    "wasserstein": {
        "objective_options": {"clip": 0.01},
        "dynamics_options": {"critic_steps": 5},
        "generator_optimizer": {"name": "rmsprop", "learning_rate": 5e-4},
        "critic_optimizer": {"name": "rmsprop", "learning_rate": 5e-4},
    },
    "wasserstein_gp": {
        "objective_options": {"penalty_weight": 10.0},
        "dynamics_options": {"critic_steps": 5},
        "generator_optimizer": {"name": "adam", "learning_rate": 1e-3, "beta_1": 0.0, "beta_2": 0.9},
        "critic_optimizer": {"name": "adam", "learning_rate": 1e-3, "beta_1": 0.0, "beta_2": 0.9},
    },
    "loss_sensitive": {"objective_options": {"margin_scale": 0.02, "loss_weight": 0.0}},
    "energy_based": {"critic": {"family": "dcgan_autoencoder", "code_dim": 64, "base_filters": 64}},
}


def get_config(objective="non_saturating"):
    config = base_config("digits")
    config.generator.latent_dim = 32
    config.train.steps = 4_000
    config.train.decay_from = 0.5
    config.train.steps_per_execution = 10
    config.objective = objective
    for key, value in VARIANTS.get(objective, {}).items():
        config[key] = value
    return config
