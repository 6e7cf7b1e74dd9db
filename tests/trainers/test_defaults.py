"""Every default of objectives, dynamics, techniques and optimizers, against its paper or released code.

A row is written by hand from the source that it names; a new option without a row here fails.
"""

import dataclasses
import inspect

import keras
import numpy as np
import pytest

import zoo
from configs import base
from trainers import build as building
from trainers import dynamics, objectives, techniques
from trainers.gan import GAN
from trainers.mixture import Mixture
from trainers.model import GenerativeModel
from trainers.techniques.weight_clipping import WeightClipping
from zoo import options

#: name: (beta_1, beta_2, learning rate) of Adam, or (learning rate,) of RMSprop.
DCGAN = ("Adam", 2e-4, 0.5, 0.999)  # Radford, Metz & Chintala 2015, section 4
ADAM = ("Adam", 1e-3, 0.9, 0.999)  # Kingma & Ba 2015, algorithm 1
WGAN = ("RMSprop", 5e-5)  # Arjovsky, Chintala & Bottou 2017, algorithm 1
WGAN_GP = ("Adam", 1e-4, 0.0, 0.9)  # Gulrajani et al. 2017, algorithm 1

MMD = ("Adam", 1e-4, 0.5, 0.9)  # Bińkowski et al. 2018, section 4
#: Objectives whose paper clips the critic's weights.
CLIPPED = ("wasserstein", "mean_feature_matching", "covariance_feature_matching")


@dataclasses.dataclass
class Paper:
    """What an objective's source says: its options, critic steps, optimizer and the critic's normalisation."""

    options: dict = dataclasses.field(default_factory=dict)
    critic_steps: int = 1
    optimizer: tuple = DCGAN
    critic_normalization: str | None = None


OBJECTIVES = {
    # Goodfellow et al. 2014: plain labels, and k = 1 in its experiments.
    "minimax": Paper({"real_label": 1.0}),
    "non_saturating": Paper({"real_label": 1.0}),
    # Goodfellow 2014b; the bound on the exponent is this zoo's.
    "maximum_likelihood": Paper({"clip": 10.0, "real_label": 1.0}),
    # Mao et al. 2016: the 0-1 coding.
    "least_squares": Paper({"fake_target": 0.0, "real_target": 1.0, "generator_target": 1.0}),
    "wasserstein": Paper({"clip": 0.01}, 5, WGAN),
    "wasserstein_gp": Paper({"penalty_weight": 10.0}, 5, WGAN_GP, "layer"),
    # Kodali et al. 2017, algorithm 1: λ = 10, k = 1; the released code's 0.5 standard deviations.
    "dragan": Paper(
        {"penalty_weight": 10.0, "target": 1.0, "spread": 0.5, "real_label": 1.0}, critic_normalization="layer"
    ),
    # Qi 2017, both terms with weight one; the scale of the released code for 64×64 images.
    "loss_sensitive": Paper({"distance": "l1", "margin_scale": 0.0002, "penalty_weight": 1.0, "loss_weight": 1.0}),
    # Zhao et al. 2016, section 4: m = 10 on MNIST, a weight of 0.1 of the pull-away term.
    "energy_based": Paper({"margin": 10.0, "pull_away_weight": 0.1}),
    # Nowozin et al. 2016, section 3.2: the alternative generator loss.
    "f_divergence": Paper({"divergence": "jensen_shannon", "saturating": False}),
    # Roth et al. 2017: a constant γ = 0.1.
    "jensen_shannon_regularized": Paper(
        {
            "gamma": 0.1,
            "decay": 1.0,
            "decay_steps": 10_000,
            "divergence": "jensen_shannon",
            "saturating": False,
        },
        critic_normalization="layer",
    ),
    # Che et al. 2016, section 4: λ₁ = 0.2, λ₂ = 0.4.
    "mode_regularized": Paper({"reconstruction_weight": 0.2, "mode_weight": 0.4, "real_label": 1.0}),
    # Che et al. 2016, section 4: λ = 10⁻², which in algorithm 1 scales the second term.
    "manifold_diffusion": Paper({"reconstruction_weight": 1.0, "mode_weight": 0.01, "real_label": 1.0}),
    # Salimans et al. 2016, section 3.1: no options.
    "feature_matching": Paper({"real_label": 1.0}),
    # Mroueh & Sercu 2017, the released code: ρ, two critic steps, DCGAN's Adam, batch normalisation.
    "fisher": Paper({"rho": 1e-6}, 2),
    # Bińkowski et al. 2018, the released code: five critic steps, a penalty of weight 1, a plain critic.
    "mmd": Paper({"kernel": "rational_quadratic", "penalty_weight": 1.0}, 5, MMD, "none"),
    # Mroueh, Sercu & Goel 2017 clip as `wasserstein`; norm, k and the number of features are this zoo's.
    "mean_feature_matching": Paper({"norm": "l2", "clip": 0.01}, 5, WGAN),
    "covariance_feature_matching": Paper({"count": 16, "clip": 0.01}, 5, WGAN),
    # Miyato et al. 2018: margins of one, written out in the equations.
    "hinge": Paper(critic_normalization="spectral"),
    # Jolicoeur-Martineau 2018, section 4.1: no options.
    "relativistic": Paper(),
    # Chen et al. 2016, section 7 and appendix C.1: on MNIST ten categories and two continuous codes, learned standard
    # deviations, λ = 1, one hidden layer of 128 in front of the codes.
    "info": Paper(
        {
            "categories": (10,),
            "continuous": 2,
            "categorical_weight": 1.0,
            "continuous_weight": 1.0,
            "scale": None,
            "hidden_units": (128,),
            "real_label": 1.0,
        }
    ),
    "noise_contrastive": Paper({"noise_mean": 0.0, "noise_scale": 1.0}),
    "self_contrastive": Paper(),
    # Ledig et al. 2017, equation 3 and sections 2.2.1 and 3.2.
    "super_resolution": Paper(
        {"adversarial_weight": 1e-3, "extractor": None, "feature_scale": 1 / 12.75, "real_label": 1.0},
        optimizer=("Adam", 1e-4, 0.9, 0.999),
    ),
    # Karras et al. 2018, appendix A.1 and the released code: 800,000 images in batches of 16.
    "progressive": Paper(
        {"stable_steps": 50_000, "fade_steps": 50_000, "drift_weight": 1e-3, "penalty_weight": 10.0},
        optimizer=("Adam", 1e-3, 0.0, 0.99, 1e-8),
    ),
    # Zhang et al. 2017, section 4.1: 600 epochs of 8,855 images in batches of 64; λ of equation 4.
    "stacked": Paper({"first_steps": 83_000, "divergence_weight": 1.0}, optimizer=("Adam", 2e-4, 0.5, 0.999)),
    # Hinton 2002: one step from the data; the rate is this zoo's.
    "rbm": Paper({"steps": 1}, optimizer=("SGD", 0.05)),
    # Rybkin et al. 2021: the variance of maximum likelihood, and Adam as it comes.
    "vae": Paper({"scale": None}, optimizer=ADAM),
}

