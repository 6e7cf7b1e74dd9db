"""Grid of 25 Gaussians (coordinates -4 to 4, standard deviation 0.05) with MLPs.

python -m trainers.train --config=configs/grid.py:wasserstein_gp --workdir=runs/grid

The settings are those tuned on the ring (configs/ring.py); few were tuned here. Modes found of 25, and share of 2,500
samples within three standard deviations of a mode (the data's own is 0.989), after 10,000 steps with seed 0:

| variant | modes of 25 | high quality |
|---|---|---|
| dragan | 25 | 0.60 |
| energy_based | 19 | 0.73 |
| f_divergence | 24 | 0.75 |
| feature_matching | 24 | 0.08 |
| hinge | 24 | 0.73 |
| jensen_shannon_regularized | 23 | 0.66 |
| least_squares | 21 | 0.74 |
| loss_sensitive | 21 | 0.72 |
| manifold_diffusion | 25 | 0.77 |
| maximum_likelihood | 23 | 0.53 |
| minimax | 21 | 0.60 |
| mode_regularized | 18 | 0.74 |
| noise_contrastive | 25 | 0.27 |
| non_saturating | 19 | 0.71 |
| self_contrastive | 25 | 0.38 |
| vae | 25 | 0.33 |
| wasserstein | 21 | 0.07 |
| wasserstein_gp | 25 | 0.63 |
| mixture | 25 | 0.95 |
| non_saturating+consensus | 25 | 0.82 |
| non_saturating+locally_stable | 18 | 0.25 |
| non_saturating+simultaneous | 17 | 0.58 |
| non_saturating+historical_averaging | 21 | 0.42 |
| minimax+unrolled | 18 | 0.06 |
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
    set_variant(config, variant, VARIANTS, DYNAMICS)
    return config
