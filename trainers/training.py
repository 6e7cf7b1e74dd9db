"""Trains a run to its last step, or resumes it: `GenerativeModel.fit` with the callbacks that keep a workdir."""

import contextlib
import importlib.metadata

import tensorflow as tf
from absl import logging

from trainers import callbacks, lock, workdir, workers
from trainers.checkpoints import Checkpoints
from trainers.metrics_log import MetricsLog
from trainers.program import RunFailed
from zoo import datasets
from zoo.batch import wanted_of_data

#: Entry points of installed packages that diagnose a run while it trains, as `diagnoses` has them.
DIAGNOSES = "tf_gan_zoo.diagnoses"
#: Consecutive rollbacks without a step past the failed one before the run gives up.
_MOST_ROLLBACKS = 3


def batches(run, first_step):
    """The training data from `first_step` on, split for the run's strategy.

    Step s consumes batches s·k … s·k + k - 1 of the global order, k being the model's batches per step; each replica
    gets its contiguous piece of every global batch.
    """
    strategy, k = run.model.distribute_strategy, run.model.batches_per_step
    # With the same data and noise, a rolled-back run would fail at the same step again.
    seed = run.config.seed + 1_000_003 * int(run.model.rollbacks.numpy())
    options = {"seed": seed, "start_batch": first_step * k, **wanted_of_data(run.model.generator)}
    size, replicas = run.config.train.batch_size, strategy.num_replicas_in_sync
    if replicas == 1:
        return run.data.batches("train", size, **options)

    def pieces(context):
        local = context.num_replicas_in_sync // context.num_input_pipelines
        first = context.input_pipeline_id * local
        return run.data.batches("train", size, replicas=replicas, first_replica=first, local_replicas=local, **options)

    return strategy.distribute_datasets_from_function(pieces)


def diagnoses():
    """What `config.train.diagnose_every` turns on, of all installed packages; this one's is in `export`, which trainers
    do not import.

    Returns:
        List of functions of (`trainers.build.Run`, `Checkpoints`, `MetricsLog`) → a Keras callback, which comes after
        the one that saves checkpoints.
    """
    return [entry.load() for entry in importlib.metadata.entry_points(group=DIAGNOSES)]


def train(run):
    """Trains `run` from its newest checkpoint, or from the start, to `config.train.steps`.

    The final weights are those of an uninterrupted run, bit for bit on the same device and thread count.

    Raises:
        RequestError: another process trains in the workdir, or it holds another run.
        RunFailed: a loss or gradient was not finite (and rollbacks failed, or were off).
        Interrupted: SIGINT or SIGTERM; a checkpoint was saved.
    """
    run.workdir.mkdir(parents=True, exist_ok=True)
    # Of several workers only the one that writes the workdir takes its lock.
    writes = run.model.distribute_strategy.extended.should_checkpoint
    with lock.held(run.workdir) if writes else contextlib.nullcontext():
        workdir.check_workdir(run.workdir, run.config)
        _train(run, writes)


def _train(run, writes):
    settings, model = run.config.train, run.model
    checkpoints = Checkpoints(run.workdir / "checkpoints", settings.keep_checkpoints)
    restored = checkpoints.restore_newest(model)
    resumed_from = {"the step resumed from": restored}
    workers.check_same(model.distribute_strategy, resumed_from, "one --workdir that all of them share")
    if writes:
        workdir.write_config(run.workdir, run.config, run.spec, restored or 0)
        checkpoints.drop_after(restored or 0)
    if restored is None:
        checkpoints.save(model)
    else:
        logging.info("Resumed from step %d of %d", restored, settings.steps)
    failed_at, rollbacks = -1, 0
    while int(model.step.numpy()) < settings.steps:
        try:
            _fit(run, checkpoints)
        except callbacks.NonFinite as failure:
            good = checkpoints.steps()[-1]
            where = f"the last good checkpoint is {checkpoints.path(good)}"
            rollbacks = 1 if failure.step > failed_at else rollbacks + 1
            failed_at = max(failed_at, failure.step)
            if settings.on_nonfinite == "stop" or rollbacks > _MOST_ROLLBACKS:
                raise RunFailed(f"{failure}; {where}") from failure
            count = int(model.rollbacks.numpy()) + 1
            good = checkpoints.restore_newest(model)
            model.rollbacks.assign(count)
            logging.warning("%s; rolled back to step %d, other noise and data from there", failure, good)
        except tf.errors.InvalidArgumentError as error:
            # A damaged image, found only while decoding, is a wrong request; the message names it.
            raise (datasets.undecodable(error) or error) from error


def _fit(run, checkpoints):
    settings, model, first_step = run.config.train, run.model, int(run.model.step.numpy())
    model.last_step.assign(settings.steps)
    images = settings.batch_size * model.batches_per_step
    stop = callbacks.StopOnSignal(checkpoints)
    progress = callbacks.ShowProgress(settings.steps, images)
    between, diagnosing = [callbacks.StopOnNonFinite()], []
    if model.distribute_strategy.extended.should_save_summary:
        reference = run.data.arrays("test", 1024)[0] if len(run.data_shape) == 1 else None
        log = MetricsLog(run.workdir)
        if settings.diagnose_every:
            diagnosing = [made(run, checkpoints, log) for made in diagnoses()]
        between += [
            callbacks.WriteMetrics(log, settings.log_every, images, run.config),
            callbacks.DrawSamples(run.workdir, settings.sample_every, run.spec, reference),
            progress,
        ]
    # What is diagnosed is a checkpoint.
    between += [callbacks.SaveCheckpoints(checkpoints, settings.checkpoint_every), *diagnosing, stop]
    try:
        steps = settings.steps - first_step
        model.fit(batches(run, first_step), steps_per_epoch=steps, callbacks=between, verbose=0, shuffle=False)
    finally:
        stop.restore()
        progress.close()
