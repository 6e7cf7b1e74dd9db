"""Ring of eight Gaussians (radius 2, standard deviation 0.02) with the MLPs of Metz et al. 2016, appendix A: two hidden
layers of 128 in the generator, one in the critic, whose input is divided by 4, orthogonal weights with gain 0.8.

python -m trainers.train --config=configs/ring.py:wasserstein_gp --workdir=runs/ring
python -m trainers.train --config=configs/ring.py:minimax+unrolled --workdir=runs/ring_unrolled
python -m trainers.train --config=configs/ring.py:non_saturating --config.dynamics=consensus \\
    --config.dynamics_options.gamma=1 --workdir=runs/ring_consensus

A plus sign adds a dynamics to an objective, with its settings below. With --config.train.jit_compile=True a run takes
half a minute to a minute on one core, two to three times less than without. Differences from the paper: 16 latents
instead of 256 (drawing them took most of a step), and a learning rate of 1e-3 that falls to zero over the second half.
`python -m benchmarks.ring` trains every variant on three seeds; what they reach stands in docs/ring.md. There
`relativistic` does not beat `non_saturating` on equal networks: the small critic needs a penalty, with which either
finds most modes; with the larger one both find all, without it as well.
"""

from configs.base import base_config, set_variant

#: A larger critic that separates all modes, for objectives that cycle between modes with the small one.
_DEEP = {"hidden_units": (128, 128)}

#: Instance noise, annealed to zero over the first half, makes p and q overlap. Without overlap many divergences are
#: infinite or flat.
_OVERLAP = {"instance_noise": {"std": 0.5, "until": 0.5}}

#: Gradient penalty that bounds the critic's scores, for losses that are exponential in them.
_SLOPE = {"gradient_norm": {"weight": 0.1, "at": "interpolates", "target": 1.0}}

#: Divergence of `f_divergence` → changes. Where the weight of p/q or q/p is unbounded, the critic's gradient norm is
#: penalised too. Where the alternative loss has exponential gradients at confident scores, the generator minimises the
#: bound itself ("saturating").
DIVERGENCES = {
    "kl": {"techniques": {**_OVERLAP, **_SLOPE}},
    "reverse_kl": {"objective_options": {"saturating": True}, "techniques": {**_OVERLAP, **_SLOPE}},
    "pearson": {},
    "neyman": {"objective_options": {"saturating": True}, "techniques": {**_OVERLAP, **_SLOPE}},
    "squared_hellinger": {"objective_options": {"saturating": True}, "techniques": {**_OVERLAP, **_SLOPE}},
    "jensen_shannon": {},
    "gan": {},
    # Its scores pass through a tanh. The optimal scores, and those under a gradient norm of 1 (three settings, no
    # modes), lie at its two flat ends. A target of 0 keeps the gradient as small as separating p from q allows, and the
    # scores between the ends.
    "total_variation": {
        "techniques": {"gradient_norm": {"weight": 1.0, "at": "interpolates", "target": 0.0}},
    },
    "jeffrey": {"techniques": {**_OVERLAP, **_SLOPE}},
}

#: A critic of clipped weights.
_CLIPPED = {
    "objective_options": {"clip": 0.1},
    "generator_optimizer": {"learning_rate": 5e-4},
    "critic_optimizer": {"learning_rate": 5e-4},
    "critic": _DEEP,
}

