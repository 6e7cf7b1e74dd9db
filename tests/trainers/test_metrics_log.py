"""The log of a run: its rows, and what a resumed run keeps of them."""

import json

import keras
import pytest

import configs.ring
from export.diagnostics.during_training import Diagnose
from trainers import build, training
from trainers import config as config_checks
from trainers.metrics_log import MetricsLog


def test_rows_of_later_steps_go_and_new_ones_follow(tmp_path):
    log = MetricsLog(tmp_path)
    log.start(0)
    for step in (10, 20, 30):
        log.append(step, {"loss": step / 10})
    resumed = MetricsLog(tmp_path)
    resumed.start(20)
    resumed.append(25, {"diagnosed": {"recall": 0.5, "mode_collapse": "none"}})
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines == [
        {"step": 10, "loss": 1.0},
        {"step": 20, "loss": 2.0},
        {"step": 25, "diagnosed": {"recall": 0.5, "mode_collapse": "none"}},
    ]
    assert resumed.rows() == lines


def test_the_package_offers_its_own_diagnoses():
    assert Diagnose in training.diagnoses()


@pytest.mark.parametrize("every, made", [(0, 0), (5, 1)])
def test_diagnoses_are_made_of_the_run_where_they_are_asked_for(every, made, monkeypatch, tmp_path):
    class Recorded(keras.callbacks.Callback):
        seen = []

        def __init__(self, *given):
            super().__init__()
            self.seen.append(given)

    monkeypatch.setattr(training, "diagnoses", lambda: [Recorded])
    config = configs.ring.get_config()
    config.train.update(steps=1, batch_size=8, steps_per_execution=1, diagnose_every=every)
    run = build.build(config, config_checks.check(config), workdir=tmp_path)
    training.train(run)
    assert len(Recorded.seen) == made
    if made:
        assert Recorded.seen[0][0] is run and Recorded.seen[0][2].workdir == tmp_path
    Recorded.seen.clear()
