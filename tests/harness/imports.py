"""What is imported of gunicorn, and a process in which that is answered."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import Any

from tests.harness.server import environment

#: Every module of gunicorn 27.0.1.
THEIRS = """
    gunicorn gunicorn.__main__ gunicorn.app gunicorn.app.base gunicorn.app.pasterapp
    gunicorn.app.wsgiapp gunicorn.arbiter gunicorn.asgi gunicorn.asgi.lifespan gunicorn.asgi.parser
    gunicorn.asgi.protocol gunicorn.asgi.unreader gunicorn.asgi.uwsgi gunicorn.asgi.websocket
    gunicorn.config gunicorn.ctl gunicorn.ctl.cli gunicorn.ctl.client gunicorn.ctl.handlers
    gunicorn.ctl.protocol gunicorn.ctl.server gunicorn.debug gunicorn.dirty gunicorn.dirty.app
    gunicorn.dirty.arbiter gunicorn.dirty.client gunicorn.dirty.errors gunicorn.dirty.pidfile
    gunicorn.dirty.protocol gunicorn.dirty.stash gunicorn.dirty.tlv gunicorn.dirty.worker
    gunicorn.errors gunicorn.glogging gunicorn.http gunicorn.http.body gunicorn.http.errors
    gunicorn.http.message gunicorn.http.parser gunicorn.http.unreader gunicorn.http.wsgi
    gunicorn.http2 gunicorn.http2.async_connection gunicorn.http2.connection gunicorn.http2.errors
    gunicorn.http2.h2conn gunicorn.http2.negotiation gunicorn.http2.request gunicorn.http2.response
    gunicorn.http2.stream gunicorn.instrument gunicorn.instrument.statsd gunicorn.pidfile
    gunicorn.reloader gunicorn.sock gunicorn.systemd gunicorn.util gunicorn.uwsgi
    gunicorn.uwsgi.errors gunicorn.uwsgi.message gunicorn.uwsgi.parser gunicorn.workers
    gunicorn.workers.base gunicorn.workers.base_async gunicorn.workers.gasgi
    gunicorn.workers.ggevent gunicorn.workers.gthread gunicorn.workers.gtornado
    gunicorn.workers.sync gunicorn.workers.workertmp
