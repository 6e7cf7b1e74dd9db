"""Fashion-MNIST, 28×28 grey, a DCGAN with 534,273 generator parameters. The data is that of Debian's package
dataset-fashion-mnist.

python -m trainers.train --config=configs/fashion_mnist.py:non_saturating --workdir=runs/fashion
python -m export.evaluate --workdir=runs/fashion

Full runs, 15 to 35 minutes on two cores, are the pretrained models: zoo.list_models(data="fashion_mnist"). Shorter runs
(--config.train.steps=STEPS), five to ten minutes of one core each: 10,000 samples against the test images in the
features of fashion_mnist_cnn_v1, one seed.
There an untrained generator has a distance of 185.9, `non_saturating` after 2,000 steps 17.4 (9.4 %, precision 0.54,
recall 0.62). The two contrastive objectives fit a Gaussian mixture of 16 components to the pixels, which is not their
purpose.

| variant | steps | Fréchet | of untrained | precision | recall |
|---|---|---|---|---|---|
| conditional | 4,000 | 3.8 | 2.0 % | 0.75 | 0.72 |
| dragan | 3,000 | 12.1 | 6.5 % | 0.70 | 0.78 |
| energy_based | 2,000 | 12.0 | 6.4 % | 0.63 | 0.70 |
| f_divergence | 3,000 | 4.6 | 2.5 % | 0.70 | 0.80 |
| feature_matching | 3,000 | 13.1 | 7.0 % | 0.57 | 0.74 |
| hinge | 3,000 | 7.2 | 3.8 % | 0.67 | 0.74 |
| jensen_shannon_regularized | 3,000 | 12.9 | 6.9 % | 0.69 | 0.79 |
| least_squares | 3,000 | 9.5 | 5.1 % | 0.69 | 0.72 |
| loss_sensitive | 3,000 | 5.6 | 3.0 % | 0.68 | 0.79 |
| manifold_diffusion | 1,200 | 17.2 | 9.3 % | 0.66 | 0.61 |
| maximum_likelihood | 3,000 | 7.1 | 3.8 % | 0.67 | 0.76 |
| minimax | 3,000 | 5.2 | 2.8 % | 0.70 | 0.80 |
| mode_regularized | 2,000 | 7.4 | 4.0 % | 0.68 | 0.75 |
| noise_contrastive | 3,000 | 234.5 | 126.2 % | 0.00 | 0.00 |
| self_contrastive | 3,000 | 94.1 | 50.6 % | 0.80 | 0.00 |
| vae | 3,000 | 59.4 | 31.9 % | 0.83 | 0.30 |
| wasserstein | 1,200 | 48.7 | 26.2 % | 0.38 | 0.31 |

docs/results.md has the newer methods. There `relativistic` with R1 and R2 does not beat `non_saturating` without a
penalty, on the same networks but for batch normalisation in the critic, which R1 and R2 rule out.

The label agreement of `conditional` is 90.9 % (90.3 to 91.4 %): the classifier takes so many samples for the class that
they were made for, and is right on 91.3 % of the test images.
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
    # and 64 latents it is at 69.8: a divergence of 111 nats, and most latents of the prior give a blend of garments.
    "vae": {"generator": {"latent_dim": 16}, "objective_options": {"scale": 0.6}},
}


def get_config(objective="non_saturating"):
    config = base_config("idx:/usr/share/datasets/fashion-mnist")
    # Batches of 64, with half the steps for as many images, reach a recall of only 0.83.
    config.train.batch_size = 32
    config.train.steps = 15_000
    config.train.decay_from = 0.5
    set_objective(config, objective, VARIANTS)
    return config
