"""``tricorn plugin``: looking at a file, putting it to the test, beginning a new one."""

from __future__ import annotations

import os
import subprocess

import bcrypt
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
    "auth-basic": ["--option", "file=users"],
    "rate-limit": ["--option", "rate=5"],
    "static": ["--option", "root=/usr"],
}


@pytest.mark.parametrize("name", FIRST_PARTY)
def test_the_first_party_plugins_pass_the_validator(tmp_path, name):
    secret = bcrypt.hashpw(b"sesame", bcrypt.gensalt(4, prefix=b"2b")).decode()
    (tmp_path / "users").write_text(f"ada:{secret}\n")
    file = str(built(f"tricorn-plugin-{name}"))
    done = run(tmp_path, "plugin", "check", file, *OPTIONS.get(name, []))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("8 passed, 0 failed\n")


def test_the_examples_pass_the_validator(tmp_path):
    done = run(tmp_path, "plugin", "check", str(built("plugin-hello")))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "8 passed, 0 failed")


def test_a_plugin_with_threads_of_its_own_passes_the_validator(tmp_path):
    done = run(tmp_path, "plugin", "check", str(built("fixture-probe")), "--option", "decider=true")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "8 passed, 0 failed")


REQUEST_EVENTS = ["request_head", "pre_request", "response_start", "post_request", "access"]
OTHER_EVENTS = [
    "conn_open",
    "conn_close",
    "request_error",
    "worker_init",
    "drain_start",
    "worker_exit",
    "on_starting",
    "child_exit",
    "signal_received",
]


@pytest.mark.parametrize("event", [*REQUEST_EVENTS, *OTHER_EVENTS])
def test_a_plugin_that_fails_at_every_call_does_not_pass_the_validator(tmp_path, event):
    flags = [f"-DEVENT=TRICORN_EVENT_{event.upper()}", "-DVERDICT=TRICORN_ERROR"]
    done = run(tmp_path, "plugin", "check", str(compiled("guard", *flags)))
    assert done.returncode == 1
    line = f"org.example.fixture: {event}/guard: it returned an error (-1)"
    assert line + (" (every request)" if event in REQUEST_EVENTS else "\n") in done.stdout


WRONG = {
    "misbehave": ("guard", ["-DVERDICT=TRICORN_RESPOND"], "guard: it misbehaves (RESPOND without"),
    "suspend for ever": ("suspends", [], "has suspended a request, and not decided of it in 2"),
    "exit": ("leaves", ["-DALWAYS"], "it ended the process with code 0 when it was tried out"),
    "throw": ("leaves", ["-DALWAYS", "-DHOW=throw_it()"], "it died of SIGABRT when it was tried"),
    "keep a thread": (
        "leaves",
        ["-DALWAYS", "-DTHREAD", "-DHOW=sleep(60)", "-DEVENT=TRICORN_EVENT_WORKER_INIT"],
        "its thread 'leaver' does not end with the worker",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_the_validator_runs_requests_as_a_worker_does(tmp_path, case):
    name, flags, words = WRONG[case]
    done = run(tmp_path, "plugin", "check", str(compiled(name, *flags)))
    assert done.returncode == 1
    assert words in done.stdout


def test_a_deciding_thread_that_panics_does_not_pass_the_validator(tmp_path):
    arguments = ["--option", "decider=true", "--option", "panic_at=decider"]
    done = run(tmp_path, "plugin", "check", str(built("fixture-probe")), *arguments)
    assert done.returncode == 1
    assert "test.probe: 1 of its threads panicked" in done.stdout


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
