"""Your own images: a folder of files, with or without class folders, cropped and resized to 32×32 colour.

python -m trainers.train --config=configs/folder.py --config.data.source=folder:DIR --workdir=runs/mine
python -m export.evaluate --workdir=runs/mine

Tried on CIFAR-10 as JPEG files in class folders: `non_saturating`, cut short at 1,000 steps (four minutes of one core),
is at 17.9 % of an untrained generator's Fréchet distance (10.9 of 60.7; precision 0.79, recall 0.23), in the features
of the classifier that the evaluation trains on the folder (69.9 % test accuracy). The other objectives' settings are
carried over from Fashion-MNIST and were not tried on colour images.
"""

from configs.base import FAST_GENERATOR, base_config, set_objective

#: What each objective changes.
VARIANTS = {
    **dict.fromkeys(
        (
            "minimax",
            "maximum_likelihood",
            "least_squares",
            "f_divergence",
            "jensen_shannon_regularized",
            "dragan",
            "feature_matching",
            "mode_regularized",
            "manifold_diffusion",
        ),
        FAST_GENERATOR,
    ),
    "wasserstein": {"generator_optimizer": {"learning_rate": 2e-4}, "critic_optimizer": {"learning_rate": 2e-4}},
    # Three times the paper's rate: this run has a tenth of the paper's steps.
    "wasserstein_gp": {"generator_optimizer": {"learning_rate": 3e-4}, "critic_optimizer": {"learning_rate": 3e-4}},
    # Distances grow with the number of pixels, so the margin's share of them falls.
    "loss_sensitive": {**FAST_GENERATOR, "objective_options": {"margin_scale": 0.001}},
    "energy_based": {"critic": {"family": "dcgan_autoencoder", "code_dim": 64, "base_filters": 64}},
}


def get_config(objective="non_saturating"):
    config = base_config("folder:images")
    config.data.image_size = 32
    config.generator.latent_dim = 100
    config.train.steps = 20_000
    set_objective(config, objective, VARIANTS)
    return config
