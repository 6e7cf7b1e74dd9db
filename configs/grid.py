"""Grid of 25 Gaussians (coordinates -4 to 4, standard deviation 0.05), multilayer perceptrons.

python -m trainers.train --config=configs/grid.py:wasserstein_gp --workdir=runs/grid
"""

from configs.base import base_config, change, set_objective
from configs.ring import DYNAMICS

#: What each objective changes.
VARIANTS = {
    "wasserstein": {
        "objective_options": {"clip": 0.1},
        "generator_optimizer": {"learning_rate": 5e-4},
        "critic_optimizer": {"learning_rate": 5e-4},
    },
    "wasserstein_gp": {
        "objective_options": {"penalty_weight": 0.1},
        "generator_optimizer": {"learning_rate": 1e-3},
        "critic_optimizer": {"learning_rate": 1e-3},
    },
    "loss_sensitive": {"objective_options": {"margin_scale": 1.0}},
    "energy_based": {
        "objective_options": {"margin": 1.0},
        "critic": {"family": "mlp_autoencoder", "code_dim": 16, "hidden_units": (128, 128)},
    },
    "noise_contrastive": {"generator": {"family": "gaussian_mixture", "components": 64}},
}


def get_config(variant="non_saturating"):
    """The config of an objective, or of an objective and a dynamics with a plus sign between them."""
    objective, _, dynamics = variant.partition("+")
    config = base_config("grid")
    config.generator = {"family": "mlp", "latent_dim": 16, "hidden_units": (128, 128)}
    config.critic = {"family": "mlp", "hidden_units": (128, 128), "input_scale": 0.25}
    config.generator_optimizer.learning_rate = config.critic_optimizer.learning_rate = 1e-3
    config.train.batch_size = 256
    config.train.steps_per_execution = 50
    config.train.checkpoint_every = 2_500
    config.train.log_every = 250
    config.train.sample_every = 2_500
    set_objective(config, objective, VARIANTS)
    if dynamics:
        config.dynamics = dynamics
        change(config, DYNAMICS.get(dynamics, {}))
    return config
