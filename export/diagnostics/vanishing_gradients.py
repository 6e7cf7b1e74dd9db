"""Vanishing gradients: what is left for the generator to learn from when its critic becomes certain. Arjovsky & Bottou
2017, "Towards principled methods for training generative adversarial networks", section 2.2, figures 2 and 3.

Where the distributions of data and samples hardly overlap, a critic can tell them apart without an error. Then the
gradient of `minimax` is at most M ε / (1 - ε), ε being the critic's error (theorem 2.4), and that of `non_saturating`
does not vanish but becomes noise (theorem 2.6). To see how near a checkpoint is to this, its generator is held fixed
and a critic with new weights learns to tell its samples from the data.
"""

import keras
import numpy as np
import tensorflow as tf

from export.diagnostics import thresholds
from export.diagnostics.game import Game, adversarial, check_scores
from export.diagnostics.section import section
from trainers.players import Player, score
from zoo.layers import copy_reference
from zoo.progress import Progress

#: Steps of the fresh critic; the steps at which it is looked at; batches that a gradient's variance is estimated on.
_STEPS, _QUICK_STEPS, _BATCHES, _QUICK_BATCHES = 200, 30, 8, 4
_LOOKS = (0, 1, 3, 10, 30, 60, 100, 200)
_MOST_EXAMPLES = 64
_SEED = 20_170_117

#: The generator's losses as functions of the scores [N, 1] of its samples: logits.
LOSSES = {
    "minimax": lambda scores: -tf.reduce_mean(tf.nn.softplus(scores)),
    "non_saturating": lambda scores: tf.reduce_mean(tf.nn.softplus(-scores)),
}

TRY_NEXT = (
    "--config.objective=non_saturating in place of minimax; noise on the critic's inputs, "
    "--config.techniques.instance_noise.std=0.1; or a critic whose slope is bounded: wasserstein_gp, or "
    "--config.critic.normalization=spectral."
)


def diagnose(found):
    """A report's section "vanishing_gradients".

    Args:
        found: `export.diagnostics.diagnose.Found`.

    Raises:
        NotMeasured: the run has no critic of scores.
    """
    run = adversarial(found.context)
    check_scores(run)
    game = Game(run, min(_MOST_EXAMPLES, run.config.train.batch_size))
    batches = _QUICK_BATCHES if found.quick else _BATCHES
    own = AtOwnCritic(game)(batches)
    curves = with_fresh_critic(game, _QUICK_STEPS if found.quick else _STEPS, batches)
    return judge(own, curves, run.config.objective)


def judge(own, curves, objective):
    """The section of what was measured.

    Args:
        own: of `AtOwnCritic`.
        curves: of `with_fresh_critic`, or None.
        objective: name of the run's objective.
    """
    share = own["gradient_norm"] / own["non_saturating_gradient_norm"] if own["non_saturating_gradient_norm"] else 1.0
    separated = own["separation"] >= thresholds.SEPARATED
    flat = own["gradient_rms"] < thresholds.ADAM_EPSILON
    level = "none"
    if flat or (separated and share < thresholds.VANISHED):
        level = "severe"
    elif separated and share < thresholds.VANISHING:
        level = "partial"
    told = f"the run's critic ranks a real example above a sample with probability {own['separation']:.2f}"
    if flat:
        parts = [
            f"the generator's gradient is {own['gradient_rms']:.1g} a weight, less than the "
            f"{thresholds.ADAM_EPSILON:g} that Adam adds to its denominator",
            told,
        ]
    elif level != "none":
        parts = [
            f"{told}, and under {objective} the generator gets {share:.2g} of the gradient that non_saturating would "
            "give at the same critic"
        ]
    else:
        parts = [f"the generator's gradient under {objective} has norm {own['gradient_norm']:.3g}", told]
    rests_on = {f"own_critic_{name}": value for name, value in own.items()} | {"share_of_non_saturating": share}
    plotted = {}
    if curves is not None:
        fresh, numbers = _of_fresh_critic(curves)
        parts.append(fresh)
        rests_on |= numbers
        plotted["curves"] = curves
    opening = {"none": "No vanishing gradients seen", "partial": "Vanishing gradients", "severe": "Vanished gradients"}
    return section(level, opening[level], parts, rests_on, TRY_NEXT, **plotted)


