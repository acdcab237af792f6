"""Loading compiled plugins: what is refused, with which words, and what a reload makes of it."""

from __future__ import annotations

import os
import shutil
import signal

import pytest

from tests.harness import eventually
from tests.harness.plugins import ROOT, built, compile_c, compiled
from tests.harness.server import run

PLAIN = "tests.apps.plain:application"

#: Fixtures that must not be loaded, and what is said of each.
REFUSED = {
    "bad_magic": "its magic is 0x0000000000000007, this server's 0x314e524f43495254",
    "wrong_major": "built for version 2.0 of the plugin ABI, this server speaks 1.1",
    "newer_minor": "needs version 1.99 of the plugin ABI, this server speaks 1.1",
    "short_entry": "its entry has 16 bytes, this server needs",
    "short_plugin": "plugin 0 in it has 8 bytes, this server needs",
    "other_vendor": "made for the server 'somebody else', this is 'tricorn'",
    "other_entry": "built for version 2 of the plugin ABI, this server speaks 1",
    "abort_build": "it is built with panic=abort",
    "unknown_event": "event 99 is none of this server's",
    "undefined": "undefined symbol: nobody_has_this",
    "constructor_crash": "it died of SIGABRT when it was tried out",
    "init_error": "the moon is not full",
    "init_thread": "it starts threads in the arbiter (busybody)",
}


def refusal(folder, path, *arguments):
    """Start a server with a plugin that cannot be loaded; return what it says."""
    done = run(folder, "--plugin", str(path), *arguments, "-b", "127.0.0.1:0", PLAIN)
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("\n") == 1, f"not one line: {done.stderr}"
    return done.stderr


@pytest.mark.parametrize("name", REFUSED)
def test_a_plugin_that_cannot_be_loaded_stops_the_start(name, tmp_path):
    assert REFUSED[name] in refusal(tmp_path, compiled(name))


def test_a_plugin_that_hangs_is_given_up(tmp_path):
    text = refusal(tmp_path, compiled("init_hang"), "--plugin-timeout", "0.5")
    assert "it did not load within 0.5 seconds" in text


def test_a_handler_that_starts_a_thread_before_the_fork_refuses_the_start(server):
    path = compiled("init_thread", "-DEVENT=TRICORN_EVENT_WHEN_READY")
    done = run(server.folder, "--plugin", str(path), "-b", "127.0.0.1:0", PLAIN)
    assert done.returncode == 1
    assert "has started threads in the arbiter (busybody)" in done.stderr
    server.start(PLAIN, "--plugin", str(path), "--plugin-allow", "threads")
    assert server.get("/hello").text == "hello"


def test_what_is_no_shared_object_is_told(tmp_path):
    path = tmp_path / "text.so"
    path.write_text("#!/bin/sh\n")
    assert "it is not a shared object" in refusal(tmp_path, path)
    path.write_bytes(compiled("version_one").read_bytes()[:700])
    assert "not a shared object" in refusal(tmp_path, path)
    assert "it cannot be read: No such file" in refusal(tmp_path, tmp_path / "none.so")


def test_a_pipe_is_no_plugin_and_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.so")
    for command in (
        ("plugin", "inspect", "pipe.so"),
        ("--check-config", "--plugin", "pipe.so", PLAIN),
    ):
        done = run(tmp_path, *command)
        assert done.returncode == 1
        assert "it is not a file" in done.stderr


def test_every_reason_of_every_plugin_is_told_at_once(tmp_path):
    arguments = [
        argument
        for name in ("bad_magic", "init_error", "constructor_crash")
        for argument in ("--plugin", str(compiled(name)))
    ]
    done = run(tmp_path, *arguments, "-b", "127.0.0.1:0", PLAIN)
    assert done.returncode == 1
    for name in ("bad_magic", "init_error", "constructor_crash"):
        assert REFUSED[name] in done.stderr


