import json

import pytest

from export.comparison import entries
from zoo import pretrained
from zoo.errors import RequestError


def test_a_workdir_gives_what_its_report_and_its_log_tell(write_run, packaged):
    root = write_run("one", seed=3, generator__base_filters=8)
    steps, images = packaged["generator"]["step"], packaged["generator"]["images_seen"]
    lines = [{"step": steps // 4, "images_per_second": 100.0}, {"step": steps, "images_per_second": 300.0}, {"step": 1}]
    # The run went on after its report.
    lines.append({"step": 2 * steps, "images_per_second": 1.0})
    (root / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    entry = entries.of_workdir(root)
    assert entry.seconds == pytest.approx(images / 4 / 100 + images * 3 / 4 / 300, abs=1)
    assert (entry.method, entry.networks, entry.seed, entry.steps) == ("least_squares", "dcgan", 3, steps)
    assert entry.metrics == packaged["metrics"] and entry.images_seen == images and entry.num_samples == 10_000
    assert entry.features["name"] == "fashion_mnist_cnn_v1" and len(entry.features["checksum"]) == 64
    assert entry.data["source"] == entry.config["data"]["source"] == "idx:fashion-mnist"
    assert entry.report == str(root / "report") and entry.provenance is None
    again = entries.Entry.from_json(json.loads(json.dumps(entry.to_json())))
    entry.report = None
    assert again == entry


def test_a_run_without_a_log_has_no_time(write_run):
    assert entries.of_workdir(write_run("one")).seconds is None


@pytest.mark.parametrize(
    "name, method, networks",
    [
        ("fashion_mnist/vae", "vae", "dcgan"),
        ("fashion_mnist/conditional", "non_saturating, conditional", "dcgan"),
        ("ring/mixture", "non_saturating, mixture of 4", "mlp"),
        ("ring/unrolled", "minimax+unrolled", "mlp"),
    ],
)
def test_a_saved_model_gives_the_report_in_it(name, method, networks):
    entry = entries.of_saved_model(f"zoo:{name}")
    report = json.loads((pretrained.find_saved_model(f"zoo:{name}") / "assets.extra" / "report.json").read_text())
    assert (entry.method, entry.networks) == (method, networks) and entry.metrics == report["metrics"]
    assert (entry.features is None) == name.startswith("ring")


def test_samples_of_another_tool_are_called_by_their_file(packaged, tmp_path):
    report = {**packaged, "generator": {"origin": "samples", "path": "made/stylegan.npz", "data_shape": [28, 28, 1]}}
    (tmp_path / "report.json").write_text(json.dumps(report))
    entry = entries.of_report(tmp_path / "report.json")
    assert (entry.method, entry.networks, entry.seed, entry.config) == ("stylegan.npz", "", None, None)
    other = entries.of_report(tmp_path)
    other.report = "elsewhere"
    # Two such reports are two rows: nothing says that they are runs of one method.
    assert entry.same_but_for_the_seed != other.same_but_for_the_seed and entry.comparable == other.comparable


def test_only_the_seed_and_the_machine_may_differ_within_a_row(write_run):
    one = entries.of_workdir(write_run("one"))
    same = [
        entries.of_workdir(write_run("seed", seed=1)),
        entries.of_workdir(write_run("machine", train__log_every=1, train__jit_compile=True)),
    ]
    other = [
        entries.of_workdir(write_run("steps", train__steps=9)),
        entries.of_workdir(write_run("objective", objective="minimax")),
        entries.of_workdir(write_run("filters", generator__base_filters=8)),
    ]
    keys = [each.same_but_for_the_seed for each in (one, *same, *other)]
    assert keys[0] == keys[1] == keys[2] and len(set(keys)) == 4
    assert len({each.comparable for each in (one, *same, *other)}) == 1


def test_what_has_no_report_is_refused_with_the_command_that_makes_it(write_run, packaged, tmp_path):
    root = write_run("one")
    (root / "report" / "report.json").rename(tmp_path / "report.json")
    with pytest.raises(RequestError, match=rf"{root} has no report; make it with python -m export.evaluate --workdir="):
        entries.of_workdir(root)
    with pytest.raises(RequestError, match="holds no run"):
        entries.of_workdir(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(RequestError, match=r"has no report; make it with .* --saved_model=.* --out=DIR and give --rep"):
        entries.of_saved_model(tmp_path)
    with pytest.raises(RequestError, match=r"--reports: .* holds no report.json"):
        entries.of_report(root / "report")
    for text in ("{", "[]", json.dumps({"generator": {}})):
        (tmp_path / "report.json").write_text(text)
        with pytest.raises(RequestError, match=r"is no report of export.evaluate") as caught:
            entries.of_report(tmp_path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "source, plain",
    [
        ("folder:/a/b/cats", "folder:cats"),
        ("folder:cats/", "folder:cats"),
        ("idx:/usr/share/datasets/fashion-mnist", "idx:fashion-mnist"),
        ("ring?modes=10", "ring?modes=10"),
        ("tfds:cifar10", "tfds:cifar10"),
    ],
)
def test_data_is_the_same_wherever_it_lies(source, plain):
    assert entries.plain_source(source) == plain