def _of_fresh_critic(curves):
    """(clause, numbers) of what a fresh critic shows."""
    norms = curves["minimax_gradient_norm"]
    fall = max(norms) / norms[-1] if norms[-1] else np.inf
    noise = curves["non_saturating_gradient_variance"]
    growth = noise[-1] / noise[0] if noise[0] else 1.0
    clause = (
        f"a fresh critic is right on {curves['critic_accuracy'][-1]:.0%} of held-out examples after "
        f"{curves['step'][-1]} steps, where the gradient of minimax is {_times(fall)} below its largest and the "
        f"variance of non_saturating's {growth:.2g} times the first"
    )
    return clause, {
        "fresh_critic_steps": curves["step"][-1],
        "fresh_critic_accuracy": curves["critic_accuracy"][-1],
        "fall_of_minimax_gradient": fall,
        "growth_of_non_saturating_variance": growth,
    }


def _times(value):
    return f"{value:.3g} times" if np.isfinite(value) else "infinitely far"


class AtOwnCritic:
    """Measures the generator's gradient at the game's own critic, at the weights that the game has when it is called.

    Args:
        game: `export.diagnostics.game.Game`.
    """

    def __init__(self, game):
        self.game, model = game, game.model

        def losses(real, fake, noise):
            scores = score(model.critic, model.view(fake, "fake", noise))
            own = model.generator_total_loss(real, fake, noise)
            return {"own": own, **{name: loss(scores) for name, loss in LOSSES.items()}}, scores

        self._look = _Gradients(game, losses, model.critic)

    def __call__(self, batches):
        """Looks at `batches` batches, 2 or more.

        Returns:
            Dict of floats. "gradient_norm": the mean over batches of ‖∇_θ L‖ under the run's own loss L, and
            "minimax_gradient_norm", "non_saturating_gradient_norm" under these; each "…_variance", the sum over the
            weights of the gradient's variance over batches; "gradient_rms": the root mean square over weights under the
            run's own loss; "separation": the probability that the critic scores a real held-out example above a sample,
            ties half.
        """
        found, real_scores, fake_scores = self._look(batches)
        statistics = {}
        for name, (norm, variance) in found.items():
            prefix = "" if name == "own" else f"{name}_"
            statistics |= {f"{prefix}gradient_norm": norm, f"{prefix}gradient_variance": variance}
        weights = sum(int(np.prod(variable.shape)) for variable in self.game.model.generator.trainable_variables)
        statistics["gradient_rms"] = found["own"][0] / np.sqrt(weights)
        statistics["separation"] = separation(real_scores, fake_scores)
        return statistics


def separation(real_scores, fake_scores):
    """P(a real example's score > a sample's) + ½ P(equal), the area under the ROC curve: 0.5 where nothing is told
    apart. Scores [N] and [M] → float."""
    below = np.sort(fake_scores)
    less, most = (np.searchsorted(below, real_scores, side) for side in ("left", "right"))
    return float((less + most).mean() / (2 * len(below)))


