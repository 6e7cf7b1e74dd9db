"""Mistakes in reading samples and generators of other tools."""

from mutants.mutant import of_file

GIVEN = "tests/export/evaluation/test_given_samples.py"
READING = f"{GIVEN} -k 'not (program or points_are or land or held_against or no_more)'"
GENERATORS = "tests/export/test_generators.py"

MUTANTS = [
    *of_file(
        "export/image_values.py",
        READING,
        ("if dtype == np.uint8 else f", "if True else f"),
        ("if smallest >= 0 and largest <= 1:", "if False:"),
        ("if smallest < 0 or largest > 255:", "if smallest < 0:"),
        ("if smallest >= -_TOLERANCE and largest <= above:", "if False:"),
        ("images * np.float32(255)", "images * np.float32(256)"),
        ("if smallest >= -above and largest <= above:", "if largest <= above:"),
        ("largest <= 255 + _TOLERANCE", "False"),
        ("np.clip(np.rint(levels), 0, 255)", "np.clip(levels, 0, 255)"),
    ),
    *of_file(
        "export/image_values.py", GENERATORS, ("above = 1 + _TOLERANCE + slack", "above = 9 + _TOLERANCE + slack")
    ),
    *of_file(
        "export/evaluation/given_samples.py",
        READING,
        ("np.random.default_rng(0).permutation(self.available)", "np.arange(self.available)"),
        (
            "lambda seeds: self.class_labels[self._order[np.asarray(seeds)]]",
            "lambda seeds: self.class_labels[np.asarray(seeds)]",
        ),
        ("ordered = self.class_labels[self._order]", "ordered = self.class_labels"),
        ("[seed % len(places[label])]", "[0]"),
        ("labels = np.array([known.index(name) for name in self.class_names])[labels]", "pass"),
        ("if strange:", "if False:"),
        ("labels.max() >= len(known)", "labels.max() > len(known)"),
        ("if len(known) > 1 and len(np.unique(labels)) == 1:", "if False:"),
        ("if shape[:2] != expected[:2]:", "if shape[:1] != expected[:1]:"),
        ("and expected[2:] == (1,) and self.grey:", "and expected[2:] == (1,):"),
        ("if broken := archive.testzip():", "if broken := None:"),
        ("if info.compress_type == zipfile.ZIP_STORED:", "if True:"),
        ('"F" if by_columns else "C"', '"C"'),
        ("file.seek(info.header_offset + 30 + name + extra)", "file.seek(info.header_offset + 30 + name)"),
        ("axes = (0, 2, 3, 1)", "axes = (0, 3, 2, 1)"),
        ("np.isfinite(chunk)", "~np.isinf(chunk)"),
        ("largest = min(smallest, chunk.min()), max(largest, chunk.max())", "largest = chunk.min(), chunk.max()"),
        ("_CHUNK = 8 * 2**20", "_CHUNK = 800 * 2**20"),
        ('mmap_mode="r", allow_pickle=False), None', "allow_pickle=False), None"),
        ("if len(sizes) > 1 and image_size is None:", "if False:"),
        ("channels = max(stored)", "channels = min(stored)"),
        (">> 8).astype", ">> 0).astype"),
        ("255 * (1 - alpha)", "0 * (1 - alpha)"),
        ("image = ImageOps.exif_transpose(image)", "pass"),
        ("folder.inspect(encoded)", "pass"),
    ),
    *of_file("export/evaluation/given_samples.py", f"{GIVEN} -k points_are", ("skiprows=int(names)", "skiprows=1")),
    *of_file(
        "export/evaluation/subject.py",
        f"{GIVEN} -k 'folder_of_data or land'",
        (
            'return {"image_size": shape[0], "channels": shape[2]}',
            'return {"image_size": image_size, "channels": shape[2]}',
        ),
        ('"channels": shape[2]}', '"channels": None}'),
        ("image_size is None and shape[0] != shape[1]", "False"),
        ("if getattr(generator, key) is not None:", "if True:"),
    ),
    *of_file(
        "export/evaluation/evaluator.py",
        f"{GIVEN} -k 'no_more or few or held_against'",
        ("if given < _FEWEST:", "if False:"),
        ("num_samples = min(num_samples, given)", "pass"),
        ("if count <= extractor.dim:", "if count < extractor.dim:"),
        ("notes = [*context.generator.notes, *notes,", "notes = [*notes,"),
        ('chosen at random."] if count < given else []', 'chosen at random."]'),
    ),
    *of_file(
        "export/generators.py",
        GENERATORS,
        ("if fixed is None:", "if True:"),
        ("[: len(values)]", ""),
        ("examples.transpose(0, 2, 3, 1) if transposed", "examples.transpose(0, 3, 2, 1) if transposed"),
        ("for axis in (2, 3, 1)) if transposed", "for axis in (1, 2, 3)) if transposed"),
        ('if "serving_default" in signatures:', "if False:"),
        ("if len(fitting) == 1:", "if fitting:"),
        ('f"Sampled by the signature {name}."', '""'),
        ("if asked not in signatures:", "if False:"),
        ("sum(size != 1 for size in sizes) <= 1", "True"),
        ("if not np.isfinite(np.asarray(drawn, np.float64)).all():", "if False:"),
    ),
]
