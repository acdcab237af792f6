//! Threads of a plugin's own that panic: the server hears of it, and what they had in their hands is
//! answered.

use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use tricorn_hooks::prelude::*;
use tricorn_hooks::testing::{Decision, FakeHost, FakeRequest};

struct Decider(Sender<Resume>);

impl Plugin for Decider {
    type Options = NoOptions;

    fn new(_: &NoOptions, worker: &Worker) -> Result<Self> {
        let (sender, resumes) = channel::<Resume>();
        worker.spawn("decider", move || {
            let first = resumes.recv();
            assert!(first.is_err(), "asked to, by the first request");
        })?;
        Ok(Self(sender))
    }
}

impl Decider {
    fn decide(&self, request: &mut Request<'_>) -> Result<Flow> {
        self.0.send(request.suspend()?)?;
        Ok(Flow::Pending)
    }
}

on!(Decider, pre_request => decide);
export_plugin!(Decider, id = "test.decider");

#[test]
fn a_thread_that_panics_is_told_of_before_its_request_is_answered() {
    let host = FakeHost::load(tricorn_plugin_entry_v1, "test.decider", "{}").unwrap();
    let mut request = FakeRequest::new("GET", "/");
    assert_eq!(host.pre_request(&mut request), Ok(Flow::Pending));
    let deadline = Instant::now() + Duration::from_secs(10);
    let decision = loop {
        if let Some(decision) = host.decision(&request) {
            break decision;
        }
        assert!(Instant::now() < deadline, "nobody decides");
        std::thread::yield_now();
    };
    assert_eq!(host.thread_panics(), 1);
    let Decision::Answer(answer) = decision else {
        panic!("it is no answer: {decision:?}");
    };
    assert_eq!(answer.status, 500);
}