def with_fresh_critic(game, steps, batches):
    """Trains a critic of new weights on the generator held fixed, and looks at the generator's gradient meanwhile.

    The critic has the class and the config of the run's, minimises the logistic loss of `minimax` by the run's own
    optimizer begun anew, and sees what the techniques of the run let it see; penalties and bounds on weights are left
    out, since the question is whether it can become certain. Its error is that on held-out examples.

    Args:
        game: `export.diagnostics.game.Game`.
        steps: the critic's.
        batches: number of batches for each look, 2 or more.

    Returns:
        {name: list}, a value for each look: "step", "critic_loss", "critic_accuracy", and for both of `LOSSES`
        "NAME_gradient_norm" and "NAME_gradient_variance", as of `AtOwnCritic`.
    """
    model, critic = game.model, fresh_critic(game.model.critic)
    player = Player("critic", critic)
    player.prepare(game.fresh_optimizer("critic"), model.distribute_strategy)

    @tf.function(autograph=False)
    def step(real, draw):
        noise = game.noise(draw)
        fake = model.view(model.generate(noise, real.conditions), "fake", noise).constant()
        real = model.view(real, "real", noise)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.softplus(-score(critic, real)) + tf.nn.softplus(score(critic, fake)))
        player.descend(tape, loss)

    def losses(real, fake, noise):
        scores = score(critic, model.view(fake, "fake", noise))
        return {name: loss(scores) for name, loss in LOSSES.items()}, scores

    look = _Gradients(game, losses, critic)
    curves = {}
    examples = game.batches("train", steps, _SEED)
    with Progress(steps, "vanishing gradients", "step") as progress:
        for number in range(steps + 1):
            if number in _LOOKS or number == steps:
                found, real, fake = look(batches)
                row = {
                    "step": number,
                    "critic_loss": float(np.logaddexp(0, -real).mean() + np.logaddexp(0, fake).mean()),
                    "critic_accuracy": float(((real > 0).mean() + (fake < 0).mean()) / 2),
                }
                for name, (norm, variance) in found.items():
                    row |= {f"{name}_gradient_norm": norm, f"{name}_gradient_variance": variance}
                for name, value in row.items():
                    curves.setdefault(name, []).append(value)
            if number < steps:
                step(next(examples), tf.constant(number, tf.int64))
            progress.update(number)
    game.restore()
    return curves


def fresh_critic(critic):
    """A critic of the same class and config with new weights, the same each time; what is no weight is copied."""
    keras.utils.set_random_seed(_SEED)
    fresh = type(critic).from_config(critic.get_config())
    copy_reference(critic, fresh)
    if hasattr(critic, "level"):
        fresh.level.assign(critic.level)
        fresh.fix_level()
    return fresh


class _Gradients:
    """The generator's gradients under several losses on the same held-out batches and noise each time.

    Args:
        game: `Game`.
        losses: function of (real, fake, noise), Batches, → ({name: scalar}, scores of the fake ones).
        critic: for the scores of real examples.
    """

    def __init__(self, game, losses, critic):
        self.game = game
        model, variables = game.model, game.model.generator.trainable_variables

        @tf.function(autograph=False)
        def gradients(real, draw):
            noise = game.noise(draw)
            with keras.StatelessScope():  # A look must not move statistics of batch normalisation.
                with tf.GradientTape(persistent=True) as tape:
                    fake = model.generate(noise, real.conditions)
                    values, scores = losses(real, fake, noise)
                values_of = [variable.value for variable in variables]
                flat = {
                    name: _flat(tape.gradient(value, values_of, unconnected_gradients="zero"))
                    for name, value in values.items()
                }
                return flat, score(critic, model.view(real, "real", noise)), scores

        self._of_batch = gradients

    def __call__(self, batches):
        """({loss: (mean norm, variance)}, scores of real examples, of samples): floats, and float64 [N] each."""
        sums, squares, norms, reals, fakes = {}, {}, {}, [], []
        for draw, real in enumerate(self.game.batches("test", batches, _SEED)):
            flat, of_real, of_fake = self._of_batch(real, tf.constant(-1 - draw, tf.int64))
            for name, gradient in flat.items():
                gradient = gradient.numpy().astype(np.float64)
                sums[name] = sums.get(name, 0.0) + gradient
                squares[name] = squares.get(name, 0.0) + float(gradient @ gradient)
                norms.setdefault(name, []).append(np.linalg.norm(gradient))
            reals.append(of_real.numpy().ravel())
            fakes.append(of_fake.numpy().ravel())
        found = {}
        for name, total in sums.items():
            # Σⱼ of the unbiased variances: (Σ‖g‖² - ‖Σg‖²/B) / (B - 1).
            variance = (squares[name] - float(total @ total) / batches) / (batches - 1)
            found[name] = float(np.mean(norms[name])), max(float(variance), 0.0)
        return found, np.concatenate(reals).astype(np.float64), np.concatenate(fakes).astype(np.float64)


def _flat(gradients):
    return tf.concat([tf.reshape(gradient, [-1]) for gradient in gradients], 0)
