"""The files of a run: `config.json`, `checkpoints/`, `metrics.jsonl`, `logs/`, `samples/` and `report/`.

A workdir is all that any program needs of a run. Comparing configs imports TensorFlow, the rest does not.
"""

import contextlib
import json
import re

import ml_collections
from etils import epath

from trainers import former
from trainers.config import flatten
from trainers.resolve import resolve
from zoo.datasets import DataSpec
from zoo.errors import RequestError
from zoo.files import check_writable, write_whole

#: Keys that may change when a run is resumed → why the steps already taken do not depend on them.
_MAY_CHANGE = {
    "train.steps": "no step looks at how many follow, unless `_tied_to_steps` says so",
    "train.steps_per_execution": "how many steps one call takes; each is the same",
    "train.log_every": "only what is told",
    "train.sample_every": "only what is drawn",
    "train.diagnose_every": "only what is measured",
    "train.checkpoint_every": "only what is saved",
    "train.keep_checkpoints": "only what is kept",
    "train.on_nonfinite": "decides about steps that are still to come",
    "data.on_corrupt": "decides about images still to come; under 'error' no step was taken with a damaged one",
}

_CHECKPOINT = re.compile(r"step_(\d{8,})")


def check_writable_run(workdir):
    """Checks, leaving nothing behind and without TensorFlow, that a run can be written or resumed in `workdir`.

    Raises:
        RequestError: it cannot be written, or holds files that are not those of a run, or checkpoints of an unknown
            config.
    """
    workdir = epath.Path(workdir)
    if (workdir / "config.json").exists():
        read_config(workdir)
    elif checkpoint_steps(workdir / "checkpoints"):
        raise RequestError(
            f"--workdir: {workdir} holds checkpoints and no config.json, which says what they are of; expected that "
            "file put back, or a new directory"
        )
    for name in ("checkpoints", "samples", "logs"):
        if (workdir / name).exists() and not (workdir / name).is_dir():
            raise RequestError(f"--workdir: {workdir / name} is a file; expected a run's directory of that name")
    read_metrics(workdir)
    check_writable(workdir, "--workdir")


def check_workdir(workdir, config):
    """Checks, before any work and leaving nothing behind, that `workdir` can take this config's run.

    Raises:
        RequestError: as of `check_writable_run`, or it holds the run of a config that differs in more than may change;
            the message names the keys.
    """
    workdir = epath.Path(workdir)
    check_writable_run(workdir)
    if (workdir / "config.json").exists():
        steps = checkpoint_steps(workdir / "checkpoints")
        changes = _changes(read_config(workdir)["config"], config)
        barred = {key: why for key in changes if (why := _why_barred(key, config, steps)) is not None}
        if barred:
            shown = ", ".join(
                f"{key} (there {changes[key][0]!r}, asked {changes[key][1]!r}{why})" for key, why in barred.items()
            )
            raise RequestError(f"--workdir: {workdir} holds a run of another config; it differs in {shown}")


def _changes(held, config):
    """Differences of `config` from one read from a file, both completed: {key: (value there, value asked)}, sorted."""
    # One changed by hand, or of a release with other options, may not be completed: it differs as it stands.
    with contextlib.suppress(AttributeError, KeyError, TypeError, ValueError):
        held = json.loads(resolve(ml_collections.ConfigDict(held)).to_json_best_effort())
    held, asked = flatten(held), flatten(json.loads(resolve(config).to_json_best_effort()))
    differing = sorted(key for key in held.keys() | asked.keys() if held.get(key) != asked.get(key))
    return {key: (held.get(key), asked.get(key)) for key in differing}


def _why_barred(key, config, steps):
    """Why `key` may not change in a run with checkpoints at `steps`, to append to a message; None if it may."""
    if key not in _MAY_CHANGE:
        return ""
    if key == "train.steps":
        if tied := _tied_to_steps(config):
            return f"; {tied}"
        if steps and config.train.steps < steps[-1]:
            return f"; {steps[-1]} are done"
    return None


