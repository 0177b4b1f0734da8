import re
import time

import pytest

from lamina.utils import Config, Progbar


def test_measures_are_averaged_over_their_steps(capsys):
    bar = Progbar(target=4, verbose=2, stateful_metrics=["lr"])
    bar.update(3, [("loss", 4.0), ("lr", 0.1)])
    bar.add(1, [("loss", 0.0), ("lr", 0.3)])
    assert capsys.readouterr().out.endswith("loss: 3.0000 - lr: 0.3000\n")


def test_only_the_named_measures_are_averaged(capsys):
    bar = Progbar(target=2, verbose=2, stateless_metrics=["loss"])
    bar.update(1, [("loss", 2.0), ("accuracy", 0.5)])
    bar.update(2, [("loss", 4.0), ("accuracy", 0.75)])
    assert capsys.readouterr().out.endswith("loss: 3.0000 - accuracy: 0.7500\n")


def test_a_terminal_gets_one_line_that_is_rewritten(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    bar = Progbar(target=2, width=4, interval=0)
    bar.update(1)
    bar.update(2, [("loss", 1e-5)])
    shown = capsys.readouterr().out
    assert shown.count("\r") == 2
    assert shown.count("\n") == 1
    assert "1/2 ━━── - " in shown
    assert re.search(r"2/2 ━━━━ - 0s - \d+(us|ms)/step - loss: 1\.0000e-05", shown)


def test_a_file_gets_one_line(capsys):
    bar = Progbar(target=3)
    for step in range(3):
        bar.update(step + 1)
    assert capsys.readouterr().out.count("\n") == 1


def test_updates_that_come_too_fast_are_not_shown(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    bar = Progbar(target=1000, interval=10)
    for step in range(500):
        bar.update(step + 1)
    assert capsys.readouterr().out.count("\r") == 1


def test_an_unknown_end_is_said(capsys):
    bar = Progbar(target=None, unit_name="file")
    bar.update(7, finalize=True)
    assert re.match(r"7/Unknown - 0s - \d+(us|ms)/file\n", capsys.readouterr().out)


def test_the_time_left_leaves_the_first_step_out(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    bar = Progbar(target=101)
    for step, seconds in ((1, 60.0), (2, 61.0)):
        now[0] = seconds
        bar.update(step)
    assert "1:39 - 1s/step" in capsys.readouterr().out


def test_silence_is_silent(capsys):
    Progbar(target=1, verbose=0).update(1)
    assert capsys.readouterr().out == ""


def test_both_lists_of_measures_are_refused():
    with pytest.raises(ValueError, match="received both"):
        Progbar(3, stateful_metrics=[], stateless_metrics=[])
    with pytest.raises(ValueError, match="a number of steps or None; received 'many'"):
        Progbar("many")


def test_a_config_is_a_dictionary_with_attributes():
    config = Config(rate=0.1)
    config.steps = 3
    config["seed"] = 7
    assert (config["steps"], config.seed, config.get("none", 5)) == (3, 7, 5)
    assert list(config.items()) == [("rate", 0.1), ("steps", 3), ("seed", 7)]
    assert config.pop("seed") == 7
    config.update(rate=1)
    assert config.as_dict() == {"rate": 1, "steps": 3}
    assert config.to_json() == '{"rate": 1, "steps": 3}'
    assert dict(**config) == config.as_dict()
    assert "steps" in config
    assert len(config) == 2


def test_a_frozen_config_stays_as_it_is():
    config = Config(rate=0.1)
    config.freeze()
    assert config.frozen
    for change in (
        lambda: setattr(config, "rate", 1),
        lambda: config.update(rate=1),
        lambda: config.pop("rate"),
    ):
        with pytest.raises(ValueError, match="is frozen, so 'rate'"):
            change()
    config.unfreeze()
    config.rate = 1


def test_a_misspelt_value_is_answered_with_the_nearest():
    with pytest.raises(AttributeError, match="no 'learning_rat'. Did you mean 'learning_rate'"):
        Config(learning_rate=1).learning_rat  # noqa: B018


def test_a_method_cannot_be_hidden_by_a_value():
    with pytest.raises(AttributeError, match=r"config\['items'\]"):
        Config().items = 3


def test_a_config_survives_a_copy():
    import copy

    assert copy.deepcopy(Config(a=[1])).a == [1]
