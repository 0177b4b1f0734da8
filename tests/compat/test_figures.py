import pytest
from PIL import Image

from lamina.compat.figures import BACKEND, has_screen

SCRIPT = """
import warnings
warnings.simplefilter("error")
import matplotlib.pyplot as plt
for size in (1, 2):
    plt.plot(range(size))
    plt.show()
"""


@pytest.mark.parametrize("environment", [{}, {"MPLBACKEND": "Agg"}, {"DISPLAY": ":0"}],
                         ids=["no screen", "Agg chosen", "nobody there"])  # fmt: skip
def test_show_saves_each_figure_and_names_it(run_script, tmp_path, environment):
    done = run_script(SCRIPT, name="plots.py", **environment)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "Figure saved as plots-figure-1.png",
        "Figure saved as plots-figure-2.png",
    ]
    with Image.open(tmp_path / "plots-figure-2.png") as picture:
        assert picture.width > 600


def test_a_shown_figure_is_closed_as_a_window_would_be(run_script):
    done = run_script(
        """
        import matplotlib.pyplot as plt
        plt.plot([1]); plt.show()
        print(plt.get_fignums())
        """
    )
    assert done.stdout == "[]\n"


def test_a_figure_drawn_on_after_showing_keeps_its_file(run_script, tmp_path):
    done = run_script(
        """
        import matplotlib.pyplot as plt
        for i in range(3):
            plt.plot([i])
            plt.show(block=False)
        """
    )
    assert done.stderr == "Figure saved as job-figure-1.png\n"


def test_several_figures_and_the_method_of_a_figure(run_script):
    done = run_script(
        """
        import matplotlib.pyplot as plt
        plt.figure(); plt.figure().show(); plt.show()
        """
    )
    assert done.stderr.count("Figure saved as") == 2


def test_show_without_figures_says_nothing(run_script):
    done = run_script("import matplotlib.pyplot as plt; plt.show()")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("environment", "platform", "interactive", "expected"),
    [
        ({}, "linux", True, False),
        ({"MPLBACKEND": "agg"}, "darwin", True, False),
        ({"MPLBACKEND": "PDF", "DISPLAY": ":0"}, "linux", True, False),
        ({"MPLBACKEND": BACKEND}, "darwin", True, False),
        ({"MPLBACKEND": "QtAgg"}, "linux", False, True),
        ({"MPLBACKEND": "WebAgg"}, "linux", False, True),
        ({}, "darwin", True, True),
        ({}, "win32", True, True),
        ({}, "darwin", False, False),
        ({"SSH_CONNECTION": "a b"}, "darwin", True, False),
        ({"DISPLAY": ":0"}, "linux", False, False),
    ],
)
def test_a_window_is_opened_only_where_somebody_can_see_it(
    environment, platform, interactive, expected
):
    assert has_screen(environment, platform, interactive) is expected


@pytest.mark.parametrize("toolkit", [True, False])
@pytest.mark.parametrize("variable", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_a_display_is_of_use_only_with_a_toolkit(monkeypatch, toolkit, variable):
    found = object() if toolkit else None
    monkeypatch.setattr("lamina.compat.figures.find_spec", lambda name: found)
    assert has_screen({variable: ":0"}, "linux", interactive=True) is toolkit