#: Objective or other variant → changes.
VARIANTS = {
    "wasserstein": _CLIPPED,
    "wasserstein_gp": {
        "objective_options": {"penalty_weight": 0.1},  # as in the authors' code for points
        "generator_optimizer": {"learning_rate": 1e-3},
        "critic_optimizer": {"learning_rate": 1e-3},
    },
    "least_squares": {"critic": _DEEP},
    "hinge": {"critic": _DEEP},
    "maximum_likelihood": {"critic": _DEEP},
    "relativistic": {"critic": _DEEP},
    "loss_sensitive": {"objective_options": {"margin_scale": 1.0}, "critic": _DEEP},
    # A unit gradient norm, enforced by the paper's weight of 10, would keep the scores of neighbouring modes too close.
    "dragan": {"objective_options": {"penalty_weight": 0.1}, "critic": _DEEP},
    "f_divergence": {"techniques": _OVERLAP, "critic": _DEEP},
    "jensen_shannon_regularized": {"critic": _DEEP},
    # With 16 latents the encoder reconstructs every mode from codes of negligible prior probability, and the samples
    # cover only 1 to 5 modes, the fewer the larger the weight of the reconstruction. Two latents leave no room for such
    # codes.
    "mode_regularized": {"generator": {"latent_dim": 2}, "critic": _DEEP},
    "manifold_diffusion": {"critic": _DEEP},
    "feature_matching": {"critic": _DEEP},
    "fisher": {"critic": _DEEP},
    "mean_feature_matching": _CLIPPED,
    # With features bounded by the weights that `wasserstein` has here, products of two of them lose modes.
    "covariance_feature_matching": {**_CLIPPED, "objective_options": {"clip": 0.05}},
    "mmd": {
        "generator_optimizer": {"learning_rate": 1e-3},
        "critic_optimizer": {"learning_rate": 1e-3},
        "critic": _DEEP,
    },
    "info": {"objective_options": {"categories": (8,), "continuous": 0}, "critic": _DEEP},
    # Its optimal critic measures total variation, which is flat where p and q do not overlap, so lost modes stay lost
    # (3 modes found with the paper's weight of 0.1, 4 to 6 with 1). Annealed noise makes p and q overlap.
    "energy_based": {
        "objective_options": {"margin": 1.0, "pull_away_weight": 1.0},
        "techniques": _OVERLAP,
        "generator": {"latent_dim": 2},
        "critic": {"family": "mlp_autoencoder", "code_dim": 16, "hidden_units": (128, 128)},
    },
    "mixture": {"mixture": {"components": 4}, "critic": _DEEP},
    "noise_contrastive": {"objective_options": {"noise_scale": 2.0}},
    # The ring's variance is the same in every direction. With the variance of maximum likelihood the decoder begins at
    # the data's, no direction has more, and the posterior stays at the prior: no modes. With the data's own 0.02 the
    # codes of examples fill little of the prior: 7 modes, 1 % of high quality. With 0.05 all 8 and 52 %.
    "vae": {"objective_options": {"scale": 0.1}, "generator": {"latent_dim": 2}, "critic": _DEEP},
}
for _name, _changes in DIVERGENCES.items():
    _options = {"divergence": _name, **_changes.get("objective_options", {})}
    VARIANTS[f"f_divergence/{_name}"] = {
        "objective": "f_divergence",
        **VARIANTS["f_divergence"],
        **_changes,
        "objective_options": _options,
    }

#: Dynamics → changes.
DYNAMICS = {
    "consensus": {"dynamics_options": {"gamma": 1.0}},
    # Under Adam the paper's weight of 1 keeps both networks at their initial values; with the small critic no weight
    # stops the cycling (1, 0.01 and 0.001 tried).
    "historical_averaging": {"dynamics_options": {"weight": 1e-3}, "techniques": _OVERLAP, "critic": _DEEP},
    # The critic, and with it its surrogate, learns faster than the generator; with equal rates one seed lost a mode.
    "unrolled": {"dynamics_options": {"steps": 5}, "critic_optimizer": {"learning_rate": 3e-3}},
}


def get_config(variant="non_saturating"):
    """The config of a variant, "objective" or "objective+dynamics"."""
    config = base_config("ring")
    config.generator = {"family": "mlp", "latent_dim": 16, "hidden_units": (128, 128), "orthogonal_gain": 0.8}
    config.critic = {"family": "mlp", "hidden_units": (128,), "input_scale": 0.25, "orthogonal_gain": 0.8}
    config.generator_optimizer.learning_rate = config.critic_optimizer.learning_rate = 1e-3
    config.train.batch_size = 128
    config.train.steps = 8_000
    config.train.diagnose_every = 1_000
    config.train.decay_from = 0.5
    config.train.ema_decay = 0.0  # as in the papers, samples come from the raw generator
    config.train.steps_per_execution = 50
    config.train.checkpoint_every = 2_500
    config.train.log_every = 250
    config.train.sample_every = 2_500
    set_variant(config, variant, VARIANTS, DYNAMICS)
    return config
