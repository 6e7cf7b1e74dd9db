"""The default config: every key with its meaning, and the changes that an objective needs on any data.

The other configs here adapt it to their data.
"""

import ml_collections
from ml_collections import config_dict

_DENSITY = {
    "generator": {"family": "gaussian_mixture", "components": 16},
    "generator_optimizer": {"learning_rate": 1e-2},
}

#: Variant → changes on any data, where the paper's settings do not suffice. Objectives not listed change nothing.
OBJECTIVES = {
    # Without the first term of the paper's equation, along which an unbounded critic diverges.
    "loss_sensitive": {"objective_options": {"loss_weight": 0.0}},
    "noise_contrastive": _DENSITY,
    "self_contrastive": _DENSITY,
    # Persistent chains. Samples start at one of them.
    "rbm": {"generator": {"family": "rbm", "hidden_units": 500, "chains": 512}},
    # MIX+GAN. The cost of a step grows with the square of the components.
    "mixture": {"objective": "non_saturating", "mixture": {"components": 2}},
    # A quarter of the paper's blocks, half and a quarter of its channels: a tenth of the work of a step.
    "super_resolution": {
        "generator": {"family": "srgan", "blocks": 4, "base_filters": 32},
        "critic": {"family": "srgan", "base_filters": 16, "normalization": "auto"},
        "generator_optimizer": {"learning_rate": 5e-4},
        "train": {"batch_size": 16},
    },
    # A fortieth of the paper's steps, at five times its rate, and an eighth of its channels.
    "progressive": {
        "objective_options": {"stable_steps": 1_250, "fade_steps": 1_250},
        "generator": {"family": "progressive", "filter_base": 1_024, "max_filters": 64},
        "critic": {"family": "progressive", "filter_base": 1_024, "max_filters": 64},
        "generator_optimizer": {"learning_rate": 5e-3},
        "critic_optimizer": {"learning_rate": 5e-3},
        "train": {"batch_size": 16, "steps": 20_000, "decay_from": 1.0},
    },
    # A tenth of the paper's first stage, and half its channels.
    "stacked": {
        "objective_options": {"first_steps": 6_000},
        "generator": {"family": "stacked", "noise_dim": 32, "condition_dim": 32, "blocks": 2, "base_filters": 32},
        "critic": {"family": "stacked", "base_filters": 32},
        "train": {"steps": 14_000, "batch_size": 32, "decay_from": 1.0},
    },
    # An objective with class-conditional networks.
    "conditional": {"objective": "non_saturating", "conditional": {"critic": "projection"}},
}

#: Five times the usual learning rate for the generator only, for objectives whose DCGAN critic soon saturates on
#: images. At equal rates the generator loses diversity, seen with `least_squares` on Fashion-MNIST.
FAST_GENERATOR = {"generator_optimizer": {"learning_rate": 1e-3}}


def change(config, changes):
    """Applies `changes`, a dict like `config`, to it in place. A dict value with a "name" or "family" replaces the
    present one, any other dict value updates it."""
    for key, value in changes.items():
        if isinstance(value, dict) and not value.keys() & {"name", "family"}:
            config[key].update(value)
        else:
            config[key] = value


def set_objective(config, objective, variants):
    """Sets the objective and applies its changes: first those of OBJECTIVES, then of `variants` (name → dict)."""
    config.objective = objective
    for table in (OBJECTIVES, variants):
        change(config, table.get(objective, {}))


def set_variant(config, variant, objectives, dynamics):
    """Sets a variant "objective" or "objective+dynamics", and applies the changes of both on this data: `objectives`
    and `dynamics`, name → dict."""
    objective, plus, play = variant.partition("+")
    set_objective(config, objective, objectives)
    if plus:
        config.dynamics = play
        change(config, dynamics.get(play, {}))


def base_config(source):
    """The default config: a DCGAN on images from `source`."""
    config = ml_collections.ConfigDict()
    config.seed = 0  # of the weights, the noise and the order of the data; 0 to 2³² - 1

    # Objective and dynamics (the players' updates): the names of a file in trainers/objectives/ and trainers/dynamics/.
    config.objective = "non_saturating"
    # Options that are None or not given are the paper's; config.json in a run's directory holds them all.
    config.objective_options = {}  # the options that its class declares
    config.dynamics = "alternating"
    config.dynamics_options = {}  # the options that its class declares; critic_steps: of the objective's paper

    # Input noise and critic regularisers, for any objective: the files of trainers/techniques/. An empty dict is off.
    # Setting an option turns a technique on; options that are None or not given are its paper's. To use a technique
    # twice, add an entry with any key and a name: {"r2": {"name": "zero_centred", "at": "fake"}}.
    config.techniques = {
        "instance_noise": {},  # std; until: a share of the run
        "weight_clipping": {},  # bound
        "gradient_norm": {},  # weight, target, every; at: interpolates, real, fake, both or perturbed
        "zero_centred": {},  # weight, at, every
    }

    # MIX+GAN: number of components of each player, with learned weights (1: plain networks), of lowest layers shared.
    config.mixture = {"components": 1, "entropy_weight": 0.1, "shared_layers": 0}

    # Class-conditional GANs, for labelled data. critic: how it receives the label, "projection" or "concatenation"; the
    # generator then receives an embedding of the label, of embedding_dim components. "none": unconditional.
    config.conditional = {"critic": "none", "embedding_dim": 64}

    config.data = {
        "source": source,  # ring, grid, swiss_roll, uniform, two_segments, digits, shapes, tfds:NAME, idx:DIR, …
        "image_size": config_dict.placeholder(int),  # crop to a square and resize to this side; none: as stored
        "channels": config_dict.placeholder(int),  # 1 grey, 3 RGB; none: as stored
        "on_corrupt": "error",  # or "skip": leave out the images of a folder that cannot be read
        "data_dir": config_dict.placeholder(str),  # of tfds
    }

    config.generator = {"family": "dcgan", "latent_dim": 64, "base_filters": 64}
    config.critic = {"family": "dcgan", "base_filters": 64, "normalization": "auto"}  # auto: what the objective needs
    # Encoder, for objectives that have one: the critic's layers with these changes; with a family, it replaces them.
    config.encoder = {}
    # Weights to start from: zoo:NAME, or an exported model of the same networks; none: fresh ones.
    config.init_from = config_dict.placeholder(str)
    # Changes to the optimizer of the objective's paper; with a name, they replace it.
    config.generator_optimizer = {}
    config.critic_optimizer = {}

    config.train = {
        "batch_size": 64,  # over all replicas
        "steps": 10_000,  # generator steps
        "decay_from": 1.0,  # share of the run after which both learning rates fall linearly to zero; 1: never
        "ema_decay": 0.999,  # of the EMA generator, which is sampled from; 0: sample from the raw generator
        "precision": "float32",  # or mixed_bfloat16, float64
        "jit_compile": False,  # compile each step with XLA; not for several replicas on CPUs
        "steps_per_execution": 1,  # steps in one call, between logs and signals; raise it where a step takes < 10 ms
        "checkpoint_every": 500,  # steps
        "keep_checkpoints": 3,
        "log_every": 50,  # steps
        "sample_every": 500,  # steps
        "diagnose_every": 0,  # steps, up to the next checkpoint: how the run is failing, if it is; 0: never
        "on_nonfinite": "stop",  # or "rollback": resume from the last checkpoint with different noise and data
    }
    return config
