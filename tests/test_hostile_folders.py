"""Folders of another user's, in which a server that root starts keeps its files."""

from __future__ import annotations

import ctypes
import hashlib
import multiprocessing
import os
import re
import signal
import socket
import stat
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.conftest import PLAIN
from tests.harness import eventually
from tests.harness.plugins import compiled
from tests.harness.server import run
from tests.harness.strangers import NOBODY, folder_of, need_root

AS_NOBODY = f"user = group = {NOBODY.pw_uid}\n"
KEPT = "root's own\n"


@pytest.fixture
def theirs(server):
    """A folder that belongs to the workers' user, as /var/log/site may."""
    need_root()
    return folder_of(NOBODY, server.folder / "theirs")


@pytest.fixture
def victim(server):
    """A file of root's, which nobody else may read."""
    path = server.write("secret", KEPT)
    path.chmod(0o600)
    return path


def is_untouched(victim):
    about = victim.stat()
    return victim.read_text() == KEPT and (about.st_uid, about.st_mode & 0o777) == (0, 0o600)


def link(at, to):
    """A link that the stranger has made."""
    at.symlink_to(to)
    os.lchown(at, NOBODY.pw_uid, NOBODY.pw_gid)


def owner(path):
    return path.lstat().st_uid


def test_a_pidfile_is_written_through_no_link(server, theirs, victim):
    link(theirs / "server.pid", victim)
    for ahead in range(4000):
        link(theirs / f"server.pid.{os.getpid() + ahead}", victim)
    server.start(PLAIN, "--pid", str(theirs / "server.pid"), config=AS_NOBODY)
    written = theirs / "server.pid"
    assert stat.S_ISREG(written.lstat().st_mode)
    assert written.read_text() == f"{server.pid}\n"
    assert not list(theirs.glob(".*")), "nothing is left beside it"
    assert is_untouched(victim)
    assert server.stop() == 0
    assert not written.exists()


@pytest.mark.parametrize("kind", ["pipe", "zeros", "folder"])
def test_what_stands_in_a_pidfiles_place_holds_up_no_start(server, theirs, kind):
    place = theirs / "server.pid"
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "zeros":
        link(place, "/dev/zero")
    else:
        place.mkdir()
        done = run(server.folder, "-b", "127.0.0.1:0", "--pid", str(place), PLAIN)
        assert done.returncode == 1
        assert f"cannot write the pidfile {place}: Is a directory" in done.stderr
        return
    server.start(PLAIN, "--pid", str(place), config=AS_NOBODY)
    assert place.read_text() == f"{server.pid}\n"


def test_a_pidfile_behind_a_strangers_link_to_roots_folder_is_refused(server, theirs):
    (server.folder / "ours").mkdir()
    link(theirs / "run", server.folder / "ours")
    done = run(server.folder, "-b", "127.0.0.1:0", "--pid", str(theirs / "run" / "x.pid"), PLAIN)
    assert done.returncode == 1
    assert f"user {NOBODY.pw_uid} has put a link in the way of {theirs}/run/x.pid" in done.stderr
    assert not list((server.folder / "ours").iterdir())


OWN_LOGGER = """
from gunicorn.glogging import Logger
class Own(Logger):
    pass
logger_class = Own
"""
LOGGERS = {"native": "", "python": OWN_LOGGER}


@pytest.mark.parametrize("setting", ["errorlog", "accesslog"])
@pytest.mark.parametrize("logger", LOGGERS)
@pytest.mark.parametrize("how", ["link", "dangling", "folder"])
def test_a_log_behind_a_strangers_link_is_refused(server, theirs, victim, setting, logger, how):
    path = theirs / "site.log"
    if how == "folder":
        link(theirs / "logs", victim.parent)
        path = theirs / "logs" / victim.name
    else:
        link(path, victim if how == "link" else victim.parent / "new")
    text = LOGGERS[logger] + AS_NOBODY + f"{setting} = {str(path)!r}\n"
    server.write("server.conf.py", text)
    done = run(server.folder, "-b", "127.0.0.1:0", "-c", "server.conf.py", PLAIN)
    assert done.returncode == 1, done.stderr
    told = [line for line in done.stderr.splitlines() if "has put a link in the way of" in line]
    assert len(told) == 1, done.stderr
    assert str(path) in told[0]
    assert is_untouched(victim)
    assert not (victim.parent / "new").exists()


