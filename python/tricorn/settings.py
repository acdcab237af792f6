"""The settings by name and type, for type checkers: what :func:`tricorn.serve` takes.

What each is about stands in ``docs/reference/settings.md`` and ``tricorn --help``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

#: A handler, its dotted name, or several of either.
Hook = Callable[..., Any] | str | Sequence[Callable[..., Any] | str]


class Settings(TypedDict, total=False):
    """Every setting, and every hook that a Python handler can have."""

    # Config File
    config: str
    wsgi_app: str | None

    # Server Socket
    bind: str | Sequence[str]
    backlog: int

    # Worker Processes
    workers: int
    worker_class: str | type[Any] | Callable[[], type[Any]]
    threads: int
    worker_connections: int
    max_requests: int
    max_requests_jitter: int
    max_worker_memory: int | str
    max_worker_age: float
    max_surge: int
    timeout: int
    request_timeout: float
    boot_timeout: float
    abort_grace: float
    graceful_timeout: int
    keepalive: int
    asgi_loop: str
    asgi_lifespan: str
    asgi_disconnect_grace_period: int
    websocket_max_message_size: int
    http_parser: str

    # Security
    limit_request_line: int
    limit_request_fields: int
    limit_request_field_size: int

    # Buffers and Time Limits
    header_timeout: float
    body_timeout: float
    write_timeout: float
    request_body_buffer: int
    request_body_chunks: bool
    request_body_memory: int
    response_buffer: int

    # Debugging
    reload: bool
    reload_engine: str
    reload_extra_files: str | Sequence[str]
    spew: bool
    check_config: bool
    print_config: float

    # Server Mechanics
    preload_app: bool
    preload_reload: bool
    gc_freeze: bool
    sendfile: bool
    reuse_port: bool
    chdir: str
    daemon: bool
    raw_env: str | Sequence[str]
    pidfile: str | None
    worker_tmp_dir: str | None
    user: int | str
    group: int | str
    initgroups: bool
    umask: int | str
    tmp_upload_dir: str | None
    gunicorn_compat: bool
    pythonpath: str | None
    paste: str | None
    raw_paste_global_conf: str | Sequence[str]
    secure_scheme_headers: Mapping[str, str]
    forwarded_allow_ips: str | Sequence[str]
    forwarder_headers: str | Sequence[str]
    header_map: str
    proxy_protocol: bool | str
    proxy_allow_ips: str | Sequence[str]
    protocol: str
    uwsgi_allow_ips: str | Sequence[str]
    root_path: str
    permit_obsolete_folding: bool
    strip_header_spaces: bool
    permit_unconventional_http_method: bool
    permit_unconventional_http_version: bool
    casefold_http_method: bool
    permit_missing_host: bool

    # Plugins
    plugins: Sequence[str | Mapping[str, Any]]
    plugin_options: str | Sequence[str]
    plugin_timeout: float
    plugin_allow: str | Sequence[str]
    plugin_keep_copies: bool

    # Logging
    accesslog: str | None
    access_log_format: str
    access_log_exclude: str | Sequence[str]
    access_log_formatter: str | Callable[..., Any] | None
    logger_class: str | type[Any]
    logconfig: str | None
    logconfig_dict: Mapping[str, Any]
    logconfig_json: str | None
    errorlog: str
    loglevel: str
    capture_output: bool
    syslog: bool
    syslog_addr: str
    syslog_prefix: str | None
    syslog_facility: str
    disable_redirect_access_to_syslog: bool
    statsd_host: str | None
    statsd_prefix: str
    dogstatsd_tags: str
    enable_backlog_metric: bool
    enable_stdio_inheritance: bool

    # Process Naming
    proc_name: str | None
    default_proc_name: str

    # SSL
    keyfile: str | None
    certfile: str | None
    ssl_version: Any
    cert_reqs: float
    ca_certs: str | None
    suppress_ragged_eofs: bool
    do_handshake_on_connect: bool
    ciphers: str | None

    # HTTP/2
    http_protocols: str | Sequence[str]
    http2_cleartext: bool | str
    http2_max_concurrent_streams: float
    http2_initial_window_size: float
    http2_max_frame_size: float
    http2_max_header_list_size: int

    # Dirty Arbiters
    dirty_apps: str | Sequence[str]
    dirty_workers: int
    dirty_timeout: int
    dirty_threads: int
    dirty_graceful_timeout: int

    # Dirty Arbiter Hooks
    on_dirty_starting: Hook
    dirty_post_fork: Hook
    dirty_worker_init: Hook
    dirty_worker_exit: Hook

    # Control
    control_socket: str
    control_socket_mode: int | str
    control_socket_disable: bool

    # Server Hooks
    on_starting: Hook
    on_reload: Hook
    when_ready: Hook
    pre_fork: Hook
    post_fork: Hook
    worker_init: Hook
    post_worker_init: Hook
    worker_int: Hook
    worker_abort: Hook
    pre_exec: Hook
    pre_request: Hook
    post_request: Hook
    child_exit: Hook
    worker_exit: Hook
    nworkers_changed: Hook
    on_exit: Hook
    ssl_context: Hook
    response_start: Hook
    request_error: Hook
    worker_ready: Hook
    worker_timeout: Hook
    signal_received: Hook
    drain_start: Hook
    log_reopen: Hook
