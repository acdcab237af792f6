"""What is imported of gunicorn besides classes: helpers, checks, files, sockets."""

from __future__ import annotations

import os
import socket
import threading

import pytest
from tricorn.compat import settings, systemd, util
from tricorn.compat.errors import AppImportError, ConfigError
from tricorn.compat.http import errors
from tricorn.compat.http.unreader import IterUnreader, SocketUnreader
from tricorn.compat.pidfile import Pidfile
from tricorn.config import Config
from tricorn.sock import TCP6Socket, TCPSocket, UnixSocket, close_sockets, create_sockets
from tricorn.statsd import Statsd
from tricorn.workers.gthread import ThreadWorker
from tricorn.workers.sync import SyncWorker

from tests.harness.imports import run


class Log:
    """A log that keeps its lines."""

    def __init__(self):
        self.lines = []

    def debug(self, text, *args):
        self.lines.append(text % args)


@pytest.mark.parametrize(
    ("call", "result"),
    [
        (lambda: util.parse_address("127.0.0.1"), ("127.0.0.1", 8000)),
        (lambda: util.parse_address("127.0.0.1", "80"), ("127.0.0.1", 80)),
        (lambda: util.parse_address("[::1]", "80"), ("::1", 80)),
        (lambda: util.parse_address("[::1]:81", "80"), ("::1", 81)),
        (lambda: util.parse_address("tcp://localhost:1"), ("localhost", 1)),
        (lambda: util.parse_address("unix:/x"), "/x"),
        (lambda: util.parse_address("fd://3"), 3),
        (lambda: util.parse_address(""), ("0.0.0.0", 8000)),
        (lambda: util.is_ipv6("::1"), True),
        (lambda: util.is_ipv6("127.0.0.1"), False),
        (lambda: util.http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT"),
        (lambda: util.to_bytestring("é"), b"\xc3\xa9"),
        (lambda: util.bytes_to_str(b"\xe9"), "é"),
        (lambda: util.bytes_to_str("x"), "x"),
        (lambda: util.unquote_to_wsgi_str("/%C3%A9"), "/Ã©"),
        (lambda: util.split_request_uri("//a/b?c#d")[1:], ("", "//a/b", "c", "d")),
        (lambda: util.split_request_uri("http://h/b?c")[:4], ("http", "h", "/b", "c")),
        (lambda: util.is_hoppish(" Connection "), True),
        (lambda: util.is_hoppish("X-Own"), False),
        (lambda: util.get_arity(lambda a, b=1, *c, d=2: 0), 2),
        (lambda: util.get_username(0), "root"),
        (lambda: util.is_glob_pattern("a*"), True),
        (lambda: util.is_glob_pattern("a"), False),
        (lambda: util.has_fileno(3), False),
        (lambda: util.load_class("gthread"), ThreadWorker),
        (lambda: util.load_class(SyncWorker), SyncWorker),
        (lambda: util.load_class("tricorn.statsd.Statsd", "", "gunicorn.loggers"), Statsd),
        (lambda: util.import_app("os.path:join"), os.path.join),
        (lambda: util.make_fail_app("sorry")({}, lambda *_: None), [b"sorry"]),
    ],
)
def test_a_helper_gives_what_gunicorns_gives(call, result):
    assert call() == result


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: util.parse_address("a:b"), RuntimeError),
        (lambda: util.to_bytestring(3), TypeError),
        (lambda: util.load_class("nonsense"), RuntimeError),
        (lambda: util.load_class("no.such.Class"), RuntimeError),
        (lambda: util.load_entry_point("pytest", "no.group", "none"), ImportError),
        (lambda: util.import_app("no_such_module"), AppImportError),
        (lambda: util.import_app("no_such_module:app"), ModuleNotFoundError),
        (lambda: util.import_app("os:nothing"), AppImportError),
        (lambda: util.import_app("os:path"), AppImportError),
        (lambda: util.check_is_writable("/nowhere/at/all"), RuntimeError),
        (lambda: util.reraise(KeyError, KeyError("x")), KeyError),
    ],
)
def test_a_helper_refuses_what_gunicorns_refuses(call, error):
    with pytest.raises(error):
        call()


