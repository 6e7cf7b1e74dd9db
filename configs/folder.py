"""Your own images: a folder of image files, with or without class folders, cropped and resized to 32×32 RGB.

python -m trainers.train --config=configs/folder.py --config.data.source=folder:DIR --workdir=runs/mine
python -m export.evaluate --workdir=runs/mine

Results on CIFAR-10 as JPEG files in class folders, in short runs (--config.train.steps=STEPS,
--config.train.decay_from=0.5) of two to nine minutes of one core, at most a twentieth of this config's run; one seed.
10,000 samples against the test images, in the features of a classifier trained on the folder (69.9 % test accuracy):
`python -m export.metrics.train_classifier --data=folder:DIR --image_size=32` prints its name, for `export.evaluate
--features=NAME`. Without, an evaluation takes EfficientNet-Lite0. An untrained generator has a distance of 60.7:

| variant | steps | Fréchet | of untrained | precision | recall |
|---|---|---|---|---|---|
| conditional | 1,000 | 10.2 | 16 % | 0.88 | 0.19 |
| dragan | 1,000 | 20.3 | 33 % | 0.91 | 0.01 |
| energy_based | 1,000 | 21.5 | 35 % | 0.99 | 0.01 |
| f_divergence | 1,000 | 10.4 | 17 % | 0.80 | 0.24 |
| feature_matching | 1,000 | 7.3 | 12 % | 0.88 | 0.30 |
| hinge | 1,000 | 12.1 | 20 % | 0.87 | 0.15 |
| jensen_shannon_regularized | 1,000 | 21.4 | 35 % | 0.93 | 0.02 |
| least_squares | 1,000 | 28.1 | 46 % | 0.81 | 0.00 |
| loss_sensitive | 1,000 | 12.0 | 20 % | 0.91 | 0.13 |
| manifold_diffusion | 500 | 14.7 | 24 % | 0.95 | 0.10 |
| maximum_likelihood | 1,000 | 36.2 | 60 % | 0.91 | 0.00 |
| minimax | 1,000 | 16.9 | 28 % | 0.92 | 0.07 |
| mixture | 700 | 9.8 | 16 % | 0.80 | 0.20 |
| mode_regularized | 1,000 | 17.7 | 29 % | 0.84 | 0.05 |
| non_saturating | 1,000 | 10.7 | 18 % | 0.81 | 0.20 |
| noise_contrastive | 500 | 391.4 | 645 % | 0.00 | 0.00 |
| self_contrastive | 500 | 206.4 | 340 % | 0.00 | 0.00 |
| vae | 600 | 33.4 | 54 % | 0.99 | 0.00 |
| wasserstein | 500 | 13.1 | 22 % | 0.77 | 0.18 |
| wasserstein_gp | 200 | 13.1 | 22 % | 0.86 | 0.17 |

A recall near zero means that the images still lack diversity; full runs were not tried. `conditional` and `vae` were
measured in the features of another training of the classifier: 70.4 % test accuracy, 62.4 for an untrained generator.
The label agreement of `conditional` is 31.8 % (30.9 to 32.7 %), that of training images 75.6 %.
The two contrastive objectives fit a Gaussian mixture of 16 components to the pixels, which is not their purpose.
"""

from configs.base import FAST_GENERATOR, base_config, set_objective

#: Instance noise up to the end of the run, for losses that are flat or unbounded where the critic is saturated. Without
#: it a generator of colour images loses its diversity within a few hundred steps: `minimax` has a Fréchet distance of
#: 68 after 1,000.
_NOISE = {"techniques": {"instance_noise": {"std": 0.5, "until": 1.0}}}

#: Objective → changes. Two variants need none. `conditional` has a Fréchet distance of 18.6 after 600 steps (2,000
#: samples), with FAST_GENERATOR 45.7. `vae` has 33.4, with the latents and the scale of Fashion-MNIST 33.6.
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
    # As on Fashion-MNIST; with DCGAN's momentum and rates the Fréchet distance is 22.7 and the recall 0.01.
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
