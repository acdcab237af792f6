//! User names and passwords (RFC 7617) against an htpasswd file with bcrypt.
//!
//! bcrypt is slow on purpose, so it does not run on the threads that serve: the request is suspended,
//! and a thread of the plugin's own decides. What has been proven is remembered for a while, as a
//! hash under a key of the worker's own.

mod check;
mod file;
mod queue;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tricorn_hooks::prelude::*;

use check::Proven;
use file::{Users, is_name};
use queue::{Place, Queue};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    /// The htpasswd file: `htpasswd -B` writes it.
    file: PathBuf,
    /// The realm that clients show.
    #[serde(default = "realm")]
    realm: String,
    /// Paths under these prefixes are guarded, in whatever spelling; all of them without any.
    #[serde(default)]
    paths: Vec<String>,
    /// Paths that are open all the same, and what is below them.
    #[serde(default)]
    open: Vec<String>,
    /// For how many seconds a proven password is remembered.
    #[serde(default = "five_minutes")]
    remember: u64,
}

fn realm() -> String {
    "restricted".to_owned()
}

fn five_minutes() -> u64 {
    300
}

/// Passwords that wait to be checked, at most; beyond, clients are told to come again.
const WAITING: usize = 128;

/// Those of one client at most: nobody else is to wait for them.
const WAITING_OF_ONE: usize = 8;

/// A password to check, and the request that waits for it.
struct Task {
    name: String,
    password: Vec<u8>,
    resume: Resume,
    /// Gone when its request is.
    request: Weak<()>,
    /// Counts among its client's while it lives.
    _place: Place,
}

struct Shared {
    options: Options,
    users: Users,
}

struct AuthBasic {
    challenge: String,
    paths: Vec<String>,
    open: Vec<String>,
    users: Users,
    proven: Proven,
    tasks: SyncSender<Task>,
    queue: Queue,
}

impl StagedPlugin for AuthBasic {
    type Options = Options;
    type Module = Shared;

    fn prepare(options: Options, _: &Arbiter) -> Result<Shared> {
        if options.realm.contains(['"', '\r', '\n', '\\']) {
            return Err(Error::new(
                "realm: it must have no quotation mark, backslash or line end",
            ));
        }
        let users = Users::read(&options.file)?;
        Ok(Shared { options, users })
    }

    fn start(shared: &Shared, worker: &Worker) -> Result<Self> {
        let options = &shared.options;
        let (tasks, received) = sync_channel(WAITING);
        let proven = Proven::new(Duration::from_secs(options.remember))?;
        let challenge = format!("Basic realm=\"{}\", charset=\"UTF-8\"", options.realm);
        let checker = Checker {
            users: shared.users.clone(),
            proven: proven.clone(),
            challenge: challenge.clone(),
            worker: *worker,
        };
        worker.spawn("auth-basic", move || checker.run(&received))?;
        Ok(Self {
            challenge,
            paths: options.paths.clone(),
            open: options.open.clone(),
            users: shared.users.clone(),
            proven,
            tasks,
            queue: Queue::new(WAITING_OF_ONE),
        })
    }
}

impl AuthBasic {
    fn guards(&self, request: &Request<'_>) -> bool {
        !request.is_surely_below(&self.open)
            && (self.paths.is_empty() || request.may_concern(&self.paths))
    }

    fn guard(&self, request: &mut Request<'_>) -> Result<Flow> {
        if !self.guards(request) {
            return Ok(Flow::Continue);
        }
        let Some((name, password)) = credentials(request) else {
            return request.respond(refusal(&self.challenge));
        };
        if !self.users.has(&name) {
            // The answer takes as long as for one that is there: nobody learns who is.
            debug!("no user {name:?}");
        }
        request.set_environ("REMOTE_USER", &name)?;
        request.set_environ("AUTH_TYPE", "Basic")?;
        if self.proven.has(&name, &password) {
            return Ok(Flow::Continue);
        }
        let Some(place) = self.queue.join(request.peer()) else {
            return request.respond(too_many());
        };
        let waits = Arc::new(());
        let still = Arc::downgrade(&waits);
        request.keep(waits)?;
        let resume = request.suspend()?;
        let task = Task {
            name,
            password,
            resume,
            request: still,
            _place: place,
        };
        if let Err(full) = self.tasks.try_send(task) {
            let task = match full {
                std::sync::mpsc::TrySendError::Full(task)
                | std::sync::mpsc::TrySendError::Disconnected(task) => task,
            };
            task.resume.respond(too_many())?;
        }
        Ok(Flow::Pending)
    }
}

/// Name and password of `Authorization: Basic`.
fn credentials(request: &Request<'_>) -> Option<(String, Vec<u8>)> {
    let value = request.header_text("authorization")?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = BASE64_STANDARD.decode(encoded.trim()).ok()?;
    let colon = decoded.iter().position(|&b| b == b':')?;
    let name = String::from_utf8(decoded[..colon].to_vec()).ok()?;
    is_name(&name).then(|| (name, decoded[colon + 1..].to_vec()))
}

fn too_many() -> Answer {
    Answer::text(503, "Too many log-ins at once\n").header("Retry-After", "1")
}

fn refusal(challenge: &str) -> Answer {
    Answer::text(401, "Log in, please\n").header("WWW-Authenticate", challenge)
}

/// The thread that checks passwords.
struct Checker {
    users: Users,
    proven: Proven,
    challenge: String,
    worker: Worker,
}

