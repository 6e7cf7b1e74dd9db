"""Diagnoses a run while it trains: the cheap part of what a report diagnoses, of its checkpoints.

`config.train.diagnose_every` turns it on. The numbers go to the run's log; a failure is named on the terminal, once.
"""

from absl import logging
from threadpoolctl import threadpool_limits

from export.diagnostics import convergence, generalization, mode_collapse, vanishing_gradients
from export.diagnostics.convergence import JointField
from export.diagnostics.diagnose import Found, without_remapper
from export.diagnostics.game import Game, NotMeasured, adversarial, check_scores
from export.evaluation.context import ImageContext, PointContext
from export.generators import Generator
from export.metrics.copies import estimated_share
from trainers.callbacks import Every
from zoo import progress

#: Samples, and as many held-out and training examples; batches of the critic's look; examples of the joint field.
_SAMPLES, _BATCHES, _BATCH = 2000, 4, 64
_SEED = 20_240_117
#: Numbers that are told beside the levels: the section's key → its numbers' keys → their names in the log.
_TOLD = {
    "mode_collapse": {
        "modes_found": "modes_found",
        "high_quality_share": "high_quality_share",
        "classes_missing": "classes_missing",
        "recall": "recall",
        "coverage": "coverage",
        "precision": "precision",
        "density": "density",
    },
    "vanishing_gradients": {
        "own_critic_separation": "critic_separation",
        "share_of_non_saturating": "share_of_non_saturating",
    },
    "generalization": {"estimated_copies_low": "copies_at_least"},
}
#: Where the documentation says what to try.
_PAGE = "docs/evaluation.md#{}"
_ANCHORS = {
    "mode_collapse": "mode-collapse",
    "vanishing_gradients": "vanishing-gradients",
    "non_convergence": "non-convergence",
    "generalization": "equilibrium-and-generalisation",
}


class Diagnose(Every):
    """Diagnoses the first checkpoint after each `config.train.diagnose_every` steps.

    A checkpoint is diagnosed in a copy of the run's model, so that the weights are those of a run without it. The row
    of a resumed run is that of an uninterrupted one.

    Args:
        run: `trainers.build.Run`.
        checkpoints: `trainers.checkpoints.Checkpoints` of the run; this callback comes after the one that saves them.
        log: `trainers.metrics_log.MetricsLog`, a started one: a row is {"step": …, "diagnosed": {name: number or
            level}}.
    """

    def __init__(self, run, checkpoints, log):
        super().__init__(run.config.train.checkpoint_every)
        self.run, self.checkpoints, self.log = run, checkpoints, log
        self._look = None

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        # A run that was stopped between a checkpoint and its diagnosis.
        step = int(self.model.step.numpy())
        if step and step in self._regular():
            self.act(step, logs)

    def act(self, step, logs):
        past = [row for row in self.log.rows() if "diagnosed" in row]
        every = self.run.config.train.diagnose_every
        if step // every == (past[-1]["step"] // every if past else 0):
            return
        regular = self._regular()
        if step not in regular:
            return
        # Small matrices gain nothing from threads, and lose much where other work keeps the cores busy.
        with progress.hidden(), without_remapper(), threadpool_limits(1):
            # What was traced of a network in stages is of the level that it had.
            if self._look is None or any(hasattr(network, "level") for network in self.model.networks.values()):
                self._look = Look(self.run, step)
            before = [earlier for earlier in regular if earlier < step]
            numbers, sections = self._look(step, before[-1] if before else None, [row["diagnosed"] for row in past])
        self.log.append(step, {"diagnosed": numbers})
        for failure, section in sections.items():
            told = any(row["diagnosed"].get(failure) == "severe" for row in past)
            if section["level"] == "severe" and not told:
                logging.warning(
                    "step %s: %s What to try: %s",
                    f"{step:,}",
                    section["verdict"],
                    _PAGE.format(_ANCHORS[failure]),
                )

    def _regular(self):
        """Steps of the checkpoints that a run has which is never stopped, oldest first: none of those of a signal."""
        settings = self.run.config.train
        longest = settings.steps_per_execution
        return [step for step in self.checkpoints.steps() if step % settings.checkpoint_every < longest]


