"""``tricorn plugin``: looking at a file, putting it to the test, beginning a new one."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.harness.plugins import ROOT, built, compiled
from tests.harness.server import run

FIRST_PARTY = ["auth-basic", "health", "json-log", "metrics", "rate-limit", "request-id", "static"]


def test_a_file_is_described_without_being_trusted(tmp_path):
    done = run(tmp_path, "plugin", "inspect", str(built("plugin-hello")))
    assert done.returncode == 0, done.stderr
    for part in (
        "sha256 ",
        "note         ABI 1.1, rustc ",
        "plugin       org.example.hello 0.1.0",
        "Says hello",
        "called by several threads at once",
        "  pre_request      greet (priority -10)",
    ):
        assert part in done.stdout, done.stdout


def test_a_file_that_kills_whoever_opens_it_is_a_message(tmp_path):
    for name, words in (
        ("constructor_crash", "it died of SIGABRT when it was tried out"),
        ("bad_magic", "its magic is"),
    ):
        done = run(tmp_path, "plugin", "inspect", str(compiled(name)))
        assert done.returncode == 1
        assert words in done.stderr
    done = run(tmp_path, "plugin", "inspect", "/nowhere.so")
    assert done.returncode == 1
    assert "cannot be read" in done.stderr


OPTIONS = {
    "rate-limit": ["--option", "rate=5"],
    "static": ["--option", "root=/usr"],
}


@pytest.mark.parametrize("name", [name for name in FIRST_PARTY if name != "auth-basic"])
def test_the_first_party_plugins_pass_the_validator(tmp_path, name):
    file = str(built(f"tricorn-plugin-{name}"))
    done = run(tmp_path, "plugin", "check", file, *OPTIONS.get(name, []))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("8 passed, 0 failed\n")


def test_the_examples_pass_the_validator(tmp_path):
    done = run(tmp_path, "plugin", "check", str(built("plugin-hello")))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "8 passed, 0 failed")


def test_the_validator_finds_what_is_wrong(tmp_path):
    probe = str(built("fixture-probe"))
    done = run(tmp_path, "plugin", "check", probe, "--option", "panic_at=access")
    assert done.returncode == 1
    assert "access/record: it panicked" in done.stdout
    done = run(tmp_path, "plugin", "check", str(compiled("init_thread")))
    assert "FAIL  the module is made, and no thread is started by it" in done.stdout
    assert "it starts threads: busybody" in done.stdout
    done = run(tmp_path, "plugin", "check", str(compiled("abort_build")))
    assert done.returncode == 1
    assert "panic=abort" in done.stdout


def test_a_new_plugin_builds_and_passes_its_own_test(tmp_path):
    done = run(tmp_path, "plugin", "new", "my-first")
    assert done.returncode == 0, done.stderr
    crate = tmp_path / "my-first"
    environment = {**os.environ, "CARGO_TARGET_DIR": str(ROOT / "target" / "new-plugin")}
    command = ["cargo", "test", "--quiet"]
    tested = subprocess.run(
        command, cwd=crate, env=environment, capture_output=True, text=True, check=False
    )
    assert tested.returncode == 0, tested.stderr
    assert "1 passed" in tested.stdout
    again = run(tmp_path, "plugin", "new", "my-first")
    assert again.returncode == 2
    assert "is there already" in again.stderr


def test_a_command_that_is_not_whole_says_what_is_missing(tmp_path):
    done = run(tmp_path, "plugin")
    assert done.returncode == 2
    assert "say what: tricorn plugin inspect FILE" in done.stderr
    assert done.stderr.count("\n") == 1
    done = run(tmp_path, "plugin", "new", "Bad Name")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


USAGES = {
    "inspect": ("FILE", "tricorn plugin inspect FILE"),
    "check": ("FILE", "tricorn plugin check FILE [--option KEY=VALUE]"),
    "new": ("NAME", "tricorn plugin new NAME"),
}


@pytest.mark.parametrize("verb", USAGES)
def test_a_verb_without_its_word_says_which_is_missing_and_how_it_is_used(tmp_path, verb):
    word, usage = USAGES[verb]
    done = run(tmp_path, "plugin", verb)
    assert done.returncode == 2
    assert done.stderr == f"error: {word} is missing; usage: {usage}\n"
