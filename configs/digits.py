"""scikit-learn's 8×8 digits: no download, two minutes of training on two cores.

python -m trainers.train --config=configs/digits.py --workdir=runs/digits
python -m export.evaluate --workdir=runs/digits

What its variants reach stands in docs/results.md.
"""

from configs.base import FAST_GENERATOR, base_config, set_objective

_FAST = {"generator_optimizer": {"learning_rate": 1e-3}, "critic_optimizer": {"learning_rate": 1e-3}}

#: Objective → changes.
VARIANTS = {
    "minimax": FAST_GENERATOR,
    "maximum_likelihood": FAST_GENERATOR,
    "least_squares": FAST_GENERATOR,
    "jensen_shannon_regularized": FAST_GENERATOR,
    "dragan": FAST_GENERATOR,
    "feature_matching": FAST_GENERATOR,
    "info": {**FAST_GENERATOR, "objective_options": {"continuous_weight": 0.1}},
    "wasserstein": {"generator_optimizer": {"learning_rate": 5e-4}, "critic_optimizer": {"learning_rate": 5e-4}},
    "wasserstein_gp": _FAST,
    "loss_sensitive": {"objective_options": {"margin_scale": 0.02}},
    "energy_based": {
        # A margin within reach of the reconstruction error of 64 pixels; with the paper's 10, for MNIST, the generator
        # collapses to one image.
        "objective_options": {"margin": 2.0},
        "critic": {"family": "dcgan_autoencoder", "code_dim": 64, "base_filters": 64},
    },
    # One critic step at a time leaves the generator far worse.
    "progressive": {
        "objective_options": {"stable_steps": 200, "fade_steps": 200},
        "generator": {"latent_dim": 32},
        "dynamics_options": {"critic_steps": 4},
        "train": {"steps": 3_000, "batch_size": 32},
    },
    "rbm": {
        "generator": {"family": "rbm", "hidden_units": 200, "chains": 512},
        "generator_optimizer": {"learning_rate": 0.1},
        "train": {"steps": 8_000},
    },
    # With 32 latents and the variance of maximum likelihood it is worse: the posteriors of the 1,493 images are narrow,
    # and most latents of the prior lie where the decoder was never trained.
    "vae": {"generator": {"latent_dim": 8}, "objective_options": {"scale": 0.25}},
}


def get_config(objective="non_saturating"):
    config = base_config("digits")
    config.generator.latent_dim = 32
    config.train.steps = 4_000
    config.train.diagnose_every = 1_000
    config.train.decay_from = 0.5
    config.train.steps_per_execution = 10
    set_objective(config, objective, VARIANTS)
    return config
