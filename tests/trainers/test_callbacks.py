import pytest

from trainers import callbacks


class _Clock:
    """A model whose steps take as many seconds as it is told."""

    def __init__(self, monkeypatch, start=0):
        self.now, self.step, self.said, self.players = 0.0, self, [], ("critic", "generator")
        self.count = start
        monkeypatch.setattr(callbacks.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(
            callbacks.Progress, "say", lambda progress, message: self.said.append((self.count, message))
        )

    def numpy(self):
        return self.count

    def run(self, callback, steps, seconds, at_once=1):
        callback.set_model(self)
        callback.on_train_begin()
        for _ in range(0, steps, at_once):
            self.now += seconds * at_once
            self.count += at_once
            callback.on_train_batch_end(0, {"critic_loss": 0.5, "generator_loss": 1.0})
        callback.close()


@pytest.mark.parametrize("start, at_once, told_at", [(0, 1, 11), (1000, 1, 1011), (0, 50, 100)])
def test_hours_that_are_left_are_told_once_after_the_first_ten_steps(start, at_once, told_at, monkeypatch):
    clock = _Clock(monkeypatch, start)
    clock.run(callbacks.ShowProgress(10_000, 64), 200, 7.0, at_once)
    ((step, message),) = clock.said
    assert step == told_at
    hours = 7 * (10_000 - step) / 3600
    assert message == f"a step takes 7 s: about {hours:.1f} hours left for the other {10_000 - step:,}"


def test_a_run_of_less_than_an_hour_says_nothing_of_hours(monkeypatch):
    clock = _Clock(monkeypatch)
    clock.run(callbacks.ShowProgress(500, 64), 100, 7.0)
    assert not clock.said
