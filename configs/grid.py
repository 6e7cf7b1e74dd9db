"""Grid of 25 Gaussians (coordinates -4 to 4, standard deviation 0.05), multilayer perceptrons.

python -m trainers.train --config=configs/grid.py:wasserstein_gp --workdir=runs/grid
"""

from configs import ring
from configs.base import base_config, set_variant

#: What each objective changes: the ring's settings, the critic's apart, and those that 25 modes ask for.
VARIANTS = {
    **ring.VARIANTS,
    "energy_based": {
        **ring.VARIANTS["energy_based"],
        "critic": {"family": "mlp_autoencoder", "code_dim": 32, "hidden_units": (128, 128)},
    },
    "noise_contrastive": {
        "objective_options": {"noise_scale": 4.0},
        "generator": {"family": "gaussian_mixture", "components": 64},
    },
    "self_contrastive": {"generator": {"family": "gaussian_mixture", "components": 64}},
}


def get_config(variant="non_saturating"):
    """The config of an objective, or of an objective and a dynamics with a plus sign between them."""
    config = base_config("grid")
    config.generator = {"family": "mlp", "latent_dim": 2, "hidden_units": (128, 128)}
    config.critic = {"family": "mlp", "hidden_units": (128, 128), "input_scale": 0.25}
    config.generator_optimizer.learning_rate = config.critic_optimizer.learning_rate = 1e-3
    config.train.batch_size = 256
    config.train.decay_from = 0.5
    config.train.steps_per_execution = 50
    config.train.checkpoint_every = 2_500
    config.train.log_every = 250
    config.train.sample_every = 2_500
    set_variant(config, variant, VARIANTS, ring.DYNAMICS)
    return config
