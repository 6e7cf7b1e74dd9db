"""Equilibrium and generalisation: whether the players have settled, and whether what they learnt holds beyond the
training examples.

The duality gap of the checkpoint, by short training of each player against the other one held fixed: Grnarova et al.
2019, "A domain agnostic measure for monitoring and evaluating GANs". How much of what the critic knows is the training
set: r_v of Karras et al. 2020, "Training generative adversarial networks with limited data", equation 1. How many of
the samples are copies of training examples.
"""

import keras
import numpy as np
import tensorflow as tf

from export.diagnostics import thresholds
from export.diagnostics.game import Game, NotMeasured, adversarial, check_scores
from export.diagnostics.section import section, worse
from export.diagnostics.vanishing_gradients import separation
from export.metrics import intervals, real_features
from export.metrics.copies import estimated_share
from export.metrics.pixel_points import averaged_down
from trainers.players import Player, score
from zoo.progress import Progress

#: Steps of each best response, and batches that it is judged on.
_STEPS, _QUICK_STEPS, _BATCHES, _QUICK_BATCHES = 100, 10, 16, 6
_MOST_EXAMPLES = 64
#: Most training and held-out images that samples are compared with, and the side that they are averaged down to.
_MOST_TRAINING, _MOST_HELD_OUT, _SIDE = 60_000, 10_000, 16
_SEED = 20_190_612

TRY_NEXT = {
    "copies": "fewer steps or an earlier checkpoint; more data; a generator or a latent space of less capacity.",
    "critic": (
        "more data; an earlier checkpoint; noise on the critic's inputs, --config.techniques.instance_noise.std=0.1; a "
        "smaller critic, or a gradient penalty, --config.techniques.zero_centred.at=real (R1)."
    ),
}


def diagnose(found):
    """A report's section "generalization".

    Args:
        found: `export.diagnostics.diagnose.Found`.

    Raises:
        NotMeasured: neither the samples can be compared with training examples nor has the run a critic.
    """
    copies = gap = known = None
    if len(found.context.data.data_shape) == 3:
        copies = estimated_share(*descriptors(found.context))
    try:
        run = adversarial(found.context)
    except NotMeasured:
        if copies is None:
            raise
        return judge(copies)
    game = Game(run, min(_MOST_EXAMPLES, run.config.train.batch_size))
    batches = _judged_on(run.data, game.batch_size, _QUICK_BATCHES if found.quick else _BATCHES)
    try:
        check_scores(run)
        known = known_by_heart(game, batches)
    except NotMeasured:
        pass
    if "two_players" not in run.model.lacks:
        gap = duality_gap(game, _QUICK_STEPS if found.quick else _STEPS, batches)
    return judge(copies, known, gap)


