import json


def test_layers_shapes_and_parameters_are_shown(run, model_file):
    code, out, _ = run("summary", model_file)
    assert code == 0
    for text in ("digits_mlp", "Rescaling", "(None, 128)", "26,122"):
        assert text in out


def test_machines_get_the_same_as_json(run, model_file):
    _, out, _ = run("summary", model_file, "--json")
    result = json.loads(out)
    assert result["parameters"] == result["trainable"] == 26_122
    assert [layer["class"] for layer in result["layers"]] == [
        "Rescaling", "Flatten", "Dense", "Dense", "Dense",
    ]  # fmt: skip
    assert sum(layer["parameters"] for layer in result["layers"]) == 26_122


def test_a_missing_file_is_named(run):
    code, _, err = run("summary", "nothing.keras")
    assert code == 1
    assert "nothing.keras" in err
