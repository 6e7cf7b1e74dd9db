"""The copy of a run's game."""

import types

import numpy as np
import pytest

import configs.shapes
from export.diagnostics.game import Game, NotMeasured, adversarial
from trainers import build
from trainers import config as config_checks


def values(model):
    return [variable.numpy() for variable in model.variables]


def test_a_game_has_the_runs_weights_and_returns_to_them(small_run):
    run = small_run("non_saturating")
    game = Game(run, 8)
    theirs = values(run.model)
    assert game.model is not run.model and int(game.model.step.numpy()) == 6
    for mine, value in zip(values(game.model), theirs, strict=True):
        np.testing.assert_array_equal(mine, value)
    kernel, its_own = (model.generator.trainable_variables[0] for model in (game.model, run.model))
    kernel.assign_add(np.ones(kernel.shape))
    assert not np.array_equal(kernel, its_own)
    game.restore()
    for mine, value in zip(values(game.model), theirs, strict=True):
        np.testing.assert_array_equal(mine, value)
    step, former = game.former_weights(("generator",))
    assert step == 3 and former[0].shape == kernel.shape and not np.array_equal(former[0], its_own)
    np.testing.assert_array_equal(kernel, its_own)
    (first, second), noise = game.batches("train", 2, 0), game.noise(0)
    assert first.x.shape == (8, 2) and not np.array_equal(first.x, second.x)
    latents = noise.latents(4).numpy()
    for others in (game.noise(1), game.model.noise(8)):
        assert not np.array_equal(latents, others.latents(4))


def test_a_run_without_files_has_no_former_weights(untrained_run):
    assert Game(untrained_run("non_saturating"), 8).former_weights(("generator",)) is None


def test_what_is_no_run_of_a_gan_is_said():
    with pytest.raises(NotMeasured, match="'types' trains without a critic"):
        adversarial(types.SimpleNamespace(run=types.SimpleNamespace(model=types.SimpleNamespace())))


def test_examples_come_with_their_captions():
    config = configs.shapes.get_config()
    for player in ("generator", "critic"):
        config[player].update(base_filters=2, text_units=2)
    run = build.build(config, config_checks.check(config))
    (batch,) = Game(run, 4).batches("test", 1, seed=0)
    generator = run.model.generator
    texts = [text.decode() for text in generator.tokenizer.texts(batch.conditions["caption"]).numpy()]
    held_out = {text for each in run.data.captions.texts("test") for text in each}
    assert len(texts) == 4 and set(texts) <= held_out
    assert np.isfinite(run.model.critic(batch.x, **batch.conditions)).all()