def _judged_on(data, batch_size, most):
    """Number of batches for each of two disjoint parts of the test examples; 2 at least."""
    available = data.num_examples("test")
    return most if available is None else max(2, min(most, available // (2 * batch_size)))


def judge(copies=None, known=None, gap=None):
    """The section of what was measured.

    Args:
        copies: of `export.metrics.copies.estimated_share`, or None.
        known: of `known_by_heart`, or None.
        gap: of `duality_gap`, or None.
    """
    of_copies = of_critic = "none"
    parts, rests_on, plotted = [], {}, {}
    if copies is not None:
        low, high = (copies.value if end is None else end for end in (copies.low, copies.high))
        of_copies = _level(low, thresholds.COPIED)
        ends = f"({max(low, 0.0):.0%} to {max(high, 0.0):.0%})"
        if of_copies == "none" and high - max(low, 0.0) > thresholds.WIDE:
            parts.append(f"copies of training images cannot be counted {ends}: the samples lie beside few of these")
        else:
            share = f"{max(copies.value, 0.0):.0%}"
            parts.append(f"an estimated {share} of the samples are copies of training images {ends}")
        rests_on |= {
            "estimated_copies": copies.value,
            "estimated_copies_low": low,
            "estimated_copies_high": high,
        }
    if known is not None:
        rests_on |= known
        if known["separation"] < thresholds.SEPARATES:
            told = "the critic tells real examples and samples hardly apart, so that it knows nothing by heart"
        else:
            of_critic = _level(known["known_by_heart_low"], thresholds.KNOWN)
            told = (
                f"{max(known['known_by_heart'], 0.0):.0%} of what the critic's scores set training examples apart from "
                "samples by is lost on held-out examples"
            )
        parts.append(told)
        if of_critic != of_copies and worse(of_critic, of_copies) == of_critic:
            parts.reverse()
    if gap is not None:
        numbers, curves = gap
        rests_on |= numbers
        plotted["best_response"] = curves
        span = ""
        if numbers["duality_gap_low"] is not None:
            span = f" ({numbers['duality_gap_low']:.3g} to {numbers['duality_gap_high']:.3g})"
        parts.append(
            f"the duality gap is {numbers['duality_gap']:.3g}{span}: in {numbers['best_response_steps']} steps against "
            f"the other held fixed the critic gains {numbers['critic_gain']:.3g} and the generator "
            f"{numbers['generator_gain']:.3g} of their losses"
        )
    level = worse(of_copies, of_critic)
    cause = "copies" if of_copies == level else "critic"
    opening = {
        "none": "No failure to generalise seen",
        "partial": "Some samples are copies"
        if cause == "copies"
        else "The critic begins to know the training examples",
        "severe": "The generator copies" if cause == "copies" else "The critic knows the training examples by heart",
    }[level]
    return section(level, opening, parts, rests_on, TRY_NEXT[cause], **plotted)


def _level(value, lines):
    partial, severe = lines
    return "severe" if value > severe else "partial" if value > partial else "none"


# Copies.


def descriptors(context):
    """What copies are looked for by: pixels, averaged down to a side of at most 16, which blur and noise change little.

    They take no network, so that all training images are looked at, up to 60,000, and more held-out images than there
    are samples: a copy of an image that was not looked at is not found.

    Args:
        context: `export.evaluation.context.ImageContext`.

    Returns:
        (samples, training, held-out images), float32 [N, d] each, in [0, 1].
    """
    return small(context.samples.pixels), *context.once(_of_data, context.training)


def _of_data(context, training):
    parts = []
    for split, most in (("train", _MOST_TRAINING), ("test", _MOST_HELD_OUT)):
        count = min(most, context.data.num_examples(split))
        with Progress(count, f"pixels of {'training' if split == 'train' else 'test'} images", "image") as progress:
            batches = []
            for batch in real_features.pixels(context.data, split, count):
                batches.append(small(batch))
                progress.update(progress.done + len(batch))
        parts.append(np.concatenate(batches))
    return tuple(parts)


def small(pixels):
    """Images averaged down to a side of at most 16, as points: uint8 [N, H, W, C] → float32 [N, d] in [0, 1]."""
    return averaged_down(pixels, _SIDE)


# What the critic knows.


def known_by_heart(game, batches):
    """How much of the critic's knowledge is the training set: r_v = (E D(train) - E D(held out)) / (E D(train) - E
    D(samples)), 0 where its scores hold for held-out examples and 1 where those are scored like samples.

    Args:
        game: `export.diagnostics.game.Game`.
        batches: of each kind, 2 or more.

    Returns:
        Dict of floats: "known_by_heart", r_v; "known_by_heart_low", the lower end of its interval of level 0.95, by
        Student's t for the numerator; "separation", as of `vanishing_gradients.AtOwnCritic`, training examples for
        held-out ones.
    """
    model = game.model

    @tf.function(autograph=False)
    def scores(real, draw):
        noise = game.noise(draw)
        with keras.StatelessScope():
            fake = model.view(model.generate(noise, real.conditions), "fake", noise)
            return score(model.critic, model.view(real, "real", noise)), score(model.critic, fake)

    found = {"train": [], "test": [], "samples": []}
    for split in ("train", "test"):
        for draw, real in enumerate(game.batches(split, batches, _SEED)):
            of_real, of_fake = scores(real, tf.constant(-1 - draw, tf.int64))
            found[split].append(of_real.numpy().ravel().astype(np.float64))
            if split == "train":
                found["samples"].append(of_fake.numpy().ravel().astype(np.float64))
    means = {name: np.array([each.mean() for each in values]) for name, values in found.items()}
    apart = means["train"].mean() - means["samples"].mean()
    difference = intervals.mean_interval((means["train"] - means["test"]) * np.sign(apart or 1.0), of="batch")
    low = difference.value if difference.low is None else difference.low
    divisor = abs(apart) or 1.0
    real, fake = (np.concatenate(found[name]) for name in ("train", "samples"))
    return {
        "known_by_heart": float(difference.value / divisor),
        "known_by_heart_low": float(low / divisor),
        "separation": separation(real, fake),
    }


# The equilibrium.


def duality_gap(game, steps, batches):
    """The duality gap of the checkpoint: what either player can still gain alone.

    Each player is trained for `steps` from its present weights against the other one held fixed, on training examples,
    by its own optimizer begun anew at its first rate. Of its weights on the way those are taken that a part of the test
    examples finds best; what they gain of the player's loss is measured on another part. The gap is the sum of both
    gains. In a zero-sum game this is Grnarova et al.'s, equation 2: max_D' V(D', G) - min_G' V(D, G'), which is 0 at an
    equilibrium. So short a training bounds it from below.

    Args:
        game: `export.diagnostics.game.Game`.
        steps: of each player. They cost about as much as half as many steps of the run, of one critic step each.
        batches: number of batches for each part.

    Returns:
        (numbers, curves). Numbers: "duality_gap", "duality_gap_low", "duality_gap_high", of level 0.95 by Student's t
        over batches, None where all are equal; "critic_gain", "generator_gain"; "best_response_steps". Curves: "step",
        and both gains on the first part, lists.
    """
    gan = game.model

    @tf.function(autograph=False)
    def losses(real, draw):
        noise = game.noise(draw)
        with keras.StatelessScope():
            fake = gan.generate(noise, real.conditions)
            return gan.critic_total_loss(real, fake, noise), gan.generator_total_loss(real, fake, noise)

    judged = list(game.batches("test", 2 * batches, _SEED))

    def losses_of(index, first):
        """Of player `index` on each of the batches from `first` on: float64 [batches]."""
        each = range(first, first + batches)
        return np.array([float(losses(judged[draw], tf.constant(-1 - draw, tf.int64))[index]) for draw in each])

    looks = sorted({0, *(max(1, steps * part // 4) for part in (1, 2, 3, 4))})
    curves, gains = {"step": looks}, []
    with Progress(2 * steps, "duality gap", "step") as progress:
        for index, name in enumerate(("critic", "generator")):
            before = losses_of(index, 0), losses_of(index, batches)
            step, variables = _mover(game, name)
            examples, best, best_gain, found = game.batches("train", steps, _SEED + index), None, 0.0, []
            for number in range(steps + 1):
                if number in looks:
                    found.append(float((before[0] - losses_of(index, 0)).mean()))
                    if found[-1] > best_gain:
                        best_gain, best = found[-1], [np.array(variable) for variable in variables]
                if number < steps:
                    step(next(examples), tf.constant(number, tf.int64))
                    progress.update(progress.done + 1)
            curves[f"{name}_gain"] = found
            if best is not None:
                for variable, value in zip(variables, best):
                    variable.assign(value)
                gains.append(before[1] - losses_of(index, batches))
            else:
                gains.append(np.zeros(batches))
            game.restore()
    total = intervals.mean_interval(gains[0] + gains[1], of="batch")
    return {
        "duality_gap": total.value,
        "duality_gap_low": total.low,
        "duality_gap_high": total.high,
        "critic_gain": float(gains[0].mean()),
        "generator_gain": float(gains[1].mean()),
        "best_response_steps": steps,
    }, curves


def _mover(game, name):
    """(function of a batch and a draw's number that moves one player, its variables)."""
    gan, present = game.model, game.model.players[name]
    player = Player(name, *present.networks, constrain=present.constrain)
    player.prepare(game.fresh_optimizer(name), gan.distribute_strategy)

    @tf.function(autograph=False)
    def step(real, draw):
        noise = game.noise(draw)
        with tf.GradientTape() as tape:
            fake = gan.generate(noise, real.conditions)
            if name == "critic":
                loss = gan.critic_total_loss(real, fake.constant(), noise)
            else:
                loss = gan.generator_total_loss(real, fake, noise)
        player.descend(tape, loss)

    return step, [variable for network in present.networks for variable in network.variables]