def _tied_to_steps(config):
    """Why the weights after a step depend on `train.steps`; None if they do not."""
    if config.train.decay_from < 1:
        return "the learning rates fall with it, train.decay_from"
    for key, options in config.techniques.items():
        if options.get("name", key) == "instance_noise" and len(options):
            return f"the noise falls with it, techniques.{key}.until"
    return None


def write_config(workdir, config, spec, step):
    """Writes `config.json`; for a run resumed at `step`, records the changes from its former config.

    The file also holds the `zoo.datasets.DataSpec` of the run's data, so that the networks can be built without the
    data. Its key "changes" lists, oldest first, the changed values [old, new] and the step from which on they hold:
    [{"step": 300, "train.steps": [300, 400]}].
    """
    target, changes = epath.Path(workdir) / "config.json", []
    if target.exists():
        held = read_config(workdir)
        changed = _changes(held["config"], config)
        if not changed:
            return
        changes = [*held["changes"], {"step": step, **changed}]
    text = {
        "schema_version": former.SCHEMA_VERSION,
        "config": json.loads(config.to_json_best_effort()),
        **spec._asdict(),
    }
    if changes:
        text["changes"] = changes
    write_whole(target, (json.dumps(text, indent=2) + "\n").encode())


def checkpoint_steps(directory):
    """Steps of the checkpoints in a directory, oldest first; [] if there is none."""
    directory = epath.Path(directory)
    if not directory.is_dir():
        return []
    return sorted(int(match[1]) for entry in directory.iterdir() if (match := _CHECKPOINT.fullmatch(entry.name)))


def holds_checkpoint(workdir):
    """Whether a run in `workdir` has a checkpoint."""
    return bool(checkpoint_steps(epath.Path(workdir) / "checkpoints"))


def read_config(workdir):
    """The contents of `config.json`, in the current schema: {"config": dict, "spec": DataSpec, "changes": list}.

    Raises:
        RequestError: there is none, or it cannot be read.
    """
    path = epath.Path(workdir) / "config.json"
    if not path.exists():
        raise RequestError(f"--workdir: {workdir} holds no run (no config.json in it)")
    try:
        text = json.loads(path.read_text())
        config = former.upgrade(text["config"], text.get("schema_version", 1))
        return {"config": config, "spec": DataSpec.of(text), "changes": text.get("changes", [])}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RequestError(f"--workdir: {path} is no config of a run ({error})") from error


def check_run(workdir):
    """Raises RequestError unless `workdir` holds a run with a checkpoint; returns the shape of one example. Free of
    TensorFlow."""
    workdir = epath.Path(workdir)
    data_shape = read_config(workdir)["spec"].data_shape
    if not holds_checkpoint(workdir):
        raise RequestError(f"--workdir: {workdir} holds no checkpoint yet")
    return data_shape


def drawn(workdir, most, up_to):
    """Pictures of samples that a run drew, {step: encoded PNG}: `most` at most, spread evenly over those up to step
    `up_to`."""
    folder, found = epath.Path(workdir) / "samples", {}
    if folder.is_dir():
        for entry in folder.iterdir():
            if (match := re.fullmatch(r"step_(\d{8,})\.png", entry.name)) and int(match[1]) <= up_to:
                found[int(match[1])] = entry
    steps = sorted(found)
    last = len(steps) - 1
    chosen = steps if len(steps) <= most else [steps[round(i * last / (most - 1))] for i in range(most)]
    return {step: found[step].read_bytes() for step in chosen}


def read_metrics(workdir):
    """The rows of a workdir's `metrics.jsonl`, a list of dicts with "step" and the logs; [] where there is none.

    Raises:
        RequestError: it cannot be read, or a line before the last is not a JSON object with a step; the message names
            it.
    """
    path = epath.Path(workdir) / "metrics.jsonl"
    if not path.exists():
        return []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise RequestError(f"--workdir: {path} cannot be read ({error.strerror or error})") from error
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            if not isinstance(row["step"], int):
                raise TypeError("step")
        except (ValueError, TypeError, KeyError) as error:
            if number == len(lines):
                # A killed process can leave the last line truncated.
                break
            raise RequestError(
                f"--workdir: {path}, line {number}: expected a JSON object with a step; take the line out or mend it"
            ) from error
        rows.append(row)
    return rows
