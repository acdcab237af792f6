"""What is written for shells and manuals: completions, and the man page."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest

from tests.harness.server import run

SHELLS = ("bash", "zsh", "fish")


def written(folder, *arguments):
    """Return what a command prints that always succeeds."""
    done = run(folder, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def flags(folder):
    """Return the long flags that the help names."""
    return set(re.findall(r"--[a-z][\w-]*", written(folder, "--help")))


def completed(folder, *words):
    """Return what bash offers in the place of the last word."""
    (folder / "tricorn.bash").write_text(written(folder, "completions", "bash"))
    script = f"""
        compopt() {{ :; }}
        source ./tricorn.bash
        COMP_WORDS=({shlex.join(["tricorn", *words])})
        COMP_CWORD={len(words)}
        _tricorn tricorn {shlex.join([words[-1], ["tricorn", *words][-2]])}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["--worker-c"], {"--worker-class", "--worker-connections"}),
        (["--workers", "4", "--prel"], {"--preload", "--preload-reload"}),
        (["--header-map", "d"], {"drop", "dangerous"}),
        (["--proxy-protocol", "v"], {"v1", "v2"}),
        (["-c", "site"], {"site.conf.py", "site"}),
        (["hooks", "li"], {"list"}),
        (["hooks", "list", "--prel"], {"--preload", "--preload-reload"}),
        (["plugin", "in"], {"inspect"}),
        (["completions", "z"], {"zsh"}),
        (["migrate", "--j"], {"--json"}),
        (["-k", "g"], {"gthread"}),
        (["--log-level", "w"], {"warning"}),
    ],
)
def test_bash_completes_flags_words_files_and_verbs(tmp_path, words, offered):
    (tmp_path / "site").mkdir()
    (tmp_path / "site.conf.py").touch()
    assert completed(tmp_path, *words) == offered


@pytest.mark.parametrize("shell", SHELLS)
def test_every_flag_is_completed_in_every_shell(tmp_path, shell):
    script = written(tmp_path, "completions", shell)
    if shell == "fish":
        named = {f"--{name}" for name in re.findall(r" -l ([\w-]+)", script)}
    else:
        named = set(re.findall(r"--[a-z][\w-]*", script))
    assert flags(tmp_path) <= named


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_reads_its_completions(tmp_path, shell):
    script = written(tmp_path, "completions", shell)
    done = subprocess.run(
        [shell, "-n"], input=script, capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_another_shell_is_refused_with_the_names_of_those_there_are(tmp_path):
    for arguments, what in ((["tcsh"], "bash, zsh, fish"), ([], "<SHELL>")):
        done = run(tmp_path, "completions", *arguments)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert what in done.stderr


def test_the_man_page_has_every_flag(tmp_path):
    page = written(tmp_path, "man").replace("\\-", "-")
    assert flags(tmp_path) == set(re.findall(r"--[a-z][\w-]*", page)) - {"--option"}
    titles = re.findall(r'^\.SH "?([^"\n]+)', page, re.MULTILINE)
    for title in ("NAME", "SYNOPSIS", "COMMANDS", "FILES", "ENVIRONMENT", "SIGNALS", "EXIT STATUS"):
        assert title in titles
    for verb in ("hooks list", "plugin inspect", "migrate", "completions", "man"):
        assert f"tricorn {verb}" in page[page.index(".SH COMMANDS") :]
    assert "GUNICORN_CMD_ARGS" in page
    assert "WEB_CONCURRENCY" in page


def test_the_man_page_is_one_that_man_can_show(tmp_path):
    page = written(tmp_path, "man")
    done = subprocess.run(
        ["groff", "-man", "-Tascii", "-ww", "-rLL=100n"],
        input=page,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    # Bold and underlined letters are struck twice.
    shown = re.sub(r".\x08", "", done.stdout)
    assert re.search(r"^ +-w, --workers <N>", shown, re.MULTILINE)
    assert "Number of worker processes [1]" in shown
