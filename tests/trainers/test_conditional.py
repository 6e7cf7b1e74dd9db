"""GANs that are told labels: with every objective, dynamics and technique, and what they learn."""

import numpy as np
import pytest

import configs.digits
import configs.ring
from trainers import build as building
from trainers import config as config_checks
from trainers import dynamics, objectives, techniques, training
from zoo.datasets import DataSpec
from zoo.errors import RequestError

GAMES = [name for name in objectives.METHODS.names() if not objectives.METHODS.load(name).lacks.get("conditional")]
GAMES = [name for name in GAMES if "critic" not in objectives.METHODS.load(name).lacks]


def labelled(small_config, objective="non_saturating", told_by="projection", changes=()):
    return small_config(objective, {"conditional.critic": told_by, "conditional.embedding_dim": 3, **dict(changes)})


def step(gan, data, fit):
    before = {name: network.get_weights() for name, network in gan.networks.items()}
    history = fit(data, 2)
    assert np.isfinite(list(history.values())).all()
    for name, network in gan.networks.items():
        for old, variable in zip(before[name], network.weights):
            if variable.trainable and len(variable.shape) > 1:
                assert not np.array_equal(old, variable.numpy()), f"{name}: {variable.path}"


@pytest.mark.parametrize("told_by", ["projection", "concatenation"])
@pytest.mark.parametrize("objective", GAMES)
def test_every_game_of_scores_is_played_with_labels(objective, told_by, small_config, build, fit):
    run = build(labelled(small_config, objective, told_by))
    step(run.model, run, fit)


@pytest.mark.parametrize("play", dynamics.METHODS.names())
def test_every_dynamics_moves_networks_that_are_told_labels(play, small_config, build, fit):
    run = build(labelled(small_config, changes={"dynamics": play}))
    step(run.model, run, fit)


@pytest.mark.parametrize("technique", techniques.METHODS.names())
def test_every_technique_acts_on_a_critic_that_is_told_labels(technique, small_config, build, fit):
    option = {"instance_noise": "std", "weight_clipping": "bound"}.get(technique, "weight")
    run = build(labelled(small_config, changes={f"techniques.{technique}": {option: 0.1}}))
    step(run.model, run, fit)


@pytest.mark.parametrize(
    "objective, changes, message",
    [
        ("energy_based", {}, "'projection'; 'energy_based': its critic is an autoencoder; use none"),
        ("noise_contrastive", {}, "'projection'; 'noise_contrastive': it trains no critic; use none"),
        ("non_saturating", {"mixture.components": 2}, "mixture are not told labels, use config.mixture.components=1"),
        ("non_saturating", {"data.source": "swiss_roll"}, "'projection'; 'swiss_roll' has no classes, use none"),
        ("non_saturating", {"conditional.critic": "sum"}, "expected one of 'none', 'projection', 'concatenation'"),
        ("non_saturating", {"conditional.embedding_dim": 0}, "config.conditional.embedding_dim: 0; expected a whole"),
    ],
)
def test_what_does_not_go_with_labels_is_refused(objective, changes, message, small_config, build):
    with pytest.raises(RequestError, match=message):
        build(labelled(small_config, objective, changes=changes))


def test_labels_are_chosen_as_often_as_the_training_data_has_them(tmp_path):
    config = configs.digits.get_config("conditional")
    config.generator.base_filters = config.critic.base_filters = 2
    config.train.update(steps=1, steps_per_execution=1, decay_from=1.0)
    data = config_checks.check(config)
    _, y = data.arrays("train")
    shares = np.bincount(y) / len(y)
    run = building.build(config, data, workdir=tmp_path)
    training.train(run)
    # Without the data: from the checkpoint, for the averaged generator too.
    opened = building.open_run(tmp_path)
    assert opened.spec == data.spec == DataSpec((8, 8, 1), 10, tuple("0123456789"))
    for generator in (opened.model.generator, opened.model.averaged_generator):
        np.testing.assert_allclose(generator.label_shares.numpy(), shares, rtol=1e-6)


@pytest.mark.parametrize("told_by", ["projection", "concatenation"])
def test_samples_are_of_the_class_that_was_asked_for(told_by, fit):
    config = configs.ring.get_config("conditional")
    config.conditional.critic = told_by
    data = config_checks.check(config)
    run = building.build(config, data)
    fit(run, 1_500)
    gan = run.model
    assert gan.critic.told_by == told_by
    latents = np.random.default_rng(0).normal(size=(800, gan.latent_dim)).astype(np.float32)
    labels = np.arange(800) % 8
    made = gan.sampler(latents, label=labels, training=False).numpy()
    nearest = np.argmin(np.linalg.norm(made[:, None] - data.modes[None], axis=-1), axis=1)
    # Chance is 1 in 8. Few steps: not all samples are on a mode yet, but they are nearest to theirs.
    assert np.mean(nearest == labels) > 0.9