DYNAMICS = {
    "alternating": {"critic_steps": 1},
    "simultaneous": {"critic_steps": 1},
    # Mescheder, Nowozin & Geiger 2017, the experiments.
    "consensus": {"gamma": 10.0, "critic_steps": 1},
    # Nagarajan & Kolter 2017, the released example.
    "locally_stable": {"eta": 0.5, "critic_steps": 1},
    # Metz et al. 2016: five among the numbers of steps that they compare, of the critic's own optimizer.
    "unrolled": {"steps": 5, "surrogate": "adam", "surrogate_rate": None, "critic_steps": 1},
    # Salimans et al. 2016, section 3.3: the term as it is printed.
    "historical_averaging": {"weight": 1.0, "critic_steps": 1},
}

TECHNIQUES = {
    # Gulrajani et al. 2017, equation 3.
    "gradient_norm": {"weight": 10.0, "at": "interpolates", "every": 1, "target": 1.0},
    # Mescheder et al. 2018, the experiments: γ = 10, at real examples.
    "zero_centred": {"weight": 10.0, "at": "real", "every": 1},
    # Arjovsky, Chintala & Bottou 2017, algorithm 1.
    "weight_clipping": {"bound": 0.01},
    # Sønderby et al. 2017 anneal; how much noise, and for how long, depends on the data: these are this zoo's.
    "instance_noise": {"std": 0.1, "until": 500},
}
#: An option of each.
FIRST = {name: next(iter(options)) for name, options in TECHNIQUES.items()}


