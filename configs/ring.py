"""Ring of eight Gaussians (radius 2, standard deviation 0.02) with the MLPs of Metz et al. 2016, appendix A: two hidden
layers of 128 in the generator, one in the critic, whose input is divided by 4, orthogonal weights with gain 0.8.

python -m trainers.train --config=configs/ring.py:wasserstein_gp --workdir=runs/ring
python -m trainers.train --config=configs/ring.py:minimax+unrolled --workdir=runs/ring_unrolled
python -m trainers.train --config=configs/ring.py:non_saturating --config.dynamics=consensus \\
    --config.dynamics_options.gamma=1 --workdir=runs/ring_consensus

A plus sign adds a dynamics to an objective, with its settings below. With --config.train.jit_compile=True a run takes
half a minute to a minute on one core, two to three times less than without. Differences from the paper: 16 latents
instead of 256 (drawing them took most of a step), and a learning rate of 1e-3 that falls to zero over the second half.
Results of `python -m benchmarks.ring`, seeds 0 to 2, 8,000 steps (more in docs/ring.md):

| variant | modes of 8 | high quality |
|---|---|---|
| dragan | 8 8 8 | 0.83 0.92 0.52 |
| energy_based | 8 8 8 | 0.92 0.93 0.88 |
| f_divergence/gan | 8 8 8 | 0.93 0.93 0.94 |
| f_divergence/jeffrey | 8 8 8 | 0.94 0.91 0.86 |
| f_divergence/jensen_shannon | 8 8 8 | 0.93 0.93 0.94 |
| f_divergence/kl | 8 8 8 | 0.81 0.84 0.75 |
| f_divergence/neyman | 8 8 8 | 0.92 0.93 0.94 |
| f_divergence/pearson | 8 8 8 | 0.89 0.80 0.93 |
| f_divergence/reverse_kl | 8 8 8 | 0.94 0.93 0.92 |
| f_divergence/squared_hellinger | 8 8 8 | 0.94 0.92 0.93 |
| f_divergence/total_variation | 8 8 8 | 0.87 0.88 0.87 |
| feature_matching | 8 8 8 | 0.84 0.82 0.84 |
| fisher | 8 8 8 | 0.92 0.94 0.90 |
| hinge | 8 8 8 | 0.93 0.94 0.92 |
| jensen_shannon_regularized | 8 8 8 | 0.90 0.35 0.92 |
| least_squares | 8 8 8 | 0.92 0.93 0.92 |
| loss_sensitive | 8 8 8 | 0.91 0.88 0.87 |
| manifold_diffusion | 8 8 8 | 0.91 0.93 0.94 |
| maximum_likelihood | 8 8 8 | 0.90 0.89 0.89 |
| minimax | 0 8 1 | 0.00 0.60 0.01 |
| mmd | 8 8 8 | 0.83 0.87 0.68 |
| mode_regularized | 8 8 8 | 0.94 0.93 0.93 |
| noise_contrastive | 8 8 8 | 0.98 0.88 0.98 |
| non_saturating | 1 2 1 | 0.02 0.01 0.01 |
| relativistic | 8 8 8 | 0.94 0.94 0.93 |
| self_contrastive | 8 8 8 | 0.99 0.99 0.99 |
| vae | 8 8 8 | 0.59 0.51 0.56 |
| wasserstein | 8 8 8 | 0.74 0.79 0.50 |
| wasserstein_gp | 8 8 8 | 0.89 0.84 0.94 |
| mixture | 8 8 8 | 0.99 0.99 0.99 |
| non_saturating+consensus | 8 8 8 | 0.86 0.87 0.83 |
| non_saturating+historical_averaging | 8 8 8 | 0.83 0.84 0.83 |
| non_saturating+locally_stable | 8 8 8 | 0.92 0.91 0.64 |
| non_saturating+simultaneous | 1 0 1 | 0.01 0.00 0.00 |
| minimax+unrolled | 8 8 8 | 0.85 0.90 0.92 |

`relativistic` against `non_saturating` on the same networks, without a penalty and with R1 and R2
(--config.techniques.zero_centred.at=both, .weight=γ). It does not beat it: the small critic needs the penalty, with
which either finds most modes (γ = 1); with the larger one both find all of them, without it as well.

| critic | γ | relativistic | non_saturating |
|---|---|---|---|
| 128 | 0 | 2 1 1 modes, 0.01 0.01 0.01 | 1 0 2 modes, 0.01 0.00 0.00 |
| 128 | 0.01 | 2 6 1 modes, 0.01 0.05 0.02 | 1 8 1 modes, 0.01 0.71 0.00 |
| 128 | 0.1 | 0 8 2 modes, 0.00 0.83 0.05 | 0 8 0 modes, 0.00 0.31 0.00 |
| 128 | 1 | 8 6 8 modes, 0.75 0.41 0.67 | 8 8 8 modes, 0.83 0.75 0.59 |
| 128-128 | 0 | 8 8 8 modes, 0.94 0.94 0.93 | 8 8 8 modes, 0.93 0.90 0.93 |
| 128-128 | 0.1 | 8 8 8 modes, 0.92 0.89 0.90 | 8 8 8 modes, 0.91 0.91 0.91 |
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

#: Objective or other variant → changes.
VARIANTS = {
    "wasserstein": {
        "objective_options": {"clip": 0.1},
        "generator_optimizer": {"learning_rate": 5e-4},
        "critic_optimizer": {"learning_rate": 5e-4},
        "critic": _DEEP,
    },
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
    "mmd": {
        "generator_optimizer": {"learning_rate": 1e-3},
        "critic_optimizer": {"learning_rate": 1e-3},
        "critic": _DEEP,
    },
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
    config.train.decay_from = 0.5
    config.train.ema_decay = 0.0  # as in the papers, samples come from the raw generator
    config.train.steps_per_execution = 50
    config.train.checkpoint_every = 2_500
    config.train.log_every = 250
    config.train.sample_every = 2_500
    set_variant(config, variant, VARIANTS, DYNAMICS)
    return config