impl Checker {
    fn run(&self, tasks: &Receiver<Task>) {
        while !self.leaves() {
            match tasks.recv_timeout(Duration::from_millis(200)) {
                Ok(task) => self.check(task),
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn leaves(&self) -> bool {
        self.worker.wait_for_stop(Duration::ZERO)
    }

    fn check(&self, task: Task) {
        if task.request.strong_count() == 0 {
            // The client has gone: checking would only hold up the others.
            return;
        }
        let is_right = self.users.verify(&task.name, &task.password);
        let decided = if is_right {
            self.proven.remember(&task.name, &task.password);
            task.resume.go_on();
            Ok(())
        } else {
            info!("a wrong password for {:?}", task.name);
            task.resume.respond(refusal(&self.challenge))
        };
        if let Err(error) = decided {
            error!("{error}");
        }
    }
}

on!(AuthBasic, request_head => guard, priority: -20);

export_plugin!(
    AuthBasic,
    id = "tricorn.auth-basic",
    description = "Asks for a user name and a password",
    required = true
);

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tricorn_hooks::testing::{Decision, FakeHost, FakeRequest};

    use super::*;

    fn host(name: &str, more: &str) -> FakeHost {
        let path = std::env::temp_dir().join(format!("tricorn-auth-{name}-{}", std::process::id()));
        let hash = bcrypt::hash("sesame", 4).unwrap();
        std::fs::write(&path, format!("# users\nada:{hash}\n")).unwrap();
        let options = format!(r#"{{"file": {path:?}{more}}}"#);
        let host = FakeHost::load(tricorn_plugin_entry_v1, "tricorn.auth-basic", &options).unwrap();
        std::fs::remove_file(&path).unwrap();
        host
    }

    fn with(pair: &str) -> FakeRequest {
        let value = format!("Basic {}", BASE64_STANDARD.encode(pair));
        FakeRequest::new("GET", "/").header("Authorization", value)
    }

    fn decision(host: &FakeHost, request: &FakeRequest) -> Decision {
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if let Some(decision) = host.decision(request) {
                return decision;
            }
            std::thread::yield_now();
        }
        panic!("nobody decides");
    }

    #[test]
    fn a_password_is_checked_once_and_then_remembered() {
        let host = host("right", "");
        let mut request = with("ada:sesame");
        assert_eq!(host.request_head(&mut request), Ok(Flow::Pending));
        assert_eq!(decision(&host, &request), Decision::GoOn);
        assert_eq!(request.environ[0], ("REMOTE_USER".into(), b"ada".to_vec()));
        assert_eq!(
            host.request_head(&mut with("ada:sesame")),
            Ok(Flow::Continue)
        );
        assert_eq!(host.request_head(&mut with("ada:other")), Ok(Flow::Pending));
    }

    #[test]
    fn one_client_cannot_fill_the_queue() {
        let host = host("queue", "");
        let mut requests: Vec<_> = (0..2 * WAITING_OF_ONE)
            .map(|_| with("ada:open").peer("192.0.2.1"))
            .collect();
        let flow = |request: &mut FakeRequest| host.request_head(request).unwrap();
        let many: Vec<_> = requests.iter_mut().map(flow).collect();
        assert!(many.contains(&Flow::Respond));
        let mut other = with("ada:open").peer("192.0.2.2");
        assert_eq!(flow(&mut other), Flow::Pending);
    }

    #[test]
    fn a_client_that_is_gone_is_not_checked() {
        let host = host("gone", "");
        let mut first = with("ada:open");
        assert_eq!(host.request_head(&mut first), Ok(Flow::Pending));
        let mut gone = with("ada:sesame");
        assert_eq!(host.request_head(&mut gone), Ok(Flow::Pending));
        drop(gone);
        let mut last = with("ada:open");
        assert_eq!(host.request_head(&mut last), Ok(Flow::Pending));
        decision(&host, &last);
        let mut again = with("ada:sesame");
        assert_eq!(
            host.request_head(&mut again),
            Ok(Flow::Pending),
            "nobody has checked it"
        );
    }

    #[test]
    fn a_wrong_password_and_an_unknown_name_are_refused_alike() {
        let host = host("wrong", "");
        for pair in ["ada:open", "bob:sesame"] {
            let mut request = with(pair);
            assert_eq!(host.request_head(&mut request), Ok(Flow::Pending));
            let Decision::Answer(answer) = decision(&host, &request) else {
                panic!("{pair} is let in");
            };
            assert_eq!(answer.status, 401);
            assert!(
                answer
                    .header("WWW-Authenticate")
                    .unwrap()
                    .contains("restricted")
            );
        }
    }

    #[test]
    fn only_what_is_guarded_needs_a_password() {
        let host = host(
            "paths",
            r#", "paths": ["/admin"], "open": ["/admin/login"]"#,
        );
        let flow = |target: &str| host.request_head(&mut FakeRequest::new("GET", target));
        assert_eq!(flow("/"), Ok(Flow::Continue));
        assert_eq!(flow("/admin/login"), Ok(Flow::Continue));
        for spelling in [
            "/admin/x",
            "/%61dmin/x",
            "//admin/x",
            "/a/../admin/x",
            "/./admin",
            "/admin/login/../x",
            "/admin/loginX",
        ] {
            assert_eq!(flow(spelling), Ok(Flow::Respond), "{spelling}");
        }
        let mut broken = FakeRequest::new("GET", "/admin").header("Authorization", "Basic ???");
        assert_eq!(host.request_head(&mut broken), Ok(Flow::Respond));
    }
}