def test_helpers_write_to_sockets_and_close_them():
    ours, theirs = socket.socketpair()
    with theirs:
        assert util.has_fileno(ours)
        util.write(ours, b"hi", chunked=True)
        util.write(ours, "raw")
        util.write_nonblock(ours, "ther")
        assert theirs.recv(100) == b"2\r\nhi\r\nrawther"
        assert ours.getblocking()
        util.write_error(ours, 400, "Bad Request", "<b>")
        head, _, body = theirs.recv(1000).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n")
        assert b"Content-Length: %d" % len(body) in head
        assert b"&lt;b&gt;" in body
        theirs.sendall(b"unread")
        closing = threading.Thread(target=util.close_graceful, args=(ours,))
        closing.start()
        assert theirs.recv(1) == b""
        theirs.close()
        closing.join(10)
    assert ours.fileno() == -1
    util.close(ours)


def test_a_helper_removes_a_file_once_and_makes_descriptors_their_own(tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    util.check_is_writable(str(path))
    util.chown(str(path), os.getuid(), os.getgid())
    with open(path) as file:
        os.set_inheritable(file.fileno(), True)
        util.close_on_exec(file.fileno())
        assert not os.get_inheritable(file.fileno())
        util.set_non_blocking(file.fileno())
        assert not os.get_blocking(file.fileno())
    util.unlink(str(path))
    util.unlink(str(path))
    assert not path.exists()


def test_a_warning_is_not_overlooked(capsys):
    util.warn("mind the gap")
    assert "!!! WARNING: mind the gap\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("check", "given", "result"),
    [
        (settings.validate_bool, "true", True),
        (settings.validate_bool, None, None),
        (settings.validate_bool, "x", ValueError),
        (settings.validate_bool, 1, TypeError),
        (settings.validate_dict, {}, {}),
        (settings.validate_dict, None, TypeError),
        (settings.validate_pos_int, "0x10", 16),
        (settings.validate_pos_int, True, 1),
        (settings.validate_pos_int, -1, ValueError),
        (settings.validate_pos_int, 3.5, TypeError),
        (settings.validate_string, " x ", "x"),
        (settings.validate_string, 3, TypeError),
        (settings.validate_file_exists, "/nowhere", ValueError),
        (settings.validate_list_string, "a", ["a"]),
        (settings.validate_list_string, None, []),
        (settings.validate_list_string, [3], TypeError),
        (settings.validate_list_of_files_or_patterns, ["/nowhere*"], ["/nowhere*"]),
        (settings.validate_list_of_files_or_patterns, ["/nowhere"], ValueError),
        (settings.validate_string_to_list, "a, b", ["a", "b"]),
        (settings.validate_string_to_addr_list, "127.0.0.1,*", ["127.0.0.1", "*"]),
        (settings.validate_string_to_addr_list, "x", ValueError),
        (settings.validate_class, " a.b ", "a.b"),
        (settings.validate_class, lambda: Log, Log),
        (settings.validate_class, 3, TypeError),
        (settings.validate_callable(1), "os.path.exists", os.path.exists),
        (settings.validate_callable(1), lambda: 0, TypeError),
        (settings.validate_callable(-1), "no.such", TypeError),
        (settings.validate_post_request, lambda a: 0, TypeError),
        (settings.validate_user, "root", 0),
        (settings.validate_user, "no-such-user", ConfigError),
        (settings.validate_group, "root", 0),
        (settings.validate_group, None, os.getegid()),
        (settings.validate_chdir, "/", "/"),
        (settings.validate_chdir, "/nowhere", ConfigError),
        (settings.validate_statsd_address, "h", ("h", 8125)),
        (settings.validate_statsd_address, "unix:///x", "/x"),
        (settings.validate_statsd_address, "h:x", TypeError),
        (settings.validate_reload_engine, "poll", "poll"),
        (settings.validate_reload_engine, "x", ConfigError),
        (lambda text: settings.auto_int(None, text), "017", 15),
        (lambda text: settings.auto_int(None, text), "12", 12),
    ],
)
def test_a_check_of_a_value_takes_and_refuses_what_gunicorns_does(check, given, result):
    if isinstance(result, type) and issubclass(result, Exception):
        with pytest.raises(result):
            check(given)
    else:
        assert check(given) == result


def test_an_older_post_request_gets_as_many_arguments_as_it_takes():
    seen = []
    check = settings.validate_post_request(lambda worker, req: seen.append((worker, req)))
    check("worker", "req", "environ", "resp")
    assert seen == [("worker", "req")]