class Look:
    """Measures a run's checkpoints.

    Args:
        run: `trainers.build.Run` with a workdir.
        step: of its first checkpoint to be measured.
    """

    def __init__(self, run, step):
        self.run, self.game = run, Game(run, min(_BATCH, run.config.train.batch_size), step)
        model = self.game.model
        generator = Generator.of_sampler(model.sampler, model.latent_dim, run.data_shape)
        self._context = _context(generator, run)
        self._critic, self._has_field = None, False
        try:
            adversarial(self._context)
        except NotMeasured:
            return
        self._has_field = "two_players" not in run.model.lacks
        try:
            check_scores(run)
            self._critic = vanishing_gradients.AtOwnCritic(self.game)
        except NotMeasured:
            pass

    def __call__(self, step, earlier, past):
        """Looks at the checkpoint of `step`.

        Args:
            step: int.
            earlier: step of an earlier checkpoint, or None.
            past: former results, a list of dicts.

        Returns:
            ({name: number, or for a failure its level}, {failure: section of a report}).
        """
        self.game.read(step)
        self._context = context = self._context.anew()
        images = len(self.run.data_shape) == 3
        metrics, classes = _metrics(context, images)
        distance = "frechet_distance" if images else "exact_wasserstein"
        numbers = {distance: metrics[distance]["value"]}
        sections = {"mode_collapse": mode_collapse.diagnose(Found(context, metrics, classes, quick=True))}
        if images:
            copies = estimated_share(*generalization.descriptors(context))
            sections["generalization"] = generalization.judge(copies)
        if self._critic is not None:
            own = self._critic(_BATCHES)
            sections["vanishing_gradients"] = vanishing_gradients.judge(own, None, self.run.config.objective)
        if self._has_field and earlier is not None:
            cosine = self._path_cosine(earlier)
            if cosine is not None:
                numbers["path_cosine"] = cosine
        sections["non_convergence"] = convergence.of_distances(
            [*(row.get(distance) for row in past), numbers[distance]]
        )
        for failure, section in sections.items():
            rests_on = section["rests_on"]
            numbers |= {name: rests_on[key] for key, name in _TOLD.get(failure, {}).items() if key in rests_on}
            numbers[failure] = section["level"]
        return numbers, sections

    def _path_cosine(self, earlier):
        """The cosine between the players' moves at this checkpoint and the way from an earlier one; None where there is
        no such angle."""
        # Made for each checkpoint: what the networks see of a batch, and the noise, depend on the step.
        (real,) = self.game.batches("train", 1, _SEED)
        field = JointField(self.game.model, real, self.game.noise(0))
        weights = self.game.weights_at(earlier, ("critic", "generator"))
        try:
            (cosine,) = convergence.path_angle(field, earlier, weights, positions=(1.0,)).cosines
        except NotMeasured:
            return None
        return float(cosine)


def _context(generator, run):
    data = run.data
    if len(run.data_shape) == 1:
        return PointContext(generator, data, num_samples=_SAMPLES, run=run)
    from export.metrics.features import features_for

    count = min(_SAMPLES, data.num_examples("test"))
    return ImageContext(features_for(data, "auto"), generator, data, num_samples=count, run=run)


def _metrics(context, images):
    """({name: numbers}, the report's "classes" or None): what the verdict on mode collapse rests on, and a distance."""
    from export.evaluation import class_balance, image_metrics, point_metrics

    if images:
        names = {"frechet_distance", "precision", "density", "recall", "coverage"}
        rows, classes = image_metrics, class_balance.class_shares if image_metrics.has_classes(context) else None
    else:
        names = {"exact_wasserstein", "modes_found", "high_quality_share"}
        rows, classes = point_metrics, class_balance.mode_shares if point_metrics.has_modes(context) else None
    found = {row.name: row.numbers(context) for row in rows.METRICS if row.name in names and row.needs(context)}
    return found, classes(context) if classes else None