def test_a_log4rs_file_behind_a_strangers_link_is_refused(server, theirs, victim):
    link(theirs / "site.log", victim)
    appender = f"{{kind: file, path: {theirs}/site.log}}"
    server.write(
        "log.yaml",
        f"appenders: {{site: {appender}}}\nroot: {{level: info, appenders: [site]}}\n",
    )
    given = ("-b", "127.0.0.1:0", "--log-config", "log.yaml")
    done = run(server.folder, *given, PLAIN)
    assert done.returncode == 1
    assert "has put a link in the way of" in done.stderr
    assert is_untouched(victim)


@pytest.mark.parametrize("mode", ["a", "w"])
def test_a_log_of_pythons_behind_a_strangers_link_is_refused(server, theirs, victim, mode):
    link(theirs / "site.log", victim)
    text = python_logs(theirs / "site.log", mode)
    server.write("server.conf.py", text)
    done = run(server.folder, "-b", "127.0.0.1:0", "-c", "server.conf.py", PLAIN)
    assert done.returncode == 1, done.stderr
    assert "has put a link in the way of" in done.stderr
    assert is_untouched(victim)


def python_logs(path, mode):
    """A configuration in which Python's logging writes to a file."""
    handlers = {"site": {"class": "logging.FileHandler", "filename": str(path), "mode": mode}}
    loggers = {"gunicorn.access": {"handlers": ["site"], "level": "INFO", "propagate": False}}
    given = {"version": 1, "handlers": handlers, "loggers": loggers}
    told = {"error_console": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr"}}
    handlers.update(told, console=told["error_console"])
    # The workers' user need not be able to read what Python imports later.
    return f"import datetime\n{AS_NOBODY}accesslog = '-'\nlogconfig_dict = {given!r}\n"


def test_a_log_of_pythons_is_opened_again_in_a_folder_of_the_workers_user(server, theirs, victim):
    path = theirs / "site.log"
    path.write_text("old\n")
    server.start(PLAIN, config=python_logs(path, "w"))
    assert server.get("/hello").status == 200
    eventually(lambda: "/hello" in path.read_text(), "a line")
    assert "old" not in path.read_text(), "it began anew"
    path.unlink()
    link(path, victim)
    server.send_signal(signal.SIGUSR1)
    server.wait_for_log("cannot be opened again")
    path.unlink()
    server.send_signal(signal.SIGUSR1)
    eventually(lambda: path.exists() and owner(path) == NOBODY.pw_uid, "it is made again")
    assert is_untouched(victim)
    assert server.stop() == 0


def test_another_name_of_roots_file_is_no_log(server, theirs, victim):
    os.link(victim, theirs / "site.log")
    done = run(
        server.folder, "-b", "127.0.0.1:0", "--error-logfile", str(theirs / "site.log"), PLAIN
    )
    assert done.returncode == 1
    assert "is another name of a file of user 0's" in done.stderr
    assert is_untouched(victim)


def test_a_file_that_was_moved_to_a_logs_place_is_not_given_away(server, theirs, victim):
    victim.rename(theirs / "site.log")
    config = f"{AS_NOBODY}accesslog = {str(theirs / 'site.log')!r}\n"
    server.start(PLAIN, config=config)
    assert owner(theirs / "site.log") == 0


@pytest.mark.parametrize("logger", LOGGERS)
def test_a_log_that_is_swapped_for_a_link_is_not_opened_again(server, theirs, victim, logger):
    path = theirs / "site.log"
    config = LOGGERS[logger] + AS_NOBODY
    server.start(PLAIN, config=f"{config}accesslog = {str(path)!r}\naccess_log_format = '%(r)s'\n")
    path.unlink()
    link(path, victim)
    server.send_signal(signal.SIGUSR1)
    server.wait_for_log("has put a link in the way of")
    assert server.get("/hello").status == 200
    assert is_untouched(victim)
    path.unlink()
    server.send_signal(signal.SIGUSR1)
    eventually(path.exists, "the log is made again")
    assert server.stop() == 0


def test_a_site_whose_folders_belong_to_its_user_keeps_all_its_files_there(server, theirs):
    names = ("error.log", "access.log", "site.pid", "site.sock")
    error, access, pidfile, site = (theirs / name for name in names)
    (theirs / "current").symlink_to(theirs)
    os.lchown(theirs / "current", NOBODY.pw_uid, NOBODY.pw_gid)
    through = theirs / "current"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(site))
    stale.close()
    config = f"""
        errorlog = {str(through / "error.log")!r}
        accesslog = {str(through / "access.log")!r}
        pidfile = {str(through / "site.pid")!r}
        bind = ["unix:{site}", "127.0.0.1:0"]
        umask = 0o007
    """
    server.write("server.conf.py", AS_NOBODY + re.sub("(?m)^        ", "", config))
    server.spawn("-c", "server.conf.py", PLAIN)
    eventually(lambda: error.exists() and "Booting worker" in error.read_text(), "it serves")
    assert {owner(error), owner(access), owner(site)} == {NOBODY.pw_uid}
    assert stat.S_ISSOCK(site.lstat().st_mode)
    assert site.lstat().st_mode & 0o777 == 0o770
    assert pidfile.read_text() == f"{server.pid}\n"
    for log in (error, access):
        log.rename(f"{log}.1")
    server.send_signal(signal.SIGUSR1)
    eventually(lambda: error.exists() and access.exists(), "the logs are made again")
    assert {owner(error), owner(access)} == {NOBODY.pw_uid}
    assert server.stop() == 0
    assert not pidfile.exists()
    assert not site.exists()