"""

#: What programs, agents, loggers and worker classes import.
NAMES = {
    "gunicorn": "SERVER SERVER_SOFTWARE __version__ version_info",
    "gunicorn.__main__": "",
    "gunicorn.app": "",
    "gunicorn.app.base": "Application BaseApplication",
    "gunicorn.app.pasterapp": "get_wsgi_app has_logging_config serve",
    "gunicorn.app.wsgiapp": "WSGIApplication run",
    "gunicorn.arbiter": "Arbiter",
    "gunicorn.config": """
        Config KNOWN_SETTINGS Setting auto_int get_default_config_file make_settings
        validate_bool validate_callable validate_chdir validate_class validate_dict
        validate_file_exists validate_group validate_list_of_files_or_patterns
        validate_list_string validate_pos_int validate_post_request validate_reload_engine
        validate_statsd_address validate_string validate_string_to_addr_list
        validate_string_to_list validate_user
        AccessLog AccessLogFormat BacklogMetric Backlog Bind CACerts CaptureOutput
        CasefoldHTTPMethod CertFile CertReqs Chdir ChildExit Ciphers ConfigCheck ConfigFile
        ControlSocket ControlSocketDisable ControlSocketMode Daemon DefaultProcName DirtyApps
        DirtyGracefulTimeout DirtyPostFork DirtyThreads DirtyTimeout DirtyWorkerExit
        DirtyWorkerInit DirtyWorkers DisableRedirectAccessToSyslog DoHandshakeOnConnect
        DogstatsdTags EnableStdioInheritance Env ErrorLog ForwardedAllowIPS ForwarderHeaders
        GracefulTimeout Group HTTP2Cleartext HTTP2InitialWindowSize HTTP2MaxConcurrentStreams
        HTTP2MaxFrameSize HTTP2MaxHeaderListSize HTTPProtocols HeaderMap HttpParser Initgroups
        ASGIDisconnectGracePeriod ASGILifespan ASGILoop WebSocketMaxMessageSize
        Keepalive KeyFile LimitRequestFieldSize LimitRequestFields LimitRequestLine LogConfig
        LogConfigDict LogConfigJson LoggerClass Loglevel MaxRequests MaxRequestsJitter
        NewSSLContext NumWorkersChanged OnDirtyStarting OnExit OnReload OnStarting Paste
        PasteGlobalConf PermitObsoleteFolding PermitUnconventionalHTTPMethod
        PermitUnconventionalHTTPVersion Pidfile PostRequest PostWorkerInit Postfork PreExec
        PreRequest Prefork PreloadApp PrintConfig Procname Protocol ProxyAllowFrom ProxyProtocol
        PythonPath Reload ReloadEngine ReloadExtraFiles ReusePort RootPath SSLVersion
        SecureSchemeHeader Sendfile Spew StatsdHost StatsdPrefix StripHeaderSpaces
        SuppressRaggedEOFs Syslog SyslogFacility SyslogPrefix SyslogTo Timeout TmpUploadDir
        UWSGIAllowFrom Umask User WSGIApp WhenReady WorkerAbort WorkerClass WorkerConnections
        WorkerExit WorkerInt WorkerThreads WorkerTmpDir Workers
    """,
    "gunicorn.debug": "Spew spew unspew",
    "gunicorn.errors": "AppImportError ConfigError HaltServer",
    "gunicorn.glogging": "CONFIG_DEFAULTS Logger SYSLOG_FACILITIES SafeAtoms loggers "
    "parse_syslog_address",
    "gunicorn.http": "Message Request body errors message unreader wsgi",
    "gunicorn.http.body": "Body",
    "gunicorn.http.errors": """
        ChunkMissingTerminator ConfigurationProblem ExpectationFailed ForbiddenProxyRequest
        InvalidChunkExtension InvalidChunkSize InvalidH2CPreface InvalidHTTPVersion InvalidHeader
        InvalidHeaderName InvalidProxyHeader InvalidProxyLine InvalidRequestLine
        InvalidRequestMethod InvalidResponseHeader InvalidResponseHeaderName InvalidSchemeHeaders
        LimitRequestHeaders LimitRequestLine NoMoreData ObsoleteFolding ParseException
        UnsupportedTransferCoding
    """,
    "gunicorn.http.message": "Message Request",
    "gunicorn.http.unreader": "IterUnreader SocketUnreader Unreader",
    "gunicorn.http.wsgi": "BLKSIZE FileWrapper Response SERVER SERVER_SOFTWARE WSGIErrorsWrapper "
    "base_environ log",
    "gunicorn.instrument": "",
    "gunicorn.instrument.statsd": "COUNTER_TYPE GAUGE_TYPE HISTOGRAM_TYPE METRIC_VAR MTYPE_VAR "
    "Statsd TIMER_TYPE VALUE_VAR",
    "gunicorn.pidfile": "Pidfile",
    "gunicorn.reloader": "InotifyReloader Reloader ReloaderBase has_inotify preferred_reloader "
    "reloader_engines",
    "gunicorn.sock": "BaseSocket TCP6Socket TCPSocket UnixSocket close_sockets create_sockets "
    "ssl_context ssl_wrap_socket",
    "gunicorn.systemd": "SD_LISTEN_FDS_START listen_fds sd_notify",
    "gunicorn.util": """
        REDIRECT_TO SUPPORTED_WORKERS bytes_to_str check_is_writable chown close close_graceful
        close_on_exec daemonize get_arity get_username getcwd has_fileno hop_headers http_date
        import_app is_glob_pattern is_hoppish is_ipv6 load_class load_entry_point make_fail_app
        parse_address positionals reraise seed set_non_blocking set_owner_process
        split_request_uri to_bytestring unlink unquote_to_wsgi_str warn write write_chunk
        write_error write_nonblock
    """,
    "gunicorn.workers": "SUPPORTED_WORKERS",
    "gunicorn.workers.base": "Worker WorkerTmp",
    "gunicorn.workers.base_async": "ALREADY_HANDLED AsyncWorker",
    "gunicorn.workers.gthread": "ThreadWorker",
    "gunicorn.workers.sync": "SyncWorker",
    "gunicorn.workers.workertmp": "WorkerTmp",
}

#: Has imports answered from then on.
INSTALL = "import tricorn._standin as standin; standin.install()"


def run(program: str, *, before: str = INSTALL, **variables: str) -> Any:
    """Run a program with imports answered, and return what it prints as JSON."""
    source = f"{before}\nimport json\n{textwrap.dedent(program)}"
    done = subprocess.run(
        [sys.executable, "-c", source],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
