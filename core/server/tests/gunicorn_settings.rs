//! What is known of gunicorn 27's settings, and the test that they are all here.

use std::collections::{BTreeMap, BTreeSet};

use tricorn_server::config::declared::{all, find};
use tricorn_server::config::{Kind, start_directory};
use tricorn_server::hooks::Event;

/// Under the headings of its sections: name, flags, kind, and the default as Python writes it, or
/// the number of arguments of a hook. What depends on the machine stands in angle brackets.
const FACTS: &str = r#"
[Config File]
config | -c --config | text | './gunicorn.conf.py'
wsgi_app | - | text | None
[Server Socket]
bind | -b --bind | list | ['127.0.0.1:8000']
backlog | --backlog | count | 2048
[Worker Processes]
workers | -w --workers | count | 1
worker_class | -k --worker-class | class | 'sync'
threads | --threads | count | 1
worker_connections | --worker-connections | count | 1000
max_requests | --max-requests | count | 0
max_requests_jitter | --max-requests-jitter | count | 0
timeout | -t --timeout | count | 30
graceful_timeout | --graceful-timeout | count | 30
keepalive | --keep-alive | count | 2
asgi_loop | --asgi-loop | choice | 'auto'
asgi_lifespan | --asgi-lifespan | choice | 'auto'
asgi_disconnect_grace_period | --asgi-disconnect-grace-period | count | 3
websocket_max_message_size | --websocket-max-message-size | count | 16777216
http_parser | --http-parser | choice | 'auto'
[Security]
limit_request_line | --limit-request-line | count | 4094
limit_request_fields | --limit-request-fields | count | 100
limit_request_field_size | --limit-request-field_size | count | 8190
[Debugging]
reload | --reload | bool | False
reload_engine | --reload-engine | choice | 'auto'
reload_extra_files | --reload-extra-file | files | []
spew | --spew | bool | False
check_config | --check-config | bool | False
print_config | --print-config | bool | False
[Server Mechanics]
preload_app | --preload | bool | False
sendfile | --no-sendfile | bool | None
reuse_port | --reuse-port | bool | False
chdir | --chdir | directory | '<start>'
daemon | -D --daemon | bool | False
raw_env | -e --env | list | []
pidfile | -p --pid | text | None
worker_tmp_dir | --worker-tmp-dir | text | None
user | -u --user | user | <user>
group | -g --group | group | <group>
umask | -m --umask | mode | 0
initgroups | --initgroups | bool | False
tmp_upload_dir | - | text | None
secure_scheme_headers | - | dict | {'X-FORWARDED-PROTOCOL': 'ssl', 'X-FORWARDED-PROTO': 'https', 'X-FORWARDED-SSL': 'on'}
forwarded_allow_ips | --forwarded-allow-ips | networks | ['127.0.0.1', '::1']
pythonpath | --pythonpath | text | None
paste | --paste --paster | text | None
proxy_protocol | --proxy-protocol | choice | 'off'
proxy_allow_ips | --proxy-allow-from | networks | ['127.0.0.1', '::1']
protocol | --protocol | text | 'http'
uwsgi_allow_ips | --uwsgi-allow-from | networks | ['127.0.0.1', '::1']
raw_paste_global_conf | --paste-global | list | []
permit_obsolete_folding | --permit-obsolete-folding | bool | False
strip_header_spaces | --strip-header-spaces | bool | False
permit_unconventional_http_method | --permit-unconventional-http-method | bool | False
permit_unconventional_http_version | --permit-unconventional-http-version | bool | False
casefold_http_method | --casefold-http-method | bool | False
forwarder_headers | --forwarder-headers | csv | ['SCRIPT_NAME', 'PATH_INFO']
header_map | --header-map | choice | 'drop'
root_path | --root-path | text | ''
[Logging]
accesslog | --access-logfile | text | None
disable_redirect_access_to_syslog | --disable-redirect-access-to-syslog | bool | False
access_log_format | --access-logformat | text | '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'
errorlog | --error-logfile --log-file | text | '-'
loglevel | --log-level | text | 'info'
capture_output | --capture-output | bool | False
logger_class | --logger-class | class | 'gunicorn.glogging.Logger'
logconfig | --log-config | text | None
logconfig_dict | - | dict | {}
logconfig_json | --log-config-json | text | None
syslog_addr | --log-syslog-to | text | 'udp://localhost:514'
syslog | --log-syslog | bool | False
syslog_prefix | --log-syslog-prefix | text | None
syslog_facility | --log-syslog-facility | text | 'user'
enable_stdio_inheritance | -R --enable-stdio-inheritance | bool | False
statsd_host | --statsd-host | text | None
dogstatsd_tags | --dogstatsd-tags | text | ''
statsd_prefix | --statsd-prefix | text | ''
enable_backlog_metric | --enable-backlog-metric | bool | False
[Process Naming]
proc_name | -n --name | text | None
default_proc_name | - | text | 'gunicorn'
[Server Hooks]
on_starting | - | callable | 1
on_reload | - | callable | 1
when_ready | - | callable | 1
pre_fork | - | callable | 2
post_fork | - | callable | 2
post_worker_init | - | callable | 1
worker_int | - | callable | 1
worker_abort | - | callable | 1
pre_exec | - | callable | 1
pre_request | - | callable | 2
post_request | - | callable | 4
child_exit | - | callable | 2
worker_exit | - | callable | 2
nworkers_changed | - | callable | 3
on_exit | - | callable | 1
ssl_context | - | callable | 2
[SSL]
keyfile | --keyfile | text | None
certfile | --certfile | text | None
ssl_version | --ssl-version | any | 2
cert_reqs | --cert-reqs | count | 0
ca_certs | --ca-certs | text | None
suppress_ragged_eofs | --suppress-ragged-eofs | bool | True
do_handshake_on_connect | --do-handshake-on-connect | bool | False
ciphers | --ciphers | text | None
[HTTP/2]
http_protocols | --http-protocols | words | ['h1']
http2_cleartext | --http2-cleartext | choice | 'off'
http2_max_concurrent_streams | --http2-max-concurrent-streams | range | 100
http2_initial_window_size | --http2-initial-window-size | range | 65535
http2_max_frame_size | --http2-max-frame-size | range | 16384
http2_max_header_list_size | --http2-max-header-list-size | count | 65536
[Dirty Arbiters]
dirty_apps | --dirty-app | list | []
dirty_workers | --dirty-workers | count | 0
dirty_timeout | --dirty-timeout | count | 300
dirty_threads | --dirty-threads | count | 1
dirty_graceful_timeout | --dirty-graceful-timeout | count | 30
[Dirty Arbiter Hooks]
on_dirty_starting | - | callable | 1
dirty_post_fork | - | callable | 2
dirty_worker_init | - | callable | 1
dirty_worker_exit | - | callable | 2
[Control]
control_socket | --control-socket | text | '<home>/.gunicorn/gunicorn.ctl'
control_socket_mode | --control-socket-mode | mode | 384
control_socket_disable | --no-control-socket | bool | False
"#;