@pytest.mark.parametrize(
    ("error", "text", "status"),
    [
        (errors.InvalidRequestLine("GET"), "not a request line: 'GET'", 400),
        (errors.LimitRequestLine(9, 8), "a request line of 9 bytes, where 8 are allowed", 414),
        (errors.InvalidHeader("X", req=None), "not a field: 'X'", 400),
        (errors.UnsupportedTransferCoding("x"), "not a transfer coding that is known: 'x'", 501),
        (errors.ParseException("own words"), "own words", 400),
    ],
)
def test_what_is_wrong_with_a_request_can_be_raised_and_read(error, text, status):
    assert (str(error), error.code) == (text, status)
    assert isinstance(error, errors.ParseException)


def test_the_parts_of_what_is_wrong_are_attributes():
    error = errors.LimitRequestLine(9, max_size=8)
    assert (error.size, error.max_size) == (9, 8)
    with pytest.raises(TypeError):
        errors.InvalidRequestLine("GET", "more")


def test_bytes_that_were_read_can_be_given_back():
    reader = IterUnreader([b"ab", b"cd"])
    assert reader.read(3) == b"abc"
    reader.unread(b"bc")
    assert [reader.read(3), reader.read(3)] == [b"bcd", b""]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"hello")
        assert SocketUnreader(ours, 2).read(4) == b"hell"


def test_a_pidfile_belongs_to_the_process_that_it_names(tmp_path):
    path = tmp_path / "server.pid"
    pidfile = Pidfile(str(path))
    assert pidfile.validate() is None
    pidfile.create(os.getpid())
    assert path.read_text() == f"{os.getpid()}\n"
    assert pidfile.validate() == os.getpid()
    pidfile.rename(f"{path}.2")
    assert not path.exists()
    path.write_text("1\n")
    with pytest.raises(RuntimeError, match="process 1"):
        Pidfile(str(path)).create(os.getpid())
    Pidfile(str(path)).unlink()
    assert path.exists()
    pidfile.unlink()
    assert os.listdir(tmp_path) == ["server.pid"]


def test_systemd_is_told_and_its_sockets_are_counted(tmp_path, monkeypatch):
    log = Log()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        systemd.sd_notify("READY=1", log)
        assert ear.recv(100) == b"READY=1"
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    systemd.sd_notify("READY=1", log, unset_environment=True)
    assert "systemd cannot be told" in log.lines[0]
    assert "NOTIFY_SOCKET" not in os.environ
    monkeypatch.setenv("LISTEN_FDS", "2")
    monkeypatch.setenv("LISTEN_PID", "1")
    assert systemd.listen_fds() == 0
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    assert [systemd.listen_fds(), systemd.listen_fds()] == [2, 0]


@pytest.mark.parametrize("engine", ["poll", "inotify"])
def test_a_reloader_calls_back_for_each_change(tmp_path, engine):
    path = tmp_path / "watched"
    path.write_text("1")
    assert run(
        f"""
        import os, queue
        from gunicorn.reloader import reloader_engines
        changed = queue.Queue()
        reloader = reloader_engines[{engine!r}](callback=changed.put)
        reloader.add_extra_file({str(path)!r})
        reloader.start()
        told = [{str(path)!r} in reloader.get_files()]
        for text in ("22", "333"):
            with open({str(path) + ".new"!r}, "w") as file:
                file.write(text)
            os.replace(file.name, {str(path)!r})
            told.append(changed.get(timeout=20))
        print(json.dumps(told))
        """
    ) == [True, str(path), str(path)]


def test_sockets_can_be_made_beside_the_servers(tmp_path):
    cfg = Config()
    cfg.set("bind", ["127.0.0.1:0", "[::1]:0", f"unix:{tmp_path}/sock"])
    made = create_sockets(cfg, Log())
    assert [type(each) for each in made] == [TCPSocket, TCP6Socket, UnixSocket]
    for each in made:
        with socket.socket(each.FAMILY) as client:
            client.connect(each.getsockname())
    (again,) = create_sockets(cfg, Log(), fds=[os.dup(made[0].fileno())])
    assert str(again) == str(made[0])
    close_sockets([*made, again])
    assert [each.sock.fileno() for each in made] == [-1, -1, -1]
    assert os.listdir(tmp_path) == []


def test_lines_that_run_are_printed_until_they_are_not():
    printed = run(
        """
        import io, sys
        from gunicorn.debug import spew, unspew

        def told(y):
            return y + 1

        kept, sys.stderr = sys.stderr, io.StringIO()
        spew(trace_names=["__main__"], show_values=True)
        told(1)
        unspew()
        told(2)
        text, sys.stderr = sys.stderr.getvalue(), kept
        print(json.dumps(text))
        """
    )
    assert "y=1" in printed
    assert "y=2" not in printed
