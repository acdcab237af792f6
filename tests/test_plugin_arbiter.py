"""Compiled plugins in which the arbiter itself dies: what the log says, how the process ends."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.harness import eventually
from tests.harness.plugins import compiled
from tests.harness.server import run

PLAIN = "tests.apps.plain:application"


def crash_at(event: str, how: str = "raise(SIGSEGV)") -> str:
    return str(compiled("arbiter_crash", f"-DEVENT=TRICORN_EVENT_{event.upper()}", f"-DHOW={how}"))


def start_with(folder, plugin, *arguments, **variables):
    return run(folder, "--plugin", plugin, "-b", "127.0.0.1:0", *arguments, PLAIN, **variables)


@pytest.mark.parametrize("event", ["on_starting", "when_ready", "pre_fork", "nworkers_changed"])
def test_an_arbiter_that_dies_inside_a_plugin_says_where(tmp_path, event):
    done = start_with(tmp_path, crash_at(event))
    assert done.returncode == -signal.SIGSEGV
    line = next(line for line in done.stderr.splitlines() if "died of" in line)
    place = f"org.example.fixture/{event}"
    pid = line.split("] [")[1].rstrip("]")
    assert line.endswith(f"[{pid}] [CRITICAL] Arbiter (pid {pid}) died of SIGSEGV inside {place}")


WAYS = {
    "touch_nothing()": signal.SIGSEGV,
    "overflow(0)": signal.SIGSEGV,
    "abort()": signal.SIGABRT,
    "raise(SIGBUS)": signal.SIGBUS,
    "raise(SIGFPE)": signal.SIGFPE,
    "__builtin_trap()": signal.SIGILL,
}


@pytest.mark.parametrize("how", WAYS)
def test_it_ends_by_the_signal_that_it_died_of(tmp_path, how):
    done = start_with(tmp_path, crash_at("when_ready", how))
    assert f"died of {WAYS[how].name} inside org.example.fixture/when_ready" in done.stderr
    assert done.returncode == -WAYS[how]


@pytest.mark.parametrize(("event", "code"), [("on_starting", 0), ("when_ready", 7)])
def test_an_arbiter_that_is_ended_inside_a_plugin_says_where(tmp_path, event, code):
    done = start_with(tmp_path, crash_at(event, f"exit({code})"))
    assert done.returncode == code
    last = done.stderr.splitlines()[-1]
    assert last.endswith(f" exits inside org.example.fixture/{event}"), done.stderr
    assert "[CRITICAL] Arbiter (pid " in last


@pytest.mark.parametrize("how", ["touch_nothing()", "abort()"])
def test_faulthandler_still_shows_pythons_stack(tmp_path, how):
    done = start_with(tmp_path, crash_at("when_ready", how), PYTHONFAULTHANDLER="1")
    assert done.stderr.count("Arbiter (pid ") == 1
    assert "Fatal Python error: " in done.stderr
    assert done.returncode == -WAYS[how]


def test_faulthandler_that_a_config_file_turns_on_later_shows_it_too(tmp_path):
    config = tmp_path / "server.conf.py"
    config.write_text("def on_starting(server):\n    import faulthandler; faulthandler.enable()\n")
    done = start_with(tmp_path, crash_at("when_ready"), "-c", str(config))
    assert done.stderr.count("Arbiter (pid ") == 1
    assert "Fatal Python error: " in done.stderr
    assert done.returncode == -signal.SIGSEGV


def test_the_line_goes_to_the_error_log(tmp_path):
    done = start_with(tmp_path, crash_at("when_ready"), "--error-logfile", "errors.log")
    last = (tmp_path / "errors.log").read_text().splitlines()[-1]
    assert "died of SIGSEGV inside org.example.fixture/when_ready" in last
    assert "died of" not in done.stderr


def test_an_arbiter_that_dies_at_a_reload_says_where(server):
    server.start(PLAIN, "--plugin", crash_at("on_reload"))
    eventually(server.workers, "a worker")
    server.send_signal(signal.SIGHUP)
    assert server.wait() == -signal.SIGSEGV
    assert "died of SIGSEGV inside org.example.fixture/on_reload" in server.log


def test_an_arbiter_that_dies_over_a_dead_worker_says_where(server):
    server.start(PLAIN, "--plugin", crash_at("child_exit"))
    os.kill(eventually(server.workers, "a worker")[0], signal.SIGKILL)
    assert server.wait() == -signal.SIGSEGV
    assert "died of SIGSEGV inside org.example.fixture/child_exit" in server.log


@pytest.mark.parametrize(
    ("flag", "place"), [("IN_INIT", "module_init"), ("IN_DESTROY", "module_destroy")]
)
def test_a_module_that_kills_the_arbiter_when_it_is_made_or_taken_down_is_named(
    server, flag, place
):
    server.spawn(
        "-b", "127.0.0.1:0", "--plugin", str(compiled("arbiter_crash", f"-D{flag}")), PLAIN
    )
    if flag == "IN_DESTROY":
        server.wait_for_log("Booting worker")
        server.send_signal(signal.SIGTERM)
    assert server.wait() == -signal.SIGSEGV
    assert f"died of SIGSEGV inside org.example.fixture/{place}" in server.log


def test_a_successor_that_dies_before_it_is_executed_says_where(server):
    server.start(PLAIN, "--plugin", crash_at("pre_exec"))
    eventually(server.workers, "a worker")
    server.send_signal(signal.SIGUSR2)
    server.wait_for_log("died of SIGSEGV inside org.example.fixture/pre_exec")
    assert "Arbiter (pid" not in server.log
    server.wait_for_log("The upgrade has failed: it was killed by SIGSEGV")
    assert server.get("/hello").text == "hello"


def test_workers_do_not_have_the_arbiters_handlers(server):
    server.start(PLAIN, "--plugin", crash_at("pre_exec"))
    worker = eventually(server.workers, "a worker")[0]
    server.get("/hello")

    def caught(pid):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        status = (line.split() for line in lines)
        return int(next(fields[1] for fields in status if fields[0] == "SigCgt:"), 16)

    bit = 1 << (signal.SIGSEGV - 1)
    assert caught(server.pid) & bit
    assert not caught(worker) & bit
