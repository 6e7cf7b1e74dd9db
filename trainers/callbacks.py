"""Keras callbacks between steps, for `fit` and for the train program alike."""

import json
import math
import signal
import time

import keras
import numpy as np
import tensorflow as tf
from etils import epath

from trainers import workers
from trainers.program import Interrupted, RunFailed
from zoo import grids, pixels
from zoo.batch import takes_captions, takes_labels
from zoo.progress import Progress

#: Steps after the first callback over which the time of a step is measured.
_STEPS_TO_JUDGE = 10


class NonFinite(RunFailed):
    """A loss or gradient stopped being a finite number."""

    def __init__(self, step, what):
        super().__init__(f"step {step}: {what} is not finite")
        self.step, self.what = step, what


class StopOnNonFinite(keras.callbacks.Callback):
    """Raises `NonFinite` after the first step with a log that is NaN or infinite."""

    def on_train_batch_end(self, batch, logs=None):
        # Players in the order in which they move: name the first that is not finite, since it spoils those after it.
        # The loss comes before the gradient, which is not finite either where the loss is not.
        told = {
            f"{player}_{what}": f"the {player}'s {what}".replace("_", " ")
            for player in self.model.players
            for what in ("loss", "gradient_norm")
        }
        for key in [*told, *sorted(logs.keys() - told.keys())]:
            if not math.isfinite(float(logs[key])):
                raise NonFinite(int(self.model.step.numpy()), told.get(key, key))


class Every(keras.callbacks.Callback):
    """Calls `act(step, logs)` each time the step number passes a multiple of `every`."""

    def __init__(self, every):
        super().__init__()
        self.every, self._passed = every, 0

    def on_train_begin(self, logs=None):
        self._passed = int(self.model.step.numpy()) // self.every

    def on_train_batch_end(self, batch, logs=None):
        step = int(self.model.step.numpy())
        if step // self.every > self._passed:
            self._passed = step // self.every
            self.act(step, logs)

    def act(self, step, logs):
        raise NotImplementedError(f"{type(self).__name__} defines no act")


class SaveCheckpoints(Every):
    """Saves a checkpoint every `every` steps, and at the end.

    Args:
        checkpoints: `trainers.checkpoints.Checkpoints`.
    """

    def __init__(self, checkpoints, every):
        super().__init__(every)
        self.checkpoints = checkpoints

    def act(self, step, logs):
        self.checkpoints.save(self.model)

    def on_train_end(self, logs=None):
        self.checkpoints.save(self.model)


