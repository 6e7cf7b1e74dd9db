"""Every key that a config has, with its meaning; and what each objective needs on any data, in one table.

The configs beside this file change what their data needs.
"""

import ml_collections
from ml_collections import config_dict

_DENSITY = {
    "generator": {"family": "gaussian_mixture", "components": 16},
    "generator_optimizer": {"learning_rate": 1e-2},
}

#: What a variant changes whatever the data, where that is not its paper's. Objectives that are not here change nothing.
OBJECTIVES = {
    # Without the first term of the paper's equation: an unbounded critic runs away with it.
    "loss_sensitive": {"objective_options": {"loss_weight": 0.0}},
    "noise_contrastive": _DENSITY,
    "self_contrastive": _DENSITY,
    # Not an objective but one played by mixed strategies. A step costs the square of the components.
    "mixture": {"objective": "non_saturating", "mixture": {"components": 2}},
    # Nor this: any objective whose networks are told the classes.
    "conditional": {"objective": "non_saturating", "conditional": {"critic": "projection"}},
}

#: Five times the usual rate, the generator's alone, for objectives whose DCGAN critic is soon sure on images. At equal
#: rates the generator stays on a few of them: on Fashion-MNIST, after 2,000 steps, `least_squares` is at a Fréchet
#: distance of 46 and a recall of 0.24, with this at 16 and 0.54.
FAST_GENERATOR = {"generator_optimizer": {"learning_rate": 1e-3}}


def change(config, changes):
    """Makes `changes`, a dict like `config`, in it. A dict with a name or family of its own takes the place of the one
    there, whose other values belonged to another; any other dict refines it."""
    for key, value in changes.items():
        if isinstance(value, dict) and not value.keys() & {"name", "family"}:
            config[key].update(value)
        else:
            config[key] = value


def set_objective(config, objective, variants):
    """Sets the objective, and what it changes: OBJECTIVES on any data, then `variants`, name → dict, on this data."""
    config.objective = objective
    for table in (OBJECTIVES, variants):
        change(config, table.get(objective, {}))


def set_variant(config, variant, objectives, dynamics):
    """Sets an objective, or an objective and a dynamics with a plus sign between them, and what each changes on this
    data: `objectives` and `dynamics`, name → dict."""
    objective, plus, play = variant.partition("+")
    set_objective(config, objective, objectives)
    if plus:
        config.dynamics = play
        change(config, dynamics.get(play, {}))


def base_config(source):
    """The default config: a DCGAN on images from `source`."""
    config = ml_collections.ConfigDict()
    config.seed = 0  # of the weights, the noise and the order of the data; 0 to 2³² - 1

    # What is compared, and how the players move: a file of trainers/objectives/ and one of trainers/dynamics/.
    config.objective = "non_saturating"
    config.objective_options = {}  # keyword arguments of its class
    config.dynamics = "alternating"
    config.dynamics_options = {}  # keyword arguments of its class; critic_steps is the objective's paper's if not here

    # What the networks see, and how the critic is regularised, with any objective: the files of trainers/techniques/.
    # Off while empty. Setting an option turns one on; the others are then its paper's, as is one set to None. To use
    # one twice, call it anything and name it: {"r2": {"name": "zero_centred", "at": "fake"}}.
    config.techniques = {
        "instance_noise": {},  # std; until, a share of the run
        "weight_clipping": {},  # bound
        "gradient_norm": {},  # weight, target, every; at: interpolates, real, fake or perturbed
        "zero_centred": {},  # weight, at, every
    }

    # Components of each player with learned weights (1: plain networks), and the lowest layers that they share.
    config.mixture = {"components": 1, "entropy_weight": 0.1, "shared_layers": 0}

    # Classes, where the data has them: how the critic is told the label of each example, projection or concatenation;
    # the generator then takes an embedding of it, of so many components. none: neither is told.
    config.conditional = {"critic": "none", "embedding_dim": 64}

    config.data = {
        "source": source,  # ring, grid, swiss_roll, uniform, two_segments, digits, tfds:NAME, idx:DIR, folder:DIR
        "image_size": config_dict.placeholder(int),  # crop to a square and resize to this side; none: as stored
        "channels": config_dict.placeholder(int),  # 1 grey, 3 RGB; none: as stored
        "on_corrupt": "error",  # or "skip": leave out the images of a folder that cannot be read
        "data_dir": config_dict.placeholder(str),  # of tfds
    }

    config.generator = {"family": "dcgan", "latent_dim": 64, "base_filters": 64}
    config.critic = {"family": "dcgan", "base_filters": 64, "normalization": "auto"}  # auto: what the objective needs
    # Of objectives with one: the layers of the critic above, with what is given here changed; one with a family takes
    # their place.
    config.encoder = {}
    # The optimizer of the objective's paper, with what is given here changed; one with a name takes its place.
    config.generator_optimizer = {}
    config.critic_optimizer = {}

    config.train = {
        "batch_size": 64,  # over all replicas
        "steps": 10_000,  # generator steps
        "decay_from": 1.0,  # share of the run after which both learning rates fall linearly to zero; 1: never
        "ema_decay": 0.999,  # of the generator that samples are drawn from; 0: the raw generator
        "precision": "float32",  # or mixed_bfloat16, float64
        "jit_compile": False,  # compile each step with XLA; not for several replicas on CPUs
        "steps_per_execution": 1,  # steps between looks at the logs and signals; raise it where a step takes < 10 ms
        "checkpoint_every": 500,  # steps
        "keep_checkpoints": 3,
        "log_every": 50,  # steps
        "sample_every": 500,  # steps
        "on_nonfinite": "stop",  # or "rollback": to the last checkpoint, with other noise and data from there
    }
    return config
