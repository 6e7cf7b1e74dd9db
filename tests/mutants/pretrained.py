"""Pretrained models: the index, what is checked, what a loaded one does, and how one is published."""

from mutants.mutant import of_file

LOADED = "tests/zoo/test_pretrained.py"
PUBLISHED = "tests/export/test_publish.py"
PACKED = "tests/export/test_saved_model.py -k fixed_point"

MUTANTS = [
    *of_file(
        "zoo/pretrained/__init__.py",
        LOADED,
        ("asked in (None, row[key])", "asked is None"),
        ('        rows.sort(key=lambda row: row["metrics"][metric]["value"])\n', ""),
        ('if metric in row["metrics"]]', "]"),
        ('digest(folder)[0] != entries[name]["sha256"]', "False"),
        ("        found.update(content)\n", ""),
        ('found.update(f"{path.relative_to(folder).as_posix()}\\0{len(content)}\\0".encode())', "pass"),
        ("size += len(content)", "size += 1"),
        ('values.check(entry.get(key), f"{path}, {name}.{key}")', "pass"),
        ('        OPTIONS.check(entry, f"{path}, {name}")\n', ""),
        ("if text.startswith(PREFIX) else path", "if PREFIX in text else path"),
        ("tf.range(seed, seed + n", "tf.range(n"),
        ("return names.index(label)", "return 0"),
        ('whole(0, self.card["num_classes"] - 1)', 'whole(0, self.card["num_classes"])'),
        ('"sample_with_labels" not in self.card["signatures"]', "False"),
        ("if angle < 1e-6:", "if False:"),
        ("np.sin((1.0 - t) * angle) * one + np.sin(t * angle) * two) / np.sin(angle)", "(1.0 - t) * one + t * two)"),
        ("np.linalg.norm(one) * np.linalg.norm(two)", "np.linalg.norm(one) ** 2"),
        ("value.astype(np.float32) * reader", "value.astype(np.float32) + 0 * reader"),
    ),
    *of_file(
        "export/publish.py",
        PUBLISHED,
        ("        if not report.exists():\n", "        if False:\n"),
        ("if not _NAME.fullmatch(name):", "if not _NAME.match(name):"),
        ('.get("version", 0) + 1', '.get("version", 1)'),
        ("        if size > _MOST_BYTES:\n", "        if False:\n"),
        ("            building.rmtree()\n", "            pass\n"),
        ('pretrained.index(home) if (home / "index.json").exists() else {}', "{}"),
        ('            model.rename(building / "former")\n', "            pass\n"),
    ),
    *of_file(
        "export/packed_weights.py",
        PACKED,
        ("len(variable.shape) < 2", "len(variable.shape) < 1"),
        ("len(variable.shape) < 2", "len(variable.shape) < 3"),
        ("_LARGEST = 2**15 - 1", "_LARGEST = 2**7 - 1"),
        ("np.rint(weights / scale)", "np.floor(weights / scale)"),
        ("if not furthest <= 1.0:", "if furthest > 1e9:"),
        ("tf.cast(self.stored[int(index)], tf.float32) * scale", "tf.cast(self.stored[int(index)], tf.float32)"),
    ),
]
