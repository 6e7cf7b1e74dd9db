"""Fashion-MNIST, 28×28 grey, a DCGAN with 534,273 generator parameters. The data is that of Debian's package
dataset-fashion-mnist.

python -m trainers.train --config=configs/fashion_mnist.py:non_saturating --workdir=runs/fashion
python -m export.evaluate --workdir=runs/fashion

Full runs, 15 to 35 minutes on two cores, are the pretrained models: zoo.list_models(data="fashion_mnist"). What shorter
runs reach (--config.train.steps=STEPS, five to ten minutes of one core each) stands in docs/results.md. There
`relativistic` with R1 and R2 does not beat `non_saturating` without a penalty, on the same networks but for batch
normalisation in the critic, which R1 and R2 rule out. `noise_contrastive` and `self_contrastive` fit a Gaussian mixture
of 16 components to the pixels, which is not their purpose.
"""

from configs.base import FAST_GENERATOR, base_config, set_objective

#: A critic of clipped weights.
_CLIPPED = {
    "generator_optimizer": {"learning_rate": 2e-4},
    "critic_optimizer": {"learning_rate": 2e-4},
    "train": {"steps": 5_500},
}

#: Objective → changes.
VARIANTS = {
    "minimax": FAST_GENERATOR,
    "maximum_likelihood": FAST_GENERATOR,
    "least_squares": FAST_GENERATOR,
    "f_divergence": FAST_GENERATOR,
    "jensen_shannon_regularized": FAST_GENERATOR,
    "dragan": FAST_GENERATOR,
    "feature_matching": FAST_GENERATOR,
    # Instance noise drowns marks that are too faint to matter in an image. Without it the code is read off such marks,
    # and stands for no class.
    "info": {
        "objective_options": {"continuous_weight": 0.1},
        "generator_optimizer": {"learning_rate": 1e-3},
        "generator": {"latent_dim": 16, "base_filters": 32},
        "critic": {"base_filters": 32},
        "techniques": {"instance_noise": {"std": 0.5, "until": 1.0}},
        "train": {"steps": 5_000},
    },
    "mode_regularized": FAST_GENERATOR,
    "manifold_diffusion": FAST_GENERATOR,
    "wasserstein": _CLIPPED,
    "mean_feature_matching": _CLIPPED,
    "covariance_feature_matching": _CLIPPED,
    "wasserstein_gp": {
        # Five critic steps with second derivatives are slow. Half the critic's channels allow three times the steps in
        # 25 minutes of two cores, which is worth more. Three times the paper's rate, for a fortieth of its steps.
        "critic": {"base_filters": 32},
        "generator_optimizer": {"learning_rate": 3e-4},
        "critic_optimizer": {"learning_rate": 3e-4},
        "train": {"batch_size": 64, "steps": 5_500},
    },
    # No momentum, as in most settings of the paper; with DCGAN's momentum and rates the results are far worse.
    "hinge": {
        "generator_optimizer": {"learning_rate": 5e-4, "beta_1": 0.0},
        "critic_optimizer": {"learning_rate": 1e-3, "beta_1": 0.0},
    },
    # R1 and R2, as of R3GAN.
    "relativistic": {"techniques": {"zero_centred": {"weight": 1.0, "at": "both"}}},
    "loss_sensitive": {**FAST_GENERATOR, "objective_options": {"margin_scale": 0.003}},
    "energy_based": {"critic": {"family": "dcgan_autoencoder", "code_dim": 64, "base_filters": 64}},
    "rbm": {"generator_optimizer": {"learning_rate": 0.1}},
    # The best of six settings after 3,000 steps. With the variance of maximum likelihood (a standard deviation of 0.16)
    # and 64 latents the divergence from the prior is large, and most latents of the prior give a blend of garments.
    "vae": {"generator": {"latent_dim": 16}, "objective_options": {"scale": 0.6}},
}


def get_config(objective="non_saturating"):
    config = base_config("idx:/usr/share/datasets/fashion-mnist")
    # Batches of 64, with half the steps for as many images, reach a lower recall.
    config.train.batch_size = 32
    config.train.steps = 15_000
    config.train.diagnose_every = 1_000
    config.train.decay_from = 0.5
    set_objective(config, objective, VARIANTS)
    return config
