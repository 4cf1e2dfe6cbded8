import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "ranking.md"


def test_the_snippets_of_the_page_run_and_print_what_it_says():
    page = PAGE.read_text(encoding="utf-8")
    snippets = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    command = [sys.executable, "-X", "utf8", "-W", "error", "-c", snippets]
    run = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")
    assert run.stderr == ""
    assert run.stdout == "".join(re.findall(r"\n\n```\n(.*?)```", page, re.DOTALL))