def test_links_that_root_has_made_in_a_strangers_folder_are_followed(server, theirs):
    (theirs / "error.log").symlink_to("/dev/stderr")
    (theirs / "access.log").symlink_to(server.folder / "access.log")
    logs = ("--error-logfile", str(theirs / "error.log"))
    logs += ("--access-logfile", str(theirs / "access.log"))
    server.start(PLAIN, *logs, config=AS_NOBODY)
    assert server.get("/hello").status == 200
    eventually((server.folder / "access.log").read_text, "a line")


@pytest.mark.parametrize("what", ["file", "link"])
def test_what_is_no_socket_is_not_removed_to_listen(server, theirs, victim, what):
    path = theirs / "site.sock"
    if what == "link":
        link(path, victim)
    else:
        path.write_text("text")
    done = run(server.folder, "-b", f"unix:{path}", "-u", "nobody", PLAIN)
    assert done.returncode == 1
    assert "the file is there and is not a socket" in done.stderr
    assert os.path.lexists(path)
    assert is_untouched(victim)


def test_a_listener_that_takes_nobody_holds_up_no_start(server, theirs):
    path = theirs / "site.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(0)
    waiting = []
    with suppress(BlockingIOError):
        while True:
            waiting.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
            waiting[-1].connect(str(path))
    done = run(server.folder, "-b", f"unix:{path}", PLAIN)
    assert done.returncode == 1
    assert "the address is in use" in done.stderr
    assert path.exists()
    for each in (*waiting, listener):
        each.close()


@pytest.mark.parametrize("how", ["anybody", "folder", "workers"])
def test_a_config_file_that_others_may_change_is_pointed_out(server, theirs, how):
    place = theirs if how == "workers" else server.folder / "ours"
    place.mkdir(exist_ok=True)
    path = place / "site.conf.py"
    path.write_text(AS_NOBODY)
    changed, told = path, "may be written by anybody (mode 666)"
    if how == "anybody":
        path.chmod(0o666)
    elif how == "folder":
        place.chmod(0o777)
        changed, told = place, "may be written by anybody (mode 777)"
    else:
        changed, told = theirs, "belongs to the workers' user: chown root"
    done = run(server.folder, "--check-config", "-c", str(path), PLAIN)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("root runs its code, but") == 1
    assert f"{changed} {told}" in done.stderr
    path.chmod(0o644)
    place.chmod(0o755)
    os.chown(place, 0, 0)
    assert not run(server.folder, "--check-config", "-c", str(path), PLAIN).stderr


EVIL = r"""
    #include <fcntl.h>
    #include <unistd.h>
    __attribute__((constructor)) static void own(void) {
        int file = open(TAKEN, O_CREAT | O_WRONLY, 0600);
        (void)!write(file, "taken\n", 6);
    }
    int tricorn_plugin_entry_v1;
"""