/// Defaults that differ on purpose: here, the variable SENDFILE is read where the default is asked
/// for, the ids of the process are filled in on `cfg`, and the logger is native.
const OTHER_DEFAULTS: &[(&str, &str)] = &[
    ("sendfile", "True"),
    ("user", "None"),
    ("group", "None"),
    ("logger_class", "'native'"),
];

/// Kinds that are narrower: gunicorn takes any number and any text, and fails later or not at all.
const NARROWER: &[&str] = &["cert_reqs", "protocol"];

struct Fact {
    section: &'static str,
    flags: Vec<&'static str>,
    kind: &'static str,
    default: &'static str,
}

fn facts() -> BTreeMap<&'static str, Fact> {
    let mut section = "";
    let mut facts = BTreeMap::new();
    for line in FACTS.lines().filter(|line| !line.is_empty()) {
        if let Some(title) = line.strip_prefix('[') {
            section = title.trim_end_matches(']');
            continue;
        }
        let mut cells = line.splitn(4, " | ");
        let mut cell = || {
            cells
                .next()
                .unwrap_or_else(|| panic!("a short row: {line}"))
        };
        let (name, flags, kind, default) = (cell(), cell(), cell(), cell());
        let flags = flags.split(' ').filter(|flag| *flag != "-").collect();
        let fact = Fact {
            section,
            flags,
            kind,
            default,
        };
        assert!(facts.insert(name, fact).is_none(), "{name} twice");
    }
    facts
}

/// The word of the table that stands for a kind.
fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Bool | Kind::Off | Kind::Report(_) => "bool",
        Kind::Count => "count",
        Kind::Range(..) => "range",
        Kind::Mode => "mode",
        Kind::List => "list",
        Kind::Files => "files",
        Kind::CommaList => "csv",
        Kind::Ranking(_) => "words",
        Kind::Networks => "networks",
        Kind::Dict | Kind::Mapping => "dict",
        Kind::Choice(_) | Kind::Switch(_) => "choice",
        Kind::Class => "class",
        Kind::Callable(_) => "callable",
        Kind::Anything => "any",
        Kind::Directory => "directory",
        Kind::User => "user",
        Kind::Group => "group",
        Kind::Seconds | Kind::Bytes | Kind::Words(_) | Kind::Plugins => "tricorn's own",
    }
}

#[test]
fn there_are_all_of_gunicorns_settings_and_what_is_not_gunicorns_is_marked() {
    let settings = all().filter(|setting| !setting.ours).map(|s| s.name);
    let hooks = Event::ALL.iter().filter(|event| event.is_gunicorns());
    let here: BTreeSet<_> = settings.chain(hooks.map(|event| event.name())).collect();
    let there: BTreeSet<_> = facts().into_keys().collect();
    assert_eq!(there.len(), 120);
    assert_eq!(here, there);
}

#[test]
fn each_has_gunicorns_flags_kind_section_and_default() {
    let home = std::env::home_dir().unwrap().display().to_string();
    let home = home.trim_end_matches('/');
    let start = start_directory().display().to_string();
    for (name, fact) in facts() {
        let Some(setting) = find(name) else {
            let arguments = Event::find(name).unwrap().declaration().arguments;
            let count = arguments.names().unwrap().len().to_string();
            assert_eq!((fact.kind, fact.default), ("callable", &*count), "{name}");
            continue;
        };
        let own = setting
            .flags
            .iter()
            .filter(|flag| fact.flags.contains(flag));
        assert!(own.eq(&fact.flags), "{name}: {:?}", setting.flags);
        assert_eq!(setting.section.title(), fact.section, "{name}");
        let is_kind = kind_word(setting.kind) == fact.kind;
        assert_ne!(
            is_kind,
            NARROWER.contains(&name),
            "{name}: {:?}",
            setting.kind
        );
        if let Kind::Callable(arguments) = setting.kind {
            assert_eq!(arguments.len().to_string(), fact.default, "{name}");
            continue;
        }
        let default = setting.default_value(|_| None);
        let default = setting
            .check(default.clone())
            .unwrap_or(default)
            .to_string();
        let other = OTHER_DEFAULTS.iter().find(|(other, _)| *other == name);
        let expected = other.map_or(fact.default, |(_, default)| default);
        let expected = expected.replace("<home>", home);
        assert_eq!(default, expected.replace("<start>", &start), "{name}");
    }
}
