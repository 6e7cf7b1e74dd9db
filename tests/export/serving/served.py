"""The models of the serving tests, each small enough to be checked by hand.

    python tests/export/serving/served.py DIR

writes them and DIR/models.config, to run the tests against a TensorFlow Serving: start it with
``--model_config_file=DIR/models.config --allow_version_labels_for_unavailable_models=true`` on the ports 8500 and 8501,
and set TF_SERVING_HOST to its host.
"""

import pathlib
import sys

import tensorflow as tf

CONFIG = """
model_config_list {{
  config {{ name: "half_plus_two" base_path: "{base}/half_plus_two" model_platform: "tensorflow" }}
  config {{
    name: "numbered" base_path: "{base}/numbered" model_platform: "tensorflow"
    model_version_policy {{ all {{}} }}
    version_labels {{ key: "stable" value: 1 }}
    version_labels {{ key: "canary" value: 2 }}
  }}
  config {{ name: "named" base_path: "{base}/named" model_platform: "tensorflow" }}
  config {{ name: "identity" base_path: "{base}/identity" model_platform: "tensorflow" }}
  config {{ name: "generator" base_path: "{base}/generator" model_platform: "tensorflow" }}
  config {{ name: "labelled" base_path: "{base}/labelled" model_platform: "tensorflow" }}
  config {{ name: "upscaler" base_path: "{base}/upscaler" model_platform: "tensorflow" }}
  config {{ name: "captioned" base_path: "{base}/captioned" model_platform: "tensorflow" }}
}}
"""
IDENTITIES = ("float32", "float64", "int8", "uint8", "int16", "int32", "int64", "uint32", "uint64", "bool", "string")


def _save(path, functions):
    """Saves functions, a dict of signature → (function, *tf.TensorSpec)."""
    module = tf.Module()
    module.functions = {
        name: tf.function(function, input_signature=specs) for name, (function, *specs) in functions.items()
    }
    tf.saved_model.save(module, str(path), signatures=module.functions)


def _vector(dtype, name="x"):
    return tf.TensorSpec([None], dtype, name=name)


def half_plus_two(path):
    """x → x / 2 + 2, the model of TensorFlow Serving's guides."""
    _save(path, {"serving_default": (lambda x: {"y": x / 2 + 2}, _vector(tf.float32))})


def numbered(path, version, weights=0):
    """x float [N] → version int64 [N], and x again; "slow" counts to x first. So many floats take memory."""
    module = tf.Module()
    module.ballast = tf.Variable(tf.ones([weights + 1]))

    @tf.function(input_signature=[_vector(tf.float32)])
    def answer(x):
        return {"version": tf.fill(tf.shape(x), tf.constant(version, tf.int64)), "x": x * module.ballast[0]}

    @tf.function(input_signature=[_vector(tf.float32)])
    def slow(x):
        last = tf.while_loop(lambda count: count < tf.reduce_max(x), lambda count: [count + 1], [tf.constant(0.0)])[0]
        return {"version": tf.fill(tf.shape(x), tf.cast(version + 0 * last, tf.int64))}

    tf.saved_model.save(module, str(path), signatures={"serving_default": answer, "slow": slow})


def named(path):
    """The three inputs of the REST guide's examples."""

    def serve(tag, signal, sensor):
        return {
            "tag": tag,
            "tag_bytes": tag,
            "total": tf.reduce_sum(signal, 1) + tf.cast(tf.reduce_sum(sensor, (1, 2)), tf.float32),
        }

    def check(x):
        with tf.control_dependencies([tf.debugging.assert_non_negative(x)]):
            return {"y": tf.identity(x)}

    def total(x):
        return {"y": tf.reduce_sum(x)}

    _save(
        path,
        {
            "serving_default": (
                serve,
                _vector(tf.string, "tag"),
                tf.TensorSpec([None, 5], tf.float32, name="signal"),
                tf.TensorSpec([None, 2, 2], tf.int32, name="sensor"),
            ),
            "non_negative": (check, _vector(tf.float32)),
            "total": (total, tf.TensorSpec(None, tf.float32, name="x")),
        },
    )


def identity(path):
    """One signature a type that the REST API knows, x → y = x, of any shape with a batch."""
    _save(
        path,
        {name: (lambda x: {"y": tf.identity(x)}, tf.TensorSpec([None, None], name, name="x")) for name in IDENTITIES},
    )


def write(base):
    """Writes all of them but the generators, and the config. Returns the config's path."""
    base = pathlib.Path(base)
    half_plus_two(base / "half_plus_two" / "00000123")
    for version in (1, 2):
        numbered(base / "numbered" / str(version), version)
    named(base / "named" / "1")
    identity(base / "identity" / "1")
    config = base / "models.config"
    config.write_text(CONFIG.format(base=base))
    return config


def write_generators(base):
    """Writes untrained generators, exported as all are: the second one is told labels, the third one upscales, the
    fourth one is told captions."""
    import keras
    from by_hand import captioned_generator, export_captioned, export_labelled, labelled_generator

    import zoo
    from export.saved_model import export_saved_model

    keras.utils.set_random_seed(0)
    export_saved_model(zoo.DCGANGenerator((8, 8, 1), latent_dim=4, base_filters=4), 4, (8, 8, 1), base, "generator")
    export_labelled(labelled_generator(), base)
    upscaler = zoo.SRGANGenerator((8, 8, 1), blocks=1, base_filters=4, normalization="none")
    export_saved_model(upscaler, 1, (8, 8, 1), base, "upscaler")
    export_captioned(captioned_generator(), base)


if __name__ == "__main__":
    sys.path.append(str(pathlib.Path(__file__).parents[1]))
    print(write(sys.argv[1]))
    write_generators(sys.argv[1])
