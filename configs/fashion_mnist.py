"""Fashion-MNIST, 28×28 grey, a DCGAN with 534,273 generator parameters.

python -m trainers.train --config=configs/fashion_mnist.py:non_saturating --workdir=runs/fashion
"""

from configs.base import base_config

#: What each objective changes.
VARIANTS = {
    "wasserstein": {
        "objective_options": {"clip": 0.01},
        "dynamics_options": {"critic_steps": 5},
        "generator_optimizer": {"name": "rmsprop", "learning_rate": 5e-5},
        "critic_optimizer": {"name": "rmsprop", "learning_rate": 5e-5},
    },
    "wasserstein_gp": {
        "objective_options": {"penalty_weight": 10.0},
        "dynamics_options": {"critic_steps": 5},
        "generator_optimizer": {"name": "adam", "learning_rate": 1e-4, "beta_1": 0.0, "beta_2": 0.9},
        "critic_optimizer": {"name": "adam", "learning_rate": 1e-4, "beta_1": 0.0, "beta_2": 0.9},
    },
}


def get_config(objective="non_saturating"):
    config = base_config("idx:/usr/share/datasets/fashion-mnist")
    config.train.steps = 7_500
    config.objective = objective
    for key, value in VARIANTS.get(objective, {}).items():
        config[key] = value
    return config
