"""Grid of 25 Gaussians (coordinates -4 to 4, standard deviation 0.05) with MLPs.

python -m trainers.train --config=configs/grid.py:wasserstein_gp --workdir=runs/grid

The settings are those tuned on the ring (configs/ring.py); few were tuned here. What the variants reach after 10,000
steps stands in docs/results.md; 0.989 of the data's own points lie within three standard deviations of a mode.
"""

from configs import ring
from configs.base import base_config, set_variant

#: Objective → changes: the ring's (the critic has two layers of 128 throughout), and those that 25 modes need.
VARIANTS = {
    **ring.VARIANTS,
    "energy_based": {
        **ring.VARIANTS["energy_based"],
        "critic": {"family": "mlp_autoencoder", "code_dim": 32, "hidden_units": (128, 128)},
    },
    # Distances are twice the ring's, whose margin would seldom be reached.
    "loss_sensitive": {"objective_options": {"margin_scale": 0.25}},
    "maximum_likelihood": {"techniques": {"instance_noise": {"std": 1.0}}},
    "noise_contrastive": {
        "objective_options": {"noise_scale": 4.0},
        "generator": {"family": "gaussian_mixture", "components": 64},
    },
    # Twice the ring's, for the same reason as there: without it all samples are at the middle.
    "vae": {"objective_options": {"scale": 0.2}},
    "self_contrastive": {"generator": {"family": "gaussian_mixture", "components": 64}},
}

#: Dynamics → changes.
DYNAMICS = {**ring.DYNAMICS, "locally_stable": {"dynamics_options": {"eta": 0.02}}}


def get_config(variant="non_saturating"):
    """The config of a variant, "objective" or "objective+dynamics"."""
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
    config.train.diagnose_every = 2_500
    set_variant(config, variant, VARIANTS, DYNAMICS)
    return config
