from export.diagnostics import mode_collapse


def test_a_thin_class_is_partial_collapse():
    shares = [0.02, 0.18] + [0.1] * 8
    classes = [{"name": f"c{i}", "share": share, "reference_share": 0.1} for i, share in enumerate(shares)]
    manifold = {name: {"value": 0.8, "real": 0.9} for name in ("precision", "recall", "coverage")}
    section = mode_collapse.of_images(manifold, classes)
    assert section["level"] == "partial" and "1 thin (class c0)" in section["verdict"]
    assert section["rests_on"]["classes_thin"] == 1 and section["rests_on"]["smallest_share"] == 0.02
