"""Your own images: a folder of files, with or without class folders, cropped and resized to 32×32 colour.

python -m trainers.train --config=configs/folder.py --config.data.source=folder:DIR --workdir=runs/mine
"""

from configs.base import base_config, set_objective

#: What each objective changes.
VARIANTS = {
    # Three times the paper's rate: this run has a tenth of the paper's steps.
    "wasserstein_gp": {"generator_optimizer": {"learning_rate": 3e-4}, "critic_optimizer": {"learning_rate": 3e-4}},
    # Distances grow with the number of pixels, so the margin's share of them falls.
    "loss_sensitive": {"objective_options": {"margin_scale": 0.001}},
    "energy_based": {"critic": {"family": "dcgan_autoencoder", "code_dim": 64, "base_filters": 64}},
}


def get_config(objective="non_saturating"):
    config = base_config("folder:images")
    config.data.image_size = 32
    config.generator.latent_dim = 100
    config.train.steps = 20_000
    set_objective(config, objective, VARIANTS)
    return config