class StopOnSignal(keras.callbacks.Callback):
    """On SIGINT or SIGTERM: finishes the step, saves a checkpoint and raises `Interrupted`. A second signal kills.

    Several workers stop together, after the same step, whichever of them got the signal.
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, checkpoints):
        super().__init__()
        self.checkpoints, self._signal, self._previous = checkpoints, None, {}

    def _note(self, signum, frame):
        self._signal = signum
        signal.signal(signum, self._previous[signum])

    def on_train_begin(self, logs=None):
        strategy = self.model.distribute_strategy
        self._total = workers.total(strategy) if workers.are_several(strategy) else np.asarray
        for signum in self._SIGNALS:
            self._previous[signum] = signal.signal(signum, self._note)

    def on_train_batch_end(self, batch, logs=None):
        arrived = self._total([float(self._signal == signum) for signum in self._SIGNALS])
        if arrived.any():
            signum = self._SIGNALS[int(arrived.argmax())]
            self.checkpoints.save(self.model)
            # Nobody reports the checkpoint before the worker that saves has written it.
            self._total([0.0, 0.0])
            step = int(self.model.step.numpy())
            name = signum.name if self._signal else f"{signum.name} at another worker"
            raise Interrupted(signum, f"{name}: saved at step {step}; the same command goes on from there")

    def restore(self):
        """Restores the previous signal handlers."""
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)


class WriteMetrics(Every):
    """Appends the logs and the learning rates to the run's log; TensorBoard shows the config too.

    Args:
        log: `trainers.metrics_log.MetricsLog`, which this callback starts.
        images_per_step: real examples that one step consumes.
        config: the run's `ml_collections.ConfigDict`.
    """

    def __init__(self, log, every, images_per_step, config):
        super().__init__(every)
        self.log, self.images_per_step, self.config = log, images_per_step, config

    def on_train_begin(self, logs=None):
        super().on_train_begin()
        start = int(self.model.step.numpy())
        self.log.start(start)
        text = json.dumps(json.loads(self.config.to_json_best_effort()), indent=2)
        self.log.text(start, "config", f"```json\n{text}\n```")
        self._since, self._at = start, time.monotonic()

    def act(self, step, logs):
        now = time.monotonic()
        speed = (step - self._since) * self.images_per_step / (now - self._at)
        self._since, self._at = step, now
        rates = {
            f"{name}_learning_rate": float(tf.convert_to_tensor(player.optimizer.learning_rate))
            for name, player in self.model.players.items()
        }
        row = {key: float(value) for key, value in logs.items()}
        self.log.append(step, {**row, **rates, "images_per_second": round(speed, 1)})


class DrawSamples(Every):
    """Draws the same 64 seeds every `every` steps: `samples/step_*.png`, and TensorBoard for images.

    Of a generator that is told labels it draws a row for each class, the same eight seeds in each, or colours points by
    their labels; of one that is told captions a row for each of some.

    Args:
        spec: `zoo.datasets.DataSpec` of the data.
        reference: points [n, 2] of the data to draw beside generated points; None for images.
    """

    def __init__(self, workdir, every, spec, reference=None):
        super().__init__(every)
        self.workdir, self.spec, self.reference = epath.Path(workdir), spec, reference

    def on_train_begin(self, logs=None):
        super().on_train_begin()
        (self.workdir / "samples").mkdir(parents=True, exist_ok=True)
        self._writer = tf.summary.create_file_writer(str(self.workdir / "logs"))
        if int(self.model.step.numpy()) == 0:
            self.act(0, None)

    def act(self, step, logs):
        path = self.workdir / "samples" / f"step_{step:08d}.png"
        sampler = self.model.sampler
        told_labels = takes_labels(sampler)
        if self.reference is not None:
            labels = sampler.labels(self.model.latents(range(1024))).numpy() if told_labels else None
            grids.save_points(self.model.sample(range(1024)).numpy(), path, self.reference, labels)
            return
        if told_labels:
            seeds, labels = grids.class_rows(range(sampler.num_classes))
            images = pixels.to_uint8(self.model.sample(seeds, label=labels)).numpy()
            grids.save_grid(images, path, names=self.spec.display_names[: grids.MOST_ROWS])
            shown = images[seeds == seeds[0]]
        elif takes_captions(sampler):
            told = sampler.tokenizer.texts(sampler.captions(self.model.latents(range(64)))).numpy()
            seeds, captions, names = grids.caption_rows([text.decode() for text in told])
            tokens = sampler.tokenizer(tf.constant(captions))
            images = pixels.to_uint8(self.model.sample(seeds, caption=tokens)).numpy()
            grids.save_grid(images, path, names=names)
            shown = images[seeds == seeds[0]]
        else:
            images = pixels.to_uint8(self.model.sample(range(64)))
            grids.save_grid(images, path)
            shown = images[:16]
        with self._writer.as_default(step=step):
            tf.summary.image("samples", shown, max_outputs=16)


class ShowProgress(keras.callbacks.Callback):
    """Step, losses, images/s and time left: a bar on a terminal, a line every ten seconds in a log.

    If more than an hour is left after the first ten steps, a line says so, in time to choose a smaller run.

    Args:
        total_steps: step at which the run ends.
        images_per_step: real examples that one step consumes.
    """

    def __init__(self, total_steps, images_per_step, seconds_between_lines=10.0):
        super().__init__()
        self.total_steps, self.images_per_step = total_steps, images_per_step
        self.seconds_between_lines = seconds_between_lines
        self._progress = None

    def on_train_begin(self, logs=None):
        step = int(self.model.step.numpy())
        self._progress = Progress(self.total_steps, "training", "step", step, self.seconds_between_lines)
        self._start, self._began = step, time.monotonic()
        # Step and time of the first callback: the steps before it include tracing and compiling.
        self._first = None

    def on_train_batch_end(self, batch, logs=None):
        step, now = int(self.model.step.numpy()), time.monotonic()
        self._progress.update(step, lambda: self._note(step, now, logs))
        if self._first is None:
            self._first = (step, now)
        elif self._first and step - self._first[0] >= _STEPS_TO_JUDGE:
            seconds = (now - self._first[1]) / (step - self._first[0])
            left = seconds * (self.total_steps - step)
            if left > 3600:
                self._progress.say(
                    f"a step takes {seconds:.3g} s: about {left / 3600:,.1f} hours left for the other "
                    f"{self.total_steps - step:,}"
                )
            self._first = ()

    def _note(self, step, now, logs):
        speed = (step - self._start) * self.images_per_step / (now - self._began)
        # The losses first: a narrow terminal cuts the end.
        losses = (f"{name.replace('_', ' ')} {float(logs[f'{name}_loss']):.3f}" for name in self.model.players)
        return f"{', '.join(losses)}; {speed:,.0f} images/s"

    def close(self):
        """Ends the bar."""
        if self._progress is not None:
            self._progress.close()