def test_what_is_wrong_with_a_file_is_told_with_who_may_write_it(tmp_path):
    path = tmp_path / "open.so"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o666)
    (tmp_path / "server.conf.py").write_text(
        f"plugins = [{{'path': 'open.so', 'sha256': {'0' * 64!r}}}]\n"
    )
    done = run(tmp_path, "--check-config", "-c", "server.conf.py", PLAIN)
    assert done.returncode == 1
    for reason in ("may be written by anybody", "its SHA-256 is", "it is not a shared object"):
        assert reason in done.stderr


def test_a_file_that_is_too_large_for_a_plugin_is_not_read(tmp_path):
    path = tmp_path / "huge.so"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    for command in (("plugin", "inspect"), ("plugin", "check")):
        done = run(tmp_path, *command, "huge.so")
        assert done.returncode == 1
        assert "it has 1099511627776 bytes, a plugin 1073741824 at most" in done.stderr


def test_a_folder_above_that_anybody_may_write_is_pointed_out(server):
    above = server.folder / "above"
    (above / "own").mkdir(parents=True)
    path = above / "own" / "one.so"
    shutil.copy(compiled("version_one"), path)
    above.chmod(0o777)
    path.chmod(0o664)
    os.chown(path, -1, os.getegid())
    link = server.folder / "link.so"
    link.symlink_to(path)
    server.start(PLAIN, "--plugin", str(link))
    assert server.get().text == "one"
    assert f"link.so: the folder {above} above it may be written by anybody" in server.log


def test_a_group_that_is_not_the_servers_must_not_write_a_plugin(server):
    assert os.geteuid() == 0, "only root gives files to other groups: run this test as root"
    path = server.folder / "one.so"
    shutil.copy(compiled("version_one"), path)
    path.chmod(0o664)
    os.chown(path, -1, 54321)
    assert "the file may be written by group 54321" in refusal(server.folder, path)
    path.chmod(0o644)
    server.start(PLAIN, "--plugin", str(path))
    assert server.get().text == "one"


def test_options_that_are_wrong_name_the_key_and_the_plugin(tmp_path):
    probe = built("fixture-probe")
    text = refusal(tmp_path, probe, "--plugin-option", "fixture_probe.nmuber=3")
    assert "unknown field `nmuber`" in text
    assert "libfixture_probe.so" in text
    text = refusal(tmp_path, probe, "--plugin-option", "fixture_probe.number=many")
    assert 'its options: number: invalid type: string "many"' in text
    text = refusal(tmp_path, probe, "--plugin-option", "fixture_probe.number=12")
    assert "number: it must be below ten" in text
    text = refusal(tmp_path, probe, "--plugin-option", "fixture_probe.panic_at=prepare")
    assert "it panicked" in text


def test_a_file_that_others_may_write_is_refused_unless_that_is_allowed(server):
    path = server.folder / "open.so"
    shutil.copy(compiled("version_one"), path)
    path.chmod(0o666)
    assert "may be written by anybody (mode 666)" in refusal(server.folder, path)
    server.start(PLAIN, "--plugin", str(path), "--plugin-allow", "permissions")
    assert server.get().text == "one"


def test_the_sum_of_a_file_is_held_against_the_settings(server):
    sum_of = "0" * 64
    config = f"plugins = [{{'path': {str(compiled('version_one'))!r}, 'sha256': {sum_of!r}}}]\n"
    server.write("server.conf.py", config)
    done = run(server.folder, "-c", "server.conf.py", "-b", "127.0.0.1:0", PLAIN)
    assert f"the settings say {sum_of}" in done.stderr


def test_what_is_let_through_is_loaded(server):
    allow = ("--plugin-allow", "panic-abort,threads")
    server.start(PLAIN, "--plugin", str(compiled("abort_build")), *allow)
    assert server.get("/hello").text == "hello"


def test_a_plugin_that_was_built_before_anything_was_added_is_loaded(server):
    server.start(PLAIN, "--plugin", str(compiled("older_minor")))
    assert server.get("/hello").text == "hello"


