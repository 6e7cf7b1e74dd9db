"""The generator's gradients at its critic and at a fresh one, in float64 against NumPy, and what is said of them."""

import types

import numpy as np
import pytest
import tensorflow as tf
from games import HandMade, LinearMinimax, linear_game
from sklearn.metrics import roc_auc_score

from export.diagnostics import vanishing_gradients
from export.diagnostics.game import NotMeasured

REAL = np.random.default_rng(0).normal(0.0, 1.0, (32, 2))
FAKE = np.random.default_rng(1).normal(0.3, 1.0, (32, 2))


def sigmoid(t):
    return 1.0 / (1.0 + np.exp(-t))


def game(offset=0.0, slope=1.0, away=0.0):
    """A linear critic, slope · (1, -1)ᵀx + offset, of a generator whose samples are FAKE + away · (1, -1)."""
    gan = linear_game(LinearMinimax, FAKE)
    gan.critic.trainable_variables[0].assign(slope * np.array([[1.0], [-1.0]]))
    gan.critic.trainable_variables[1].assign([offset])
    gan.generator.trainable_variables[1].assign(away * np.array([1.0, -1.0]))
    return HandMade(gan, {"train": REAL, "test": REAL})


@pytest.mark.parametrize("offset", [0.0, -3.0])
def test_gradients_at_the_own_critic_are_those_of_the_equations(offset):
    found = vanishing_gradients.AtOwnCritic(game(offset))(3)
    slope = np.array([1.0, -1.0])
    scores = FAKE @ slope + offset
    # dL/ds of each sample, then through s = wᵀ(Aᵀz + b) + c to A, b.
    for name, by_score in (("minimax", -sigmoid(scores)), ("non_saturating", -sigmoid(-scores))):
        of_bias = (by_score[:, None] * slope).mean(0)
        of_kernel = np.einsum("n,nk,l->kl", by_score, FAKE, slope) / len(FAKE)
        norm = np.sqrt((of_bias**2).sum() + (of_kernel**2).sum())
        assert found[f"{name}_gradient_norm"] == pytest.approx(norm, rel=1e-12)
        # The same batch each time.
        assert found[f"{name}_gradient_variance"] == pytest.approx(0.0, abs=1e-12)
    assert found["gradient_norm"] == found["minimax_gradient_norm"]
    assert found["gradient_rms"] == pytest.approx(found["gradient_norm"] / np.sqrt(6))
    expected = roc_auc_score(np.repeat([1, 0], 32), np.concatenate([REAL @ slope, FAKE @ slope]))
    assert found["separation"] == pytest.approx(expected, rel=1e-12)


def test_the_variance_is_the_sum_of_those_of_the_weights():
    played = game()
    draws = iter(np.random.default_rng(2).normal(size=(3, 32, 2)))
    gradients = []

    def generate(noise, conditions):
        points = next(draws)
        by_score = -sigmoid(-(points @ [1.0, -1.0]))
        of_kernel = np.einsum("n,nk,l->kl", by_score, points, [1.0, -1.0]) / 32
        gradients.append(np.concatenate([of_kernel.ravel(), (by_score[:, None] * [1.0, -1.0]).mean(0)]))
        played.model.points = tf.constant(points)
        return type(played.model).generate(played.model, noise, conditions)

    played.model.generate = generate
    tf.config.run_functions_eagerly(True)
    try:
        found = vanishing_gradients.AtOwnCritic(played)(3)
    finally:
        tf.config.run_functions_eagerly(False)
    assert found["non_saturating_gradient_variance"] == pytest.approx(np.var(gradients, 0, ddof=1).sum(), rel=1e-10)
    norms = np.linalg.norm(gradients, axis=1)
    assert found["non_saturating_gradient_norm"] == pytest.approx(norms.mean(), rel=1e-12)


def test_ties_are_told_apart_by_half():
    scores = np.array([0.0, 1.0, 1.0, 2.0])
    assert vanishing_gradients.separation(scores, scores) == 0.5
    assert (
        vanishing_gradients.separation(scores + 3, scores) == 1.0
        and vanishing_gradients.separation(scores - 3, scores) == 0.0
    )


