//! Saying why a worker gives no sign of life: which requests it runs, which
//! compiled handler it is inside of, and where its threads are.

use std::fmt::Write;

use super::drive::Driver;
use crate::clock;
use crate::hooks::Age;

/// In what way a worker is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    /// It gives no sign of life.
    Itself,
    /// It does not come to serve.
    Boot,
    /// A request does not come to its end.
    Request,
}

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
        let silence = seconds(cell.silence(now));
        let what = match why {
            Silence::Itself => format!("has given no sign of life for {silence}"),
            Silence::Boot => "has not come to serve within boot_timeout".to_owned(),
            Silence::Request => "runs a request for longer than request_timeout".to_owned(),
        };
        let mut report = format!("Worker {id} (pid {pid}) {what}");
        // Writing to memory cannot fail.
        for request in cell.running() {
            let runs = seconds(now.saturating_sub(request.began));
            let _ = write!(report, "\n  it runs {request}, for {runs}");
        }
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
        log::error!("{report}");
    }
}

fn seconds(nanos: u64) -> String {
    let tenths = nanos / 100_000_000;
    format!("{}.{} s", tenths / 10, tenths % 10)
}
