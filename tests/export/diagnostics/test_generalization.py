"""Copies, what a critic knows by heart, and the duality gap, against closed forms and SciPy."""

import types

import numpy as np
import pytest
from games import HandMade, LinearWasserstein, linear_game

from export.diagnostics import generalization
from export.evaluation.context import ImageContext
from export.metrics.copies import estimated_share
from zoo.pixels import to_uint8


def test_samples_that_are_held_out_examples_are_no_failure():
    points = np.random.default_rng(0).normal(size=(200, 4))
    section = generalization.judge(estimated_share(points[:50], points[100:], points[:100]))
    assert section["level"] == "none" and "0% of the samples are copies of training images (0% to 0%)" in str(section)


def test_samples_beside_one_example_tell_nothing_of_copies():
    rng = np.random.default_rng(0)
    training, held_out = rng.normal(size=(300, 4)), rng.normal(size=(100, 4))
    section = generalization.judge(estimated_share(np.repeat(training[:1] + 1e-3, 200, 0), training, held_out))
    assert section["level"] == "none" and "cannot be counted (0% to 100%)" in section["verdict"]
    assert "estimated" not in section["verdict"]
    # Copies of all of them are.
    section = generalization.judge(estimated_share(training[:200], training, held_out))
    assert section["level"] == "severe" and "an estimated 100% of the samples" in section["verdict"]


def test_what_a_critic_knows_by_heart_is_the_share_of_its_scores():
    # Scores of training examples 2, of held-out ones 1.25, of samples 0, each ± 0.1.
    spread = np.array([[-0.1], [0.1]])
    gan = linear_game(LinearWasserstein, spread, clip=0.0)
    gan.critic.trainable_variables[0].assign([[1.0]])
    found = generalization.known_by_heart(HandMade(gan, {"train": 2 + spread, "test": 1.25 + spread}), 3)
    assert found["known_by_heart"] == pytest.approx(0.375) and found["separation"] == 1.0
    # A critic of the opposite sign knows as much.
    gan.critic.trainable_variables[0].assign([[-1.0]])
    found = generalization.known_by_heart(HandMade(gan, {"train": 2 + spread, "test": 1.25 + spread}), 3)
    assert found["known_by_heart"] == pytest.approx(0.375) and found["separation"] == 0.0


def test_the_duality_gap_of_the_bilinear_game_is_the_closed_form():
    """L_D = wb, L_G = -wb at (w, b) = (0.8, -0.6): in n steps of plain descent at rate h against the other the critic
    gains n h b², the generator n h w²."""
    gan = linear_game(LinearWasserstein, np.zeros([1, 1]), clip=0.0)
    gan.critic.trainable_variables[0].assign([[0.8]])
    gan.generator.trainable_variables[1].assign([-0.6])
    game = HandMade(gan, {"train": np.zeros([1, 1]), "test": np.zeros([1, 1])}, rate=0.25)
    numbers, curves = generalization.duality_gap(game, 8, 2)
    assert curves["step"] == [0, 2, 4, 6, 8]
    np.testing.assert_allclose(curves["critic_gain"], 0.25 * 0.36 * np.array(curves["step"]), rtol=1e-12)
    np.testing.assert_allclose(curves["generator_gain"], 0.25 * 0.64 * np.array(curves["step"]), rtol=1e-12)
    assert numbers["duality_gap"] == pytest.approx(2.0, rel=1e-12)
    assert numbers["critic_gain"] == pytest.approx(0.72) and numbers["generator_gain"] == pytest.approx(1.28)
    assert numbers["duality_gap_low"] is None and numbers["best_response_steps"] == 8
    assert gan.critic.trainable_variables[0].numpy()[0, 0] == 0.8
    assert gan.generator.trainable_variables[1].numpy()[0] == -0.6
    # At its equilibrium nobody gains.
    gan.critic.trainable_variables[0].assign([[0.0]])
    gan.generator.trainable_variables[1].assign([0.0])
    numbers, _ = generalization.duality_gap(HandMade(gan, game.real), 8, 2)
    assert numbers["duality_gap"] == 0.0


def test_a_response_that_helps_on_training_examples_alone_counts_for_nothing():
    # The critic learns to score 1 high; held-out examples are at -1.
    gan = linear_game(LinearWasserstein, np.zeros([2, 1]), clip=0.0)
    game = HandMade(gan, {"train": np.ones([2, 1]), "test": -np.ones([2, 1])})
    numbers, curves = generalization.duality_gap(game, 4, 2)
    assert curves["critic_gain"][-1] < 0 and numbers["critic_gain"] == 0.0


def test_all_images_are_compared_with(digits, extractor, perfect):
    context = ImageContext(extractor, perfect, digits, num_samples=100)
    samples, *real = generalization.descriptors(context)
    np.testing.assert_array_equal(samples, context.samples.pixels.reshape(100, 64).astype(np.float32) / 255)
    for split, found in zip(("train", "test"), real):
        # Each once: the whole split in another order.
        images = to_uint8(digits.arrays(split)[0]).reshape(-1, 64).astype(np.float32) / 255
        assert len(found) == digits.num_examples(split) > 100
        np.testing.assert_array_equal(found[np.lexsort(found.T)], images[np.lexsort(images.T)])


def test_large_images_are_averaged_down():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 33, 40, 3)).astype(np.uint8)
    blocks = [pixels[:, 3 * y : 3 * y + 3, 3 * x : 3 * x + 3].mean(axis=(1, 2)) for y in range(11) for x in range(13)]
    np.testing.assert_allclose(generalization.small(pixels), np.concatenate(blocks, 1) / 255, rtol=1e-6)


def test_a_run_is_diagnosed_and_stays_as_it_was(small_run):
    run = small_run("non_saturating")
    before = [variable.numpy() for variable in run.model.variables]
    context = types.SimpleNamespace(run=run, data=run.data)
    section = generalization.diagnose(types.SimpleNamespace(context=context, quick=True))
    numbers = section["rests_on"]
    assert numbers["duality_gap"] == pytest.approx(numbers["critic_gain"] + numbers["generator_gain"])
    assert numbers["duality_gap_low"] < numbers["duality_gap"] < numbers["duality_gap_high"]
    assert len(section["best_response"]["critic_gain"]) == len(section["best_response"]["step"])
    # Points without end cannot be known by heart.
    assert section["level"] == "none" and numbers["known_by_heart_low"] < 0.5
    for variable, value in zip(run.model.variables, before):
        np.testing.assert_array_equal(variable.numpy(), value)


@pytest.mark.parametrize(
    "known, separation, level",
    [(0.3, 1.0, "none"), (0.7, 1.0, "partial"), (0.95, 1.0, "severe"), (0.95, 0.55, "none")],
)
def test_verdicts_on_the_critic(known, separation, level):
    known = {"known_by_heart": known, "known_by_heart_low": known, "separation": separation}
    section = generalization.judge(known=known)
    assert section["level"] == level and ("try_next" in section) == (level != "none")
    assert section["verdict"].endswith(".")
