"""The entry point: commands by name, one line for an error, nothing heavy for a help text."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inkling import cli
from inkling.cli import COMMANDS, main


def test_every_command_is_a_file_and_every_file_a_command():
    files = {path.stem for path in Path(cli.__file__).parent.glob("*.py") if not path.stem.startswith("_")}
    assert files == set(COMMANDS)


@pytest.mark.parametrize("words", [[], ["--help"], ["help"]])
def test_help_names_every_command(words, capsys):
    assert main(words) == 0
    told = capsys.readouterr().out
    assert all(f"  {name} " in told for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command(name, capsys):
    with pytest.raises(SystemExit) as left:
        main([name, "--help"])
    assert left.value.code == 0
    told = capsys.readouterr().out
    assert f"usage: inkling {name}" in told
    assert "example" in told


def test_version(capsys):
    from inkling import __version__

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"inkling {__version__}\n"


def test_an_unknown_command_names_the_nearest(capsys):
    assert main(["recomend", "x"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: There is no command 'recomend'. Did you mean 'recommend'?")
    assert told.count("\n") == 1


def test_a_command_of_later_is_unknown_too(capsys):
    assert main(["shrink"]) == 2
    assert "There is no command 'shrink'" in capsys.readouterr().err


def test_an_unknown_flag_names_the_nearest(capsys):
    assert main(["fit", "data", "--ouf", "x"]) == 2
    assert "there is no flag '--ouf'. Did you mean '--out'?" in capsys.readouterr().err


def test_a_missing_flag_is_one_line(capsys):
    assert main(["fit", "data"]) == 2
    told = capsys.readouterr().err
    assert "the following arguments are required: --out" in told
    assert "Traceback" not in told


def test_a_word_too_many(capsys):
    assert main(["doctor", "a", "b"]) == 2
    assert "'b' is one word too many" in capsys.readouterr().err


def test_debug_shows_the_error_itself():
    from inkling.core.errors import NotFoundError

    with pytest.raises(NotFoundError, match="neither a folder nor a known data set"):
        main(["fit", "nowhere", "--out", "out/none", "--debug"])


def test_a_defect_says_so(capsys, monkeypatch):
    from inkling.cli import doctor

    monkeypatch.setattr(doctor, "run", lambda args: 1 // 0)
    assert main(["doctor"]) == 1
    assert "ZeroDivisionError" in (told := capsys.readouterr().err)
    assert "--debug" in told
    with pytest.raises(ZeroDivisionError, match="division"):
        main(["doctor", "--debug"])


def test_an_interruption_is_no_error(monkeypatch):
    from inkling.cli import doctor

    def interrupted(args):
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "run", interrupted)
    assert main(["doctor"]) == 130


def test_a_refusing_disk_is_one_line(capsys, monkeypatch):
    from inkling.cli import doctor

    def refused(args):
        raise PermissionError(13, "Permission denied", "out/x")

    monkeypatch.setattr(doctor, "run", refused)
    assert main(["doctor"]) == 2
    assert capsys.readouterr().err == "error: out/x: Permission denied.\n"


def test_threads_are_stated_before_array_maths_is_imported():
    code = (
        "import sys, inkling.cli as cli; cli._limit_threads('serve'); "
        "import os; print(os.environ['OPENBLAS_NUM_THREADS'], 'numpy' in sys.modules)"
    )
    clean = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=clean)
    assert done.stdout.split() == ["1", "False"]


def test_a_reader_that_leaves_hears_nothing_more():
    command = f"{sys.executable} -c 'import sys; from inkling.cli import main; sys.exit(main([\"doctor\"]))' | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1)
    assert done.stderr == ""