def test_a_plugin_stands_beside_the_config_file(server):
    site = server.folder / "site"
    site.mkdir()
    shutil.copy(compiled("version_one"), site / "one.so")
    (site / "conf.py").write_text("plugins = ['./one.so']\n")
    server.start(PLAIN, "-c", "site/conf.py")
    assert server.get().text == "one"


def test_a_package_can_offer_a_plugin(server):
    info = server.folder / "offering-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offering\nVersion: 1.0\n")
    entries = "[tricorn.plugins]\nversion = offering:path\nin-bytes = offering:in_bytes\n"
    (info / "entry_points.txt").write_text(entries)
    path = str(compiled("version_one"))
    code = f"def path(): return {path!r}\ndef in_bytes(): return {path.encode()!r}\n"
    server.write("offering.py", code)
    paths = f"{server.folder}{os.pathsep}{ROOT}"
    server.start(PLAIN, "--plugin", "package:version", PYTHONPATH=paths)
    assert server.get().text == "one"
    checked = ("--check-config", "--plugin", "package:in-bytes", PLAIN)
    assert run(server.folder, *checked, PYTHONPATH=paths).returncode == 0
    done = run(server.folder, "--plugin", "package:other", PLAIN, PYTHONPATH=paths)
    assert "no package offers a plugin 'other'" in done.stderr


def test_of_several_plugins_with_one_id_the_second_is_refused(tmp_path):
    one, two = compiled("version_one"), compiled("older_minor")
    done = run(tmp_path, "--plugin", str(one), "--plugin", str(two), "-b", "127.0.0.1:0", PLAIN)
    assert "plugin 'org.example.fixture' is loaded from" in done.stderr


# A reload


def versions(server, which):
    """Put a version of the plugin where the server looks for it."""
    fresh = server.folder / "fresh.so"
    source = ROOT / "tests/fixtures/plugins/version_one.c"
    compile_c(source, fresh, f'-DWHICH="{which}"')
    os.replace(fresh, server.folder / "plugin.so")


def test_a_replaced_file_is_picked_up_and_the_old_one_serves_until_then(server):
    versions(server, "one")
    server.start(PLAIN, "--plugin", "plugin.so")
    assert server.get().text == "one"
    versions(server, "two")
    assert server.get().text == "one"
    server.send_signal(signal.SIGHUP)
    eventually(lambda: server.get().text == "two", "the new code answers")
    # In place, too: workers run a copy.
    shutil.copy(compiled("version_one"), server.folder / "plugin.so")
    assert server.get().text == "two"
    server.send_signal(signal.SIGHUP)
    eventually(lambda: server.get().text == "one", "the first code answers again")


def test_replaced_files_are_picked_up_where_no_folder_takes_copies(server):
    names = ("a", "b", "c", "d")

    def put(which):
        for name in names:
            flags = (f'-DID="{name}"', f'-DPATH="/{name}"', f'-DWHICH="{name}{which}"')
            fresh = server.folder / "fresh.so"
            compile_c(ROOT / "tests/fixtures/plugins/version_at.c", fresh, *flags)
            os.replace(fresh, server.folder / f"{name}.so")

    def answers(which):
        return [server.get(f"/{name}").text for name in names] == [f"{n}{which}" for n in names]

    put(1)
    plugins = [argument for name in names for argument in ("--plugin", f"{name}.so")]
    server.start(PLAIN, *plugins, XDG_RUNTIME_DIR="/proc")
    for which in (1, 2, 3):
        put(which)
        server.send_signal(signal.SIGHUP)
        eventually(lambda which=which: answers(which), "the new code answers")


@pytest.mark.parametrize("name", ["constructor_crash", "init_error", "bad_magic"])
def test_a_broken_plugin_leaves_the_old_one_serving(server, name):
    versions(server, "one")
    server.start(PLAIN, "--plugin", "plugin.so")
    pid = server.get("/pid").text
    shutil.copy(compiled(name), server.folder / "plugin.so")
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("The reload is given up")
    assert REFUSED[name] in server.log
    assert server.get("/pid").text == pid
    versions(server, "two")
    server.send_signal(signal.SIGHUP)
    eventually(lambda: server.get().text == "two", "the mended one answers")


