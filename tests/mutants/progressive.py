"""Mistakes in progressive growing: its networks, schedule and losses."""

from mutants.mutant import of_file

METHOD = "tests/trainers/objectives/test_progressive.py"

MUTANTS = [
    *of_file(
        "zoo/progressive.py",
        f"{METHOD} -k 'paper or resolution or fade_begins'",
        ("before + share(level, stage, images.dtype) * (here - before)", "here"),
        ("former + share(level, stage, images.dtype) * (images - former)", "images"),
        ("former + share(level, stage, maps.dtype) * (maps - former)", "maps"),
        ("level - (stage - 1)", "level - stage"),
        ("_GAIN = math.sqrt(2)", "_GAIN = 2.0"),
        ("gain=_GAIN / 4", "gain=_GAIN"),
        ("self._convolution(data_shape[2], 1, gain=1.0)", "self._convolution(data_shape[2], 1)"),
        ("self._linear(keras.layers.Dense, 1, gain=1.0)", "self._linear(keras.layers.Dense, 1)"),
        ("layer.kernel.shape[:-1]", "layer.kernel.shape"),
        ("            PixelNormalization(dtype=dtype),\n            self._linear", "            self._linear"),
        ("images if training else tf.clip", "tf.clip"),
        ("centred = inputs - mean_over_replicas(tf.reduce_mean(inputs, axis=0))", "centred = inputs"),
        ("keras.layers.LeakyReLU(0.2", "keras.layers.LeakyReLU(0.3"),
    ),
    *of_file(
        "trainers/objectives/progressive.py",
        f"{METHOD} -k 'schedule or zero or rest'",
        ("stage * self.stable_steps + (stage - 1)", "stage * self.stable_steps + stage"),
        ("for after in (1, self.fade_steps)", "for after in (1,)"),
        ("for after in (1, self.fade_steps)", "for after in (0, self.fade_steps)"),
        ("+ self.drift_weight * drift", "- self.drift_weight * drift"),
        ("tf.square(real_scores)", "tf.square(fake_scores)"),
    ),
    *of_file(
        "trainers/objectives/_staged.py",
        f"{METHOD} -k 'rest or request'",
        ("(*self.networks.values(), self.averaged_generator)", "self.networks.values()"),
        ("tf.where(starts_anew, tf.zeros_like(value), value)", "value"),
        ('if not hasattr(network, "level"):', "if False:"),
        (
            "isinstance(player.optimizer._learning_rate, keras",
            "False and isinstance(player.optimizer._learning_rate, keras",
        ),
    ),
    *of_file(
        "zoo/stages.py",
        "tests/zoo/test_stages.py",
        ("stage <= 0, lambda", "stage < 0, lambda"),
        ("tf.equal(stage, later)", "stage <= later"),
        ("range(2, stages + 1)", "range(2, stages)"),
        ("lambda found=found: found", "lambda: branch(1)"),
        ("self._fixed_level = float(self.level)", "pass"),
    ),
    *of_file(
        "zoo/layers.py",
        f"{METHOD} -k 'paper'",
        ("return enlarge(inputs, 2)", "return enlarge(inputs[:, ::2, ::2], 4)"),
    ),
    *of_file(
        "zoo/stages.py",
        "tests/export/test_formats.py -k growing",
        ("self._fixed_level = float(self.level)", "self._fixed_level = float(self.stages)"),
    ),
]
