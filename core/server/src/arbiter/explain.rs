//! Saying why a worker gives no sign of life: which requests it runs, which
//! compiled handler it is inside of, and where its threads are.

use std::fmt::Write;
use std::sync::atomic::Ordering;

use super::drive::Driver;
use super::event::Silence;
use crate::clock;
use crate::hooks::Age;
use crate::lifeline::{Cell, PLACES};

impl Driver<'_> {
    /// Logs what a silent worker is doing.
    pub(super) fn explain(&mut self, age: Age, pid: i32, why: Silence) {
        let mut children = self.children.iter_mut();
        let Some(child) = children.find(|child| child.member.age == age) else {
            return;
        };
        let id = child.member.id;
        let cell = self.board.cell(id);
        let now = clock::now();
        let mut report = format!("Worker {id} (pid {pid}) {}", what(why, cell, now));
        tell_requests(&mut report, cell, now);
        // Writing to memory cannot fail.
        let crumbs = cell.lasting_crumbs();
        child.stuck_in = child.plugins.scene_of_death(crumbs.into_iter());
        if let Some((_, place)) = &child.stuck_in {
            let _ = write!(report, "\n  it is inside {place}");
        }
        if cell.explains() {
            match child.end.stacks().ask(pid) {
                Ok(stacks) if !stacks.is_empty() => {
                    let _ = write!(report, "\n{}", stacks.trim_end());
                }
                Ok(_) => report.push_str("\n  it does not say where its threads are: it may be stopped, or wait for a disk"),
                Err(error) => {
                    let _ = write!(report, "\n  where its threads are cannot be found out: {error}");
                }
            }
        }
        match why {
            Silence::Slow => log::warn!("{report}"),
            _ => log::error!("{report}"),
        }
    }
}

fn what(why: Silence, cell: &Cell, now: u64) -> String {
    match why {
        Silence::Itself => format!(
            "has given no sign of life for {}",
            seconds(cell.silence(now))
        ),
        Silence::Pool => format!(
            "has no thread that has moved for {}: it is replaced, and answers what it can",
            seconds(cell.stillness(now))
        ),
        Silence::Boot => "has not come to serve within boot_timeout".to_owned(),
        Silence::Request => "runs a request for longer than request_timeout".to_owned(),
        Silence::Slow => {
            "runs a request for longer than timeout, beside others: request_timeout would end it"
                .to_owned()
        }
    }
}

fn tell_requests(report: &mut String, cell: &Cell, now: u64) {
    for request in cell.running() {
        let runs = seconds(now.saturating_sub(request.began));
        let _ = write!(report, "\n  it runs {request}, for {runs}");
    }
    if let Some((count, oldest)) = cell.beyond() {
        let runs = seconds(now.saturating_sub(oldest));
        let _ = write!(
            report,
            "\n  threads beyond the first {PLACES} run {count} more, the oldest for {runs}"
        );
    }
    let astray = cell.astray().load(Ordering::Relaxed);
    if astray > 0 {
        let _ = write!(
            report,
            "\n  threads beyond the first {PLACES} are inside plugins: {astray}"
        );
    }
}

fn seconds(nanos: u64) -> String {
    let tenths = nanos / 100_000_000;
    format!("{}.{} s", tenths / 10, tenths % 10)
}