def test_options_change_with_a_reload_and_what_was_counted_stays(server):
    probe = built("fixture-probe")

    def config(greeting):
        hello = str(built("plugin-hello"))
        text = f"plugins = [{{'path': {hello!r}, 'options': {{'greeting': {greeting!r}}}}},"
        server.write("server.conf.py", f"{text} {str(probe)!r}]\n")

    config("Hello")
    server.start(PLAIN, "-c", "server.conf.py")
    assert server.get("/hello").text.startswith("Hello,")
    server.get("/to-be-counted")
    config("Ahoy")
    server.send_signal(signal.SIGHUP)
    eventually(lambda: server.get("/hello").text.startswith("Ahoy,"), "the new options")
    assert int(server.get("/dropped").text) > 0, "counters live in memory that a reload keeps"


def test_what_is_tried_out_changes_nothing_of_those_that_serve(server):
    def put(*flags):
        fresh = server.folder / "fresh.so"
        compile_c(ROOT / "tests/fixtures/plugins/counts_itself.c", fresh, *flags)
        os.replace(fresh, server.folder / "plugin.so")

    put()
    server.start(PLAIN, "--plugin", "plugin.so")
    assert server.get().text == "1 1"
    put("-DREFUSE")
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("The reload is given up")
    assert server.get().text == "1 1", "a module that is refused has counted elsewhere"
    put("-O1")
    server.send_signal(signal.SIGHUP)
    eventually(lambda: server.get().text == "2 2", "what was stored is found again")


def test_what_is_tried_out_is_taken_down_again(server):
    server.start(PLAIN, "--plugin", str(compiled("counts_itself", "-DLOCK")))
    assert server.get().text == "1 1"
    (server.folder / "taken").unlink()
    text = refusal(server.folder, compiled("counts_itself", "-DCRASH"))
    assert "it died of SIGABRT when it was tried out" in text


def test_copies_are_taken_away_unless_somebody_wants_to_debug(make_server, tmp_path):
    server = make_server()
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    server.start(PLAIN, "--plugin", str(compiled("version_one")), XDG_RUNTIME_DIR=str(runtime))
    assert server.get().text == "one"
    assert list(runtime.iterdir()) == []
    server.stop()
    make_server().start(
        PLAIN,
        "--plugin",
        str(compiled("version_one")),
        "--plugin-keep-copies",
        XDG_RUNTIME_DIR=str(runtime),
    )
    assert [len(list(folder.iterdir())) for folder in runtime.iterdir()] == [1]


def test_reloads_leave_neither_descriptors_nor_mappings(server):
    server.start(PLAIN, "--plugin", str(built("plugin-hello")))
    server.get("/hello")

    def count():
        with open(f"/proc/{server.pid}/maps") as lines:
            images = sum("plugin_hello" in line for line in lines)
        return len(os.listdir(f"/proc/{server.pid}/fd")), images

    before = count()
    for round_number in range(10):
        server.send_signal(signal.SIGHUP)
        server.wait_for_log("Plugin org.example.hello", count=2 + round_number)
    eventually(lambda: len(server.workers()) == 1, "the old workers are gone")
    eventually(lambda: count() == before, f"{count()} is {before} again")


def test_python_is_not_told_of_threads_when_it_forks(server):
    server.start(PLAIN, "--plugin", str(built("plugin-hello")), PYTHONWARNINGS="error")
    assert server.get("/hello").status == 200
    assert "DeprecationWarning" not in server.log


# Names in the settings of a plugin


def settle(folder, *entries, then: str = "", arguments=()):
    """Check a config file whose `plugins` are these."""
    config = folder / "server.conf.py"
    config.write_text(f"plugins = [{', '.join(map(repr, entries))}]\n{then}")
    return run(folder, "-c", str(config), "--check-config", *arguments, PLAIN)


