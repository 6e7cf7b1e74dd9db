"""Writes generators as SavedModels, in numbered versions.

    python -m export.saved_model --workdir=DIR --model_base_path=BASE [--model_name=NAME] [--precision=bfloat16] \
        [--formats=saved_model,keras,onnx,litert]

writes ``BASE/NAME/<next integer>/``, the layout of TensorFlow Serving. `export.signatures` lists the signatures.
The model card, the report, the network's Keras config and warm-up requests for TensorFlow Serving are under
``assets.extra/``. So are, as Keras configs with 16-bit weights, the other networks of the run, such as the critic: with
them ``trainers.train --init_from`` continues from an exported model.

``--precision=bfloat16`` makes the network compute in bfloat16, which is faster on processors with instructions for it.
Signatures, weights on disk and the final activation stay float32. Pixels change by a few levels, so a seed's image is
similar but not equal to that of the float32 export. The report inside was measured in the run's own precision.

``--storage=int16`` halves the file: kernels and other matrices are stored as 16-bit fixed-point numbers. A seed's image
is the same to a grey level, which is checked before the model appears.

``--formats`` names what else is written beside the SavedModel, under ``assets.extra/`` (`export.formats`). A file that
cannot be made, or differs from the generator, ends the program with exit code 1, and the whole version is left out.
``--storage`` applies to the SavedModel alone; ONNX and LiteRT compute in float32, and other precisions are refused.
"""

import json
import os
import types
import uuid

from absl import flags, logging
from etils import epath

from export import formats as other_formats
from export import model_card, report
from export.generators import Generator
from export.signatures import signatures
from trainers import program
from zoo.batch import takes_captions
from zoo.errors import RequestError
from zoo.files import check_writable, writing
from zoo.pretrained import networks as network_files
from zoo.pretrained import version_numbers
from zoo.pretrained.networks import EXTRA

#: Values of --precision → Keras dtype policy.
_PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def in_precision(sampler, precision):
    """A copy of a network with the same weights, computing in another precision.

    Args:
        sampler: Keras model that can be rebuilt from its config.
        precision: "float32" or "bfloat16" (see this module); weights stay float32.
    """
    import keras

    policy = keras.dtype_policies.DTypePolicy(_PRECISIONS[precision])
    twin = type(sampler).from_config({**sampler.get_config(), "dtype": policy})
    for copy, variable in zip(twin.variables, sampler.variables, strict=True):
        copy.assign(variable)
    return twin


# Writing.


def export_saved_model(
    sampler,
    latent_dim,
    data_shape,
    base_path,
    name,
    *,
    report_dir=None,
    card=None,
    precision=None,
    storage="float32",
    networks=types.MappingProxyType({}),
    formats=(),
):
    """Writes the next version of a model. Writing is atomic on a local disk; concurrent writers get different numbers.

    On a local disk a version appears by one rename. Object stores cannot rename folders; there the files are copied,
    ``saved_model.pb`` not necessarily last.

    Args:
        sampler, latent_dim, data_shape: as in `export.signatures.signatures`. Only the sampler's weights are saved.
        base_path: directory of models, made if it does not exist; local or remote.
        name: name of the model, a folder of `base_path`.
        report_dir: folder of a `report.json` and its other files to include, or None.
        card: dict of facts for the model card (`export.model_card.run_facts`), of JSON values, or None.
        precision: of the network's computations, "float32" or "bfloat16"; the sampler's own if None.
        storage: of the weights on disk, "float32" (as they are) or "int16" (`export.packed_weights`).
        networks: {name: Keras model}, those that trained the generator.
        formats: names of `export.formats.FORMATS` to write beside the SavedModel.

    Returns:
        epath.Path of the version's directory, ``base_path/name/<integer>``.

    Raises:
        RequestError: `name` is no folder name, the directory cannot be written, or a format is refused
            (`export.formats.check`).
        RunFailed: stored as int16 a sample differs by more than a grey level, or a format's file from the generator.
    """
    check_name(name)
    import keras
    import tensorflow as tf

    from export.serving import warmup

    if precision is not None:
        sampler = in_precision(sampler, precision)
    other_formats.check(formats, sampler.dtype_policy.compute_dtype)
    full = sampler
    module, network = tf.Module(), keras.saving.serialize_keras_object(sampler)
    if storage == "int16":
        from export.packed_weights import PackedWeights, check_same_samples

        sampler = PackedWeights(full)
        check_same_samples(*(Generator.of_sampler(each, latent_dim, data_shape) for each in (full, sampler)))
        module.generator_variables, module.generator_scales = sampler.stored, sampler.scales
    else:
        module.generator_variables = [variable.value for variable in sampler.variables]
    if takes_captions(sampler):
        module.tokenizer = sampler.tokenizer.layer
    functions = signatures(sampler, latent_dim, data_shape)
    concrete = {key: function.get_concrete_function() for key, function in functions.items()}
    card = model_card.compose(name, sampler, latent_dim, data_shape, concrete, card)

    models = epath.Path(base_path).expanduser() / name
    made = [folder for folder in (models, models.parent) if not folder.exists()]
    # TensorFlow Serving reads only folders whose name is an integer, so it ignores this one.
    building = models / f".building-{uuid.uuid4().hex}"
    with writing("--model_base_path", models):
        building.mkdir(parents=True)
    try:
        tf.saved_model.save(module, os.fspath(building), signatures=concrete)
        extra = building / EXTRA
        extra.mkdir()
        if written := other_formats.write(formats, full, latent_dim, data_shape, extra):
            card["formats"] = written
        model_card.write(card, extra, report_dir)
        (extra / "network.json").write_text(json.dumps(network))
        for key, other in networks.items():
            network_files.write(other, extra / "networks", key)
        warmup.write(extra, name, concrete)
        return _number(building, models)
    except BaseException:  # Ctrl-C too: whatever ends this early leaves nothing half-built
        building.rmtree(missing_ok=True)
        for folder in made:
            if folder.exists() and not any(folder.iterdir()):
                folder.rmdir()
        raise