def test_a_fresh_critic_becomes_certain_where_supports_are_disjoint_and_the_gradient_of_minimax_vanishes():
    """Arjovsky & Bottou's theorem 2.4 and figure 2: the gradient is at most M ε / (1 - ε), ε the critic's error."""
    played = game(away=-8.0)
    played.rate = 4.0
    before = [variable.numpy() for variable in played.model.variables]
    curves = vanishing_gradients.with_fresh_critic(played, 60, 2)
    assert curves["step"] == [0, 1, 3, 10, 30, 60]
    assert curves["critic_accuracy"][-1] == 1.0 and curves["critic_loss"][-1] < 0.06 < curves["critic_loss"][0]
    assert curves["minimax_gradient_norm"][-1] < 0.1 * max(curves["minimax_gradient_norm"])
    assert curves["non_saturating_gradient_norm"][-1] > 0.25 * max(curves["non_saturating_gradient_norm"])
    # No training but the fresh critic's.
    for variable, value in zip(played.model.variables, before):
        np.testing.assert_array_equal(variable.numpy(), value)
    again = vanishing_gradients.with_fresh_critic(played, 60, 2)
    assert again == curves


def test_a_fresh_critic_tells_nothing_apart_where_the_distributions_are_equal():
    real = REAL[:31]  # of which no half can be scored above 0
    gan = linear_game(LinearMinimax, real)
    curves = vanishing_gradients.with_fresh_critic(HandMade(gan, {"train": real, "test": real}), 30, 2)
    # Its loss comes down to that of a coin, from above.
    assert curves["critic_accuracy"][-1] == 0.5 and curves["critic_loss"][-1] >= 2 * np.log(2)
    assert curves["critic_loss"][-1] < curves["critic_loss"][0]


CURVES = {
    "step": [0, 10],
    "critic_loss": [1.4, 0.1],
    "critic_accuracy": [0.5, 0.99],
    **{f"{loss}_gradient_{what}": [1.0, 0.1] for loss in vanishing_gradients.LOSSES for what in ("norm", "variance")},
}


@pytest.mark.parametrize(
    "offset, away, objective, level",
    [
        # exp(score) is what minimax has of the gradient of non_saturating.
        (0.0, 0.0, "minimax", "none"),
        (0.0, -3.3, "minimax", "partial"),
        (0.0, -5.0, "minimax", "severe"),
        # As small a gradient, but the critic does not tell them apart: it is biased.
        (-10.0, 0.0, "minimax", "none"),
        # Another loss at the same critic.
        (0.0, -5.0, "non_saturating", "none"),
    ],
)
def test_verdicts(offset, away, objective, level):
    own = vanishing_gradients.AtOwnCritic(game(offset, away=away))(2)
    if objective == "non_saturating":
        own["gradient_norm"] = own["non_saturating_gradient_norm"]
    section = vanishing_gradients.judge(own, CURVES, objective)
    assert section["level"] == level and ("try_next" in section) == (level != "none")
    assert "right on 99% of held-out examples after 10 steps" in section["verdict"]
    assert section["rests_on"]["fall_of_minimax_gradient"] == 10.0 and section["curves"] == CURVES


def test_a_gradient_below_what_adam_adds_has_vanished():
    own = vanishing_gradients.AtOwnCritic(game(slope=1e-9))(2)
    section = vanishing_gradients.judge(own, CURVES, "wasserstein")
    assert section["level"] == "severe" and "less than the 1e-07 that Adam adds" in section["verdict"]


def test_a_run_is_diagnosed_and_stays_as_it_was(small_run):
    run = small_run("non_saturating")
    before = [variable.numpy() for variable in run.model.variables]
    section = vanishing_gradients.diagnose(types.SimpleNamespace(context=types.SimpleNamespace(run=run), quick=True))
    assert section["curves"]["step"] == [0, 1, 3, 10, 30]
    own = section["rests_on"]
    assert own["own_critic_gradient_norm"] == own["own_critic_non_saturating_gradient_norm"] > 0
    assert own["own_critic_gradient_variance"] > 0
    for variable, value in zip(run.model.variables, before):
        np.testing.assert_array_equal(variable.numpy(), value)


@pytest.mark.parametrize(
    "objective, reason",
    [
        ("vae", "'vae' trains without a critic"),
        ("noise_contrastive", "'noise_contrastive' trains without a critic"),
        ("mmd", "its critic gives features, not a score"),
        ("energy_based", "is an autoencoder, whose output is no score"),
        ("mixture", "a mixture has 4 critics; expected one"),
        (None, "it takes a run with its critic"),
    ],
)
def test_it_says_why_it_does_not_apply(objective, reason, untrained_run):
    run = untrained_run(objective) if objective else None
    with pytest.raises(NotMeasured, match=reason):
        vanishing_gradients.diagnose(types.SimpleNamespace(context=types.SimpleNamespace(run=run), quick=True))