def exchange_for_ever(folder, names, before):
    """As nobody: put one thing in a folder in the place of another and back, again and again."""
    libc = ctypes.CDLL(None, use_errno=True)
    os.setgroups([])
    os.setgid(NOBODY.pw_gid)
    os.setuid(NOBODY.pw_uid)
    os.chdir(folder)
    one, other = (name.encode() for name in names)
    while True:
        before()
        libc.renameat2(HERE, one, HERE, other, EXCHANGE)
        # Otherwise every look at a path in the system would have to be repeated.
        time.sleep(0.0002)


#: The present directory, and a flag, for renameat2(2).
HERE, EXCHANGE = -100, 2


@contextmanager
def exchanging(folder, *names, before=lambda: None):
    process = multiprocessing.get_context("fork").Process(
        target=exchange_for_ever, args=(folder, names, before), daemon=True
    )
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


@pytest.mark.parametrize("variable", ["TMPDIR", "XDG_RUNTIME_DIR"])
def test_what_was_hashed_of_a_plugin_is_what_root_loads(server, theirs, variable, tmp_path):
    plugin = compiled("two_plugins")
    sha256 = hashlib.sha256(plugin.read_bytes()).hexdigest()
    taken = server.folder / "taken"
    source = server.write("evil.c", EVIL)
    command = ["cc", "-shared", "-fPIC", f'-DTAKEN="{taken}"', "-o", str(tmp_path / "evil.so")]
    subprocess.run([*command, str(source)], check=True)
    (theirs / "tmp").mkdir()
    folder_of(NOBODY, theirs / "evil")
    entry = {"path": str(plugin), "sha256": sha256}
    server.write("server.conf.py", f"{AS_NOBODY}plugins = [{entry!r}]\n")
    name = f"{sha256[:16]}-{plugin.name}"
    elsewhere = {"TMPDIR": str(server.folder), variable: str(theirs / "tmp")}
    if variable == "TMPDIR":
        elsewhere["XDG_RUNTIME_DIR"] = str(theirs / "tmp")
    code = (tmp_path / "evil.so").read_bytes()

    def copy_names():
        for copy in (*Path("tmp").glob("tricorn-*"), *Path("evil").glob("tricorn-*")):
            with suppress(OSError):
                (Path("evil") / copy.name).mkdir()
                (Path("evil") / copy.name / name).write_bytes(code)

    with exchanging(theirs, "tmp", "evil", before=copy_names):
        for _ in range(4):
            done = run(server.folder, "--check-config", "-c", "server.conf.py", PLAIN, **elsewhere)
            assert done.returncode == 0, done.stderr
            assert not taken.exists()


def test_a_folder_that_is_swapped_all_the_time_leads_to_none_of_roots(server, theirs):
    ours = server.folder / "ours"
    names = ("error.log", "access.log", "site.pid", "site.sock")
    for name in names:
        server.write(f"ours/{name}", KEPT)
    folder_of(NOBODY, theirs / "run")
    link(theirs / "other", ours)
    error, access, pidfile, site = (theirs / "run" / name for name in names)
    config = f"errorlog, accesslog, pidfile = {str(error)!r}, {str(access)!r}, {str(pidfile)!r}\n"
    config += "def when_ready(server): print('Listening at: it', flush=True)\n"
    config += "def log_reopen(process): print('OPENED', flush=True)\n"
    server.write("server.conf.py", AS_NOBODY + config)
    given = ("-b", "127.0.0.1:0", "-b", f"unix:{site}", "-c", "server.conf.py", PLAIN)

    def start():
        before = server.log.count("Listening at: ")
        server.spawn(*given)

        def is_decided():
            return not server.is_there() or server.log.count("Listening at: ") > before

        eventually(is_decided, "it starts, or refuses to")

    start()
    with exchanging(theirs, "run", "other"):
        for count in range(1, 16):
            server.send_signal(signal.SIGUSR1)
            server.wait_for_log("OPENED", count)
        assert server.stop() == 0
        for _ in range(5):
            start()
            if server.is_there():
                server.stop()
    found = {path.name: (path.read_text(), owner(path)) for path in ours.iterdir()}
    assert found == dict.fromkeys(names, (KEPT, 0))