def check_name(name):
    """Raises RequestError unless `name` is a valid model name: one folder, not starting with a dot."""
    if not name or name != os.path.basename(name) or name.startswith("."):
        raise RequestError(f"--model_name: {name!r}; expected the name of one folder")


def _number(building, models):
    """Renames `building` to the next free version number and returns the new path."""
    while True:
        version = models / str(max(version_numbers(models), default=0) + 1)
        try:
            # Fails if another writer was first: its folder is not empty.
            return building.rename(version)
        except OSError:
            if not version.exists():
                raise


# The program.


def export_run(workdir, base_path, name=None, precision=None, storage="float32", formats=()):
    """Exports a workdir's newest checkpoint, with its report if that is of the same step.

    The exported generator is the EMA, or the raw one where `ema_decay` is 0.

    Args:
        workdir: directory of a training run.
        base_path, name, precision, storage, formats: as in `export_saved_model`; the workdir's own name if `name` is
            None.

    Returns:
        epath.Path of the version's directory.

    Raises:
        RequestError: the workdir holds no run, or as of `export_saved_model`.
        RunFailed: as of `export_saved_model`.
    """
    from trainers import build

    run = build.open_run(workdir)
    facts = model_card.run_facts(run)
    report_dir = run.workdir / "report"
    if not (report_dir / "report.json").exists():
        logging.warning("%s has no report; python -m export.evaluate --workdir=%s makes one", workdir, workdir)
        report_dir = None
    elif (of_step := report.step(report_dir)) != facts["step"]:
        logging.warning(
            "the report is of step %s, not %s, and is left out; run export.evaluate", of_step, facts["step"]
        )
        report_dir = None
    model, name = run.model, name or run.workdir.resolve().name
    return export_saved_model(
        model.sampler,
        model.latent_dim,
        run.data_shape,
        base_path,
        name,
        report_dir=report_dir,
        card=facts,
        precision=precision,
        storage=storage,
        networks={key: network for key, network in model.networks.items() if key != "generator"},
        formats=formats,
    )


def main(argv):
    del argv
    given = flags.FLAGS
    workdir, base_path = given.workdir, given.model_base_path
    for name in ("workdir", "model_base_path"):
        if not given[name].value:
            raise RequestError(f"--{name}: missing; see --help")
    from trainers import workdir as workdirs

    workdirs.check_run(workdir)
    if given.model_name is not None:
        check_name(given.model_name)
    other_formats.check(given.formats, given.precision)
    check_writable(base_path, "--model_base_path")
    program.start_tensorflow()
    logging.set_verbosity(logging.WARNING)
    with program.hiding(other_formats.CHATTER):
        version = export_run(workdir, base_path, given.model_name, given.precision, given.storage, given.formats)
    print(version)


def run():
    """Console entry point."""
    # Defined here, not on import, because programs that import this module have flags of the same names.
    flags.DEFINE_string("workdir", None, "Directory of a training run.")
    flags.DEFINE_string("model_base_path", None, "Directory of models; BASE/NAME/<next integer> is written.")
    flags.DEFINE_string("model_name", None, "Name of the model; the workdir's own name if not given.")
    flags.DEFINE_enum("precision", None, list(_PRECISIONS), "What the network computes in; as trained if not given.")
    flags.DEFINE_enum("storage", "float32", ["float32", "int16"], "What weights are stored in; int16 halves the file.")
    flags.DEFINE_list("formats", [other_formats.DEFAULT], f"Also write: {', '.join(other_formats.FORMATS)}.")
    program.run(main)


if __name__ == "__main__":
    run()
