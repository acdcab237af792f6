//! The server without an interpreter: the example site under real signals, over real sockets.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A running server, its address, and what it goes on to say.
struct Site {
    server: Child,
    address: String,
    log: BufReader<ChildStderr>,
}

impl Site {
    fn start(arguments: &[&str]) -> Self {
        let mut server = Command::new(example())
            .args(["--bind", "127.0.0.1:0"])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(server.stderr.take().unwrap());
        let said = line_with(&mut log, "Listening at: http://");
        let address = said.split("http://").nth(1).unwrap();
        let address = address.split_whitespace().next().unwrap().to_owned();
        Self {
            server,
            address,
            log,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.server.id() as i32), signal).unwrap();
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The example is built beside the tests.
fn example() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.join("examples/native")
}

fn line_with(log: &mut impl BufRead, text: &str) -> String {
    let mut line = String::new();
    while !line.contains(text) {
        line.clear();
        assert!(
            log.read_line(&mut line).unwrap() > 0,
            "the log ended before {text:?}"
        );
    }
    line
}

/// Sends a request and reads the answer to the connection's end.
fn ask(site: &Site, request: &str) -> String {
    let mut stream = site.connect();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: native.example\r\nConnection: close\r\n\r\n")
}

#[test]
fn it_answers_under_both_drivers() {
    for class in ["sync", "gthread"] {
        let site = Site::start(&["-k", class]);
        assert!(ask(&site, &get("/")).ends_with("\r\n\r\nhello"));
        let streamed = ask(&site, &get("/stream/3"));
        assert_eq!(streamed.matches("\r\n4000\r\n").count(), 3);
        let echo = "POST /echo HTTP/1.1\r\nHost: native.example\r\nConnection: close\r\n\
                    Content-Length: 4\r\n\r\nback";
        assert!(ask(&site, echo).ends_with("\r\n\r\nback"));
    }
}

#[test]
fn it_refuses_what_is_no_request() {
    let site = Site::start(&[]);
    let answer = ask(&site, "GET / HTTP/1.1\nHost: native.example\n\n");
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"));
}

#[test]
fn a_running_request_is_answered_before_it_stops() {
    let mut site = Site::start(&[]);
    ask(&site, &get("/"));
    let mut stream = site.connect();
    stream.write_all(get("/sleep").as_bytes()).unwrap();
    site.signal(Signal::SIGTERM);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("slept"));
    assert!(site.server.wait().unwrap().success());
    line_with(&mut site.log, "Shutting down");
}

#[test]
fn a_reload_brings_new_workers() {
    let mut site = Site::start(&[]);
    let pid = |answer: String| answer.rsplit("\r\n").next().unwrap().to_owned();
    let before = pid(ask(&site, &get("/pid")));
    site.signal(Signal::SIGHUP);
    line_with(&mut site.log, &format!("Worker exiting (pid: {before})"));
    assert_ne!(pid(ask(&site, &get("/pid"))), before);
}