def networks(name):
    if "contrastive" in name:
        return (zoo.Gaussian((2,)),)
    if name == "rbm":
        return (zoo.RBM((2, 2, 1), hidden_units=2),)
    if name == "vae":
        return zoo.MLPGenerator((2,), latent_dim=2, hidden_units=(2,)), zoo.Encoder((2,), 4)
    if name == "progressive":
        small = {"filter_base": 4}
        return zoo.ProgressiveGenerator((8, 8, 1), latent_dim=2, **small), zoo.ProgressiveCritic((8, 8, 1), **small)
    if name == "stacked":
        small = {"vocabulary": ("word",), "base_filters": 1, "text_units": 1}
        return zoo.StackedGenerator((32, 32, 1), blocks=0, **small), zoo.StackedCritic((32, 32, 1), **small)
    if name == "super_resolution":
        small = {"base_filters": 1}
        return zoo.SRGANGenerator((8, 8, 1), blocks=0, **small), zoo.SRGANCritic((8, 8, 1), **small)
    critic = zoo.MLPAutoencoder if name == "energy_based" else zoo.MLPCritic
    options = {"output_dim": 16} if "covariance" in name else {}  # as many as directions
    return zoo.MLPGenerator((2,), latent_dim=2, hidden_units=(2,)), critic((2,), hidden_units=(2,), **options)


def settings(optimizer):
    names = (
        ("learning_rate", "beta_1", "beta_2", "epsilon") if type(optimizer).__name__ == "Adam" else ("learning_rate",)
    )
    return [float(getattr(optimizer, name)) for name in names]


@pytest.mark.parametrize("name", objectives.METHODS.names())
def test_an_objectives_defaults_are_its_papers(name):
    paper, gan = OBJECTIVES[name], objectives.METHODS.load(name)(*networks(name))
    assert {option: getattr(gan, option) for option in options.declared(type(gan))} == paper.options
    assert gan.batches_per_step == paper.critic_steps
    kind, *values = paper.optimizer
    gan.compile()
    optimizers = [player.optimizer for player in gan.players.values()]
    for optimizer in optimizers:
        assert type(optimizer) is getattr(keras.optimizers, kind)
        np.testing.assert_allclose(
            settings(optimizer)[: len(values)], values, rtol=1e-6
        )  # Keras keeps rates in float32.
    assert len(set(map(id, optimizers))) == len(optimizers)
    if isinstance(gan, GAN):
        assert type(gan.dynamics).__module__ == "trainers.dynamics.alternating"
        assert gan.critic_normalization == paper.critic_normalization
        assert gan.techniques == ((WeightClipping(bound=0.01),) if name in CLIPPED else ())


def test_the_templates_defaults():
    parameters = {
        **inspect.signature(GenerativeModel.__init__).parameters,
        **inspect.signature(GAN.__init__).parameters,
    }
    defaults = {key: value.default for key, value in parameters.items()}
    # Yazıcı et al. 2019: 0.999 among the decays that they compare; no technique unless asked for.
    expected = {"dynamics": None, "seed": 0, "ema_decay": 0.999, "techniques": ()}
    assert expected.items() <= defaults.items()
    # Arora et al. 2017, the released code.
    assert inspect.signature(Mixture.__init__).parameters["entropy_weight"].default == 0.1


@pytest.mark.parametrize("name", dynamics.METHODS.names())
def test_a_dynamicss_defaults_are_its_papers(name):
    play = dynamics.METHODS.load(name)()
    assert {option: getattr(play, option) for option in options.declared(type(play))} == DYNAMICS[name]
    assert play.batches_per_step == 1


def test_techniques_defaults_are_their_papers():
    # Of a run of 1,000 steps, with no option given another value than None.
    read = {name: techniques.read({name: {option: None}}, 1000)[0] for name, option in FIRST.items()}
    found = {
        name: {option: getattr(part, option) for option in options.declared(type(part))} for name, part in read.items()
    }
    assert found == TECHNIQUES
    assert techniques.METHODS.names() == sorted(TECHNIQUES)


def test_configs_list_every_technique_turned_off():
    assert {key: dict(entry) for key, entry in base.base_config("ring").techniques.items()} == {
        name: {} for name in FIRST
    }


@pytest.mark.parametrize("name", objectives.METHODS.names())
def test_a_config_leaves_optimizers_and_critic_steps_to_the_paper(name):
    config = base.base_config("ring")
    config.objective = name
    resolved, paper = building.resolve(config), OBJECTIVES[name]
    kind, rate, *betas = paper.optimizer
    expected = {"name": kind.lower(), "learning_rate": rate, **dict(zip(("beta_1", "beta_2", "epsilon"), betas))}
    for player in objectives.METHODS.load(name).optimized:
        assert dict(resolved[f"{player}_optimizer"]) == expected
    assert dict(resolved.dynamics_options) == {"critic_steps": paper.critic_steps}
    # What a config says, it keeps.
    config.dynamics_options.critic_steps = 7
    assert building.resolve(config).dynamics_options.critic_steps == 7
