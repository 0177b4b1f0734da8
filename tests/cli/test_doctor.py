"""lamina doctor: what is found is shown, and told to machines."""

import json

from lamina import installation


def test_all_is_well_here(run):
    code, out, _ = run("doctor")
    assert code == 0
    assert "Everything works." in out
    for subject in ("Python", "Lamina", "Packages", "JAX", "Devices", "Cache", "Disk", "Data"):
        assert subject in out


def test_machines_get_json(run):
    code, out, _ = run("doctor", "--json")
    result = json.loads(out)
    assert (code, result["ok"]) == (0, True)
    assert {"subject", "state", "text", "remedy"} == set(result["findings"][0])


def test_something_broken_leaves_with_1_and_the_line_to_type(run, monkeypatch):
    broken = installation.Finding("Thing", "broken", "it is [broken]", "pip install thing")
    monkeypatch.setattr(installation, "CHECKS", (lambda: [broken],))
    code, out, _ = run("doctor")
    assert code == 1
    assert "✗ Thing  it is [broken]" in out
    assert "→ pip install thing" in out
    assert "1 thing does not work." in out
    assert run("doctor", "--json")[0] == 1
