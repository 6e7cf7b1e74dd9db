"""Class-conditional GANs: with every objective, dynamics and technique, and what they learn."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import configs.digits
import configs.ring
from trainers import build as building
from trainers import callbacks, dynamics, objectives, techniques, training
from trainers import config as config_checks
from zoo import pixels
from zoo.datasets import DataSpec
from zoo.errors import RequestError

GAMES = [name for name in objectives.METHODS.names() if not objectives.METHODS.load(name).lacks.get("conditional")]
GAMES = [name for name in GAMES if "critic" not in objectives.METHODS.load(name).lacks]


def labelled(small_config, objective="non_saturating", told_by="projection", changes=()):
    return small_config(objective, {"conditional.critic": told_by, "conditional.embedding_dim": 3, **dict(changes)})


def step(run, traced=True):
    """Two steps, traced as `fit` traces them or eager, and what must have moved."""
    gan, data = run.model, iter(training.batches(run, 0))
    before = {name: network.get_weights() for name, network in gan.networks.items()}
    # Not by `fit`, whose loop takes as long to trace again.
    play = tf.function(gan.train_step, autograph=False) if traced else gan.train_step
    for _ in range(2):
        logs = play(tuple(next(data) for _ in range(gan.batches_per_step)))
        assert np.isfinite([value.numpy() for value in logs.values()]).all()
    for name, network in gan.networks.items():
        for old, variable in zip(before[name], network.weights):
            if variable.trainable and len(variable.shape) > 1:
                assert not np.array_equal(old, variable.numpy()), f"{name}: {variable.path}"


@pytest.mark.parametrize("told_by", ["projection", "concatenation"])
@pytest.mark.parametrize("objective", GAMES)
def test_every_game_of_scores_is_played_with_labels(objective, told_by, small_config, build):
    # How a critic is told them changes nothing in what an objective traces: once for each objective is enough.
    step(build(labelled(small_config, objective, told_by)), traced=told_by == "projection")


@pytest.mark.parametrize("play", dynamics.METHODS.names())
def test_every_dynamics_moves_networks_that_are_told_labels(play, small_config, build):
    step(build(labelled(small_config, changes={"dynamics": play})))


@pytest.mark.parametrize("technique", techniques.METHODS.names())
def test_every_technique_acts_on_a_critic_that_is_told_labels(technique, small_config, build):
    option = {"instance_noise": "std", "weight_clipping": "bound"}.get(technique, "weight")
    step(build(labelled(small_config, changes={f"techniques.{technique}": {option: 0.1}})))


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


def test_the_runs_pictures_have_a_row_for_each_class(tmp_path, monkeypatch):
    config = configs.digits.get_config("conditional")
    config.generator.base_filters = config.critic.base_filters = 2
    run = building.build(config, config_checks.check(config))
    drawn, shown = [], []
    monkeypatch.setattr(callbacks.grids, "save_grid", lambda images, path, names: drawn.append((images, path, names)))
    monkeypatch.setattr(callbacks.tf.summary, "image", lambda name, images, max_outputs: shown.append(images))
    for class_names in (None, tuple("abcdefghij")):
        callback = callbacks.DrawSamples(tmp_path, 5, run.spec._replace(class_names=class_names))
        callback.set_model(run.model)
        callback.on_train_begin()
    (images, path, names), (_, _, given) = drawn
    assert names == tuple("0123456789") and given == tuple("abcdefghij")
    assert path == tmp_path / "samples" / "step_00000000.png"
    latents = run.model.latents(range(8))
    for label in range(10):
        made = run.model.sampler(latents, label=np.full(8, label))
        # Convolutions of another batch size may round otherwise.
        row = images[8 * label : 8 * label + 8].astype(int)
        assert np.abs(row - np.asarray(pixels.to_uint8(made))).max() <= 1
        np.testing.assert_array_equal(shown[0][label], images[8 * label])
    # The labels are told apart.
    assert len(np.unique(images[::8], axis=0)) == 10


def test_the_runs_plots_colour_points_by_the_labels_that_their_seeds_choose(small_config, build, monkeypatch, tmp_path):
    drawn = []
    monkeypatch.setattr(callbacks.grids, "save_points", lambda *arguments: drawn.append(arguments))
    for config in (labelled(small_config), small_config()):
        run = build(config)
        callback = callbacks.DrawSamples(tmp_path, 5, run.spec, np.zeros([3, 2]))
        callback.set_model(run.model)
        callback.on_train_begin()
        points, _, _, labels = drawn[-1]
        model = callback.model
        np.testing.assert_array_equal(points, model.sample(range(1024)))
    assert labels is None
    points, _, _, labels = drawn[0]
    # Eight modes that are equally likely: each eighth of the normal distribution is a label's.
    first = building.build(labelled(small_config), config_checks.check(labelled(small_config))).model.latents(
        range(1024)
    )
    np.testing.assert_array_equal(labels, np.floor(8 * scipy.stats.norm.cdf(first[:, 0].numpy().astype(float))))
