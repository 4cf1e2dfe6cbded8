import io

from rich.console import Console
from rich.progress import Progress, TextColumn

from inkling.cli import _screen


def test_an_error_is_red_and_its_hint_is_not(capsys):
    _screen.show_error("It is [broken].", "Mend it.")
    assert capsys.readouterr().err == "error: It is [broken]. Mend it.\n"


def test_where_nobody_watches_each_stage_is_a_line(capsys):
    with _screen.progress() as progress:
        for done in range(3):
            progress("reading", done, 2)
        progress("learning", 0, 0)
    told = capsys.readouterr()
    assert told.err.splitlines() == ["reading ...", "learning ..."]
    assert told.out == ""


def test_bars_count():
    bars = Progress(TextColumn("{task.description}"), console=Console(file=io.StringIO(), force_terminal=True))
    shown = _screen._Bars(bars)
    shown.show("reading", 500_000, 0)
    shown.show("learning", 1, 4)
    shown.show("learning", 2, 4)
    reading, learning = bars.tasks
    assert reading.fields["done"] == "500,000"
    assert reading.total is None
    assert learning.fields["done"] == "2 of 4"
    assert (learning.completed, learning.total) == (2, 4)


def test_a_pipe_is_wide_enough_for_a_table():
    assert _screen._console(io.StringIO()).width == _screen.PIPE_WIDTH
