"""Your own images: a folder of image files, with or without class folders, cropped and resized to 32×32 RGB.

python -m trainers.train --config=configs/folder.py --config.data.source=folder:DIR --workdir=runs/mine
python -m export.evaluate --workdir=runs/mine

What its variants reach on CIFAR-10, as JPEG files in class folders, stands in docs/results.md (cifar). Those are short
runs (--config.train.steps=STEPS, --config.train.decay_from=0.5) of two to nine minutes of one core, at most a twentieth
of this config's, but for `progressive`; its run on images of 64×64 is that of benchmarks/emoji_folder.py. A recall
near zero means that the images still lack diversity; full runs of the others were not tried. `noise_contrastive` and
`self_contrastive` fit a Gaussian mixture of 16 components to the pixels, which is not their purpose.

There the features are those of a classifier trained on the folder (69.9 % test accuracy): `python -m
export.metrics.train_classifier --data=folder:DIR --image_size=32` prints its name, for `export.evaluate
--features=NAME`. Without, an evaluation takes EfficientNet-Lite0.
"""

from configs.base import FAST_GENERATOR, base_config, set_objective

#: Instance noise up to the end of the run, for losses that are flat or unbounded where the critic is saturated. Without
#: it a generator of colour images loses its diversity within a few hundred steps.
_NOISE = {"techniques": {"instance_noise": {"std": 0.5, "until": 1.0}}}

#: Objective → changes. Two variants need none: FAST_GENERATOR makes `conditional` worse, and the latents and the scale
#: of Fashion-MNIST change little for `vae`.
VARIANTS = {
    "minimax": _NOISE,
    "maximum_likelihood": {**FAST_GENERATOR, **_NOISE},
    "f_divergence": _NOISE,
    "jensen_shannon_regularized": _NOISE,
    "least_squares": FAST_GENERATOR,
    "dragan": FAST_GENERATOR,
    "feature_matching": FAST_GENERATOR,
    "mode_regularized": FAST_GENERATOR,
    "manifold_diffusion": FAST_GENERATOR,
    "wasserstein": {"generator_optimizer": {"learning_rate": 2e-4}, "critic_optimizer": {"learning_rate": 2e-4}},
    # Three times the paper's rate, for a tenth of its steps.
    "wasserstein_gp": {"generator_optimizer": {"learning_rate": 3e-4}, "critic_optimizer": {"learning_rate": 3e-4}},
    # As on Fashion-MNIST; with DCGAN's momentum and rates most of the diversity is lost.
    "hinge": {
        "generator_optimizer": {"learning_rate": 5e-4, "beta_1": 0.0},
        "critic_optimizer": {"learning_rate": 1e-3, "beta_1": 0.0},
    },
    # Miyato et al. 2018 with a quarter of its channels, and the rates above for `hinge`.
    "resnet": {
        "objective": "hinge",
        "generator": {"family": "resnet", "latent_dim": 128, "base_filters": 8},
        "critic": {"family": "resnet", "base_filters": 16, "normalization": "auto"},
        "generator_optimizer": {"learning_rate": 5e-4, "beta_1": 0.0},
        "critic_optimizer": {"learning_rate": 1e-3, "beta_1": 0.0},
    },
    # Distances grow with the number of pixels, so margin_scale is smaller.
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