@pytest.mark.parametrize("key", ["priority", "before", "after", "on_error"])
def test_an_event_that_there_is_not_stops_the_start(tmp_path, key):
    values = {"priority": 1, "on_error": "log"}
    entry = {"path": str(compiled("version_one")), key: {"pre_reqest": values.get(key, "x")}}
    done = settle(tmp_path, entry)
    assert done.returncode == 1
    assert f"key '{key}': there is no event 'pre_reqest'" in done.stderr
    assert done.stderr.endswith("; is 'pre_request' meant?\n")
    entry[key] = {"lunch": values.get(key, "x")}
    done = settle(tmp_path, entry)
    assert f"key '{key}': there is no event 'lunch'" in done.stderr
    assert "tricorn hooks list shows the events" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_name_that_no_handler_bears_is_pointed_out_once(tmp_path):
    entry = {"path": str(compiled("version_one")), "after": ["audit", "adit"]}
    then = "def audit(worker, req): pass\npre_request = audit\n"
    done = settle(tmp_path, entry, then=then)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Warning") == 1
    assert "key 'after': no handler is called 'adit'; is 'audit' meant?" in done.stderr


def test_an_entry_of_several_plugins_is_pointed_out_once_for_each_key(tmp_path):
    entry = {"path": str(compiled("two_plugins")), "after": "nobody", "before": "nobody"}
    done = settle(tmp_path, entry)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("no handler is called 'nobody'") == 2


def test_names_are_looked_for_at_the_event_that_they_stand_under(tmp_path):
    one = {"path": str(compiled("version_one")), "before": {"pre_request": "tricorn.metrics"}}
    metrics = str(built("tricorn-plugin-metrics"))
    done = settle(tmp_path, one, metrics)
    assert done.returncode == 0, done.stderr
    assert "no handler" not in done.stderr
    one["before"] = {"worker_exit": "tricorn.metrics"}
    done = settle(tmp_path, one, metrics)
    assert "no handler of worker_exit is called 'tricorn.metrics'" in done.stderr


def test_a_plugins_own_constraints_are_not_pointed_out(tmp_path):
    done = settle(tmp_path, str(built("fixture-probe")))
    assert (done.returncode, done.stderr) == (0, "")


def test_an_option_may_be_addressed_to_a_plugins_id(server):
    probe = str(built("fixture-probe"))
    server.start(PLAIN, "--plugin", probe, "--plugin-option", "test.probe.panic_at=request_head")
    assert server.get("/hello").status == 500
    server.wait_for_log("request_head handler test.probe/")


def test_an_option_for_an_id_that_there_is_not_says_which_there_are(tmp_path):
    arguments = ("--plugin-option", "test.prob.number=3")
    done = settle(tmp_path, str(built("fixture-probe")), arguments=arguments)
    assert done.returncode == 2
    assert "there is no plugin 'test.prob' in the settings" in done.stderr
    assert "fixture_probe" in done.stderr
    assert "test.probe" in done.stderr


def test_an_option_for_one_of_several_plugins_in_a_file_needs_an_entry_of_its_own(tmp_path):
    path, arguments = str(compiled("two_plugins")), ("--plugin-option", "org.example.a.x=3")
    done = settle(tmp_path, path, arguments=arguments)
    assert done.returncode == 2
    assert "has several plugins: org.example.a, org.example.b" in done.stderr
    assert f"{path}#org.example.a" in done.stderr
    done = settle(tmp_path, f"{path}#org.example.a", f"{path}#org.example.b", arguments=arguments)
    assert "takes no options, and is given x" in done.stderr, "it has arrived"


def test_a_plugin_that_cannot_say_its_id_is_what_is_told(tmp_path):
    arguments = ("--plugin-option", "org.example.a.x=3")
    done = settle(tmp_path, str(compiled("constructor_crash")), arguments=arguments)
    assert "it died of SIGABRT when it was tried out" in done.stderr
