"""Ring of eight Gaussians (radius 2, standard deviation 0.02), multilayer perceptrons.

python -m trainers.train --config=configs/ring.py:wasserstein_gp --workdir=runs/ring
"""

from configs.base import base_config

#: What each objective changes.
VARIANTS = {
    "wasserstein": {
        "objective_options": {"clip": 0.1},
        "dynamics_options": {"critic_steps": 5},
        "generator_optimizer": {"name": "rmsprop", "learning_rate": 5e-4},
        "critic_optimizer": {"name": "rmsprop", "learning_rate": 5e-4},
    },
    "wasserstein_gp": {
        "objective_options": {"penalty_weight": 0.1},
        "dynamics_options": {"critic_steps": 5},
    },
    "loss_sensitive": {"objective_options": {"margin_scale": 1.0, "loss_weight": 0.0}},
    "energy_based": {
        "objective_options": {"margin": 1.0},
        "critic": {"family": "mlp_autoencoder", "code_dim": 16, "hidden_units": (128, 128)},
    },
    "mixture": {
        "objective": "non_saturating",
        "mixture": {"components": 3, "entropy_weight": 0.1, "shared_layers": 0},
    },
    "noise_contrastive": {
        "objective_options": {"noise_scale": 2.0},
        "generator": {"family": "gaussian_mixture", "components": 16},
        "generator_optimizer": {"name": "adam", "learning_rate": 1e-2, "beta_1": 0.5, "beta_2": 0.999},
    },
    "self_contrastive": {
        "generator": {"family": "gaussian_mixture", "components": 16},
        "generator_optimizer": {"name": "adam", "learning_rate": 1e-2, "beta_1": 0.5, "beta_2": 0.999},
    },
}


def get_config(objective="non_saturating"):
    config = base_config("ring")
    config.generator = {"family": "mlp", "latent_dim": 16, "hidden_units": (128, 128)}
    config.critic = {"family": "mlp", "hidden_units": (128, 128)}
    config.train.batch_size = 256
    config.train.steps_per_execution = 50
    config.train.checkpoint_every = 2_500
    config.train.log_every = 250
    config.train.sample_every = 2_500
    config.objective = objective
    for key, value in VARIANTS.get(objective, {}).items():
        config[key] = value
    return config
