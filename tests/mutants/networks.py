"""Mistakes in the network families."""

from mutants.mutant import of_file

RESNET = "tests/zoo/test_resnet.py"

MUTANTS = [
    *of_file(
        "zoo/resnet.py",
        f"{RESNET} -k 'block or tables or features or bounds'",
        ("2.0 if side == 3 else 1.0", "1.0"),
        ("2.0 if side == 3 else 1.0", "2.0"),
        ('"fan_avg"', '"fan_in"'),
        ("channels != self.filters or", "False or"),
        ('self.filters or self.resample != "none"', "self.filters"),
        ("x = inputs if self.bare else", "x ="),
        ('_norm("none" if bare else normalization, dtype)', "_norm(normalization, dtype)"),
        ("tf.nn.relu(self.second_norm(x, training=training))", "self.second_norm(x, training=training)"),
        ("tf.nn.relu(self.first_norm(inputs, training=training))", "self.first_norm(inputs, training=training)"),
        ("self.smaller(x) + self.shortcut", "self.smaller(x) - self.shortcut"),
        ("return x + self.larger", "return self.larger"),
        ("x + (inputs if", "(inputs if"),
        ("AveragePooling2D", "MaxPooling2D"),
        ("tf.reduce_sum(inputs, axis=[1, 2])", "tf.reduce_mean(inputs, axis=[1, 2])"),
        ("pooled = [keras.layers.ReLU(dtype=dtype), ", "pooled = ["),
        ("64: (4, (16, 8, 4, 2, 1)),", "64: (4, (8, 8, 4, 2, 1)),"),
        ("((2, 2, 2, 2), 2)", "((2, 2, 2, 2), 3)"),
        ("64: ((1, 2, 4, 8, 16), 5)", "64: ((1, 2, 4, 8, 16), 4)"),
        ("level < halvings", "level <= halvings"),
        ("resample, normalization, dtype=dtype))", 'resample, "none", dtype=dtype))'),
        ('normalization = Option("spectral",', 'normalization = Option("none",'),
        ("latent_dim = Option(128,", "latent_dim = Option(64,"),
    ),
    *of_file(
        "zoo/resnet.py",
        f"{RESNET} -k 'labels'",
        ("check_image_size(data_shape)", "check_image_shape(data_shape)"),
    ),
    *of_file(
        "zoo/resnet.py",
        "tests/zoo/test_networks.py -k asked_for",
        ("output_dim=self.output_dim", "output_dim=1"),
    ),
    *of_file(
        "trainers/resolve.py",
        f"{RESNET} -k decides",
        ("objective.critic_normalization or resolved", "resolved"),
    ),
    *of_file("zoo/mixture.py", f"{RESNET} -k mixtures", ("    ResidualBlock,\n", "")),
    *of_file(
        "zoo/layers.py",
        "tests/zoo/test_networks.py -k 'only_batch and resnet'",
        ("for part in layer._flatten_layers())\n\n\ndef stack", "for part in [layer])\n\n\ndef stack"),
    ),
]
