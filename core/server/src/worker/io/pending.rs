//! Requests that compiled handlers have suspended: they wait for a decision, which comes from any
//! thread, or not at all.

use std::sync::Arc;

use tricorn_http::Status;

use super::Key;
use super::conn::{Conn, ConnCell, Phase};
use super::core::Core;
use super::timers::NEVER;
use crate::exchange::{End, PreparedAnswer, Stage};
use crate::gateway::Decision;
use crate::hooks::Event;

impl Core {
    /// A request was suspended: it waits for its decision, which may have come already.
    pub(super) fn park(&mut self, cell: &ConnCell, conn: &mut Conn) {
        conn.limit_to(self.now, self.env.limits.decision);
        self.timers.arm(cell.key, &mut conn.limit);
        if let Some(decided) = conn.decided.take() {
            self.env.resumptions.decide_again(decided);
        }
    }

    /// Lets suspended requests go on that somebody has decided of.
    pub(super) fn take_decisions(&mut self) {
        for decided in self.env.resumptions.take() {
            let Some(cell) = self.find(Key::from_data(decided.ticket.connection)) else {
                continue;
            };
            let mut conn = cell.lock();
            if conn.number != decided.ticket.number {
                continue;
            }
            if conn.phase != Phase::Pending {
                // Decided before the handler has returned, unless it is from an earlier suspension.
                conn.decided = Some(decided);
            } else if conn.token == Some(decided.token) {
                conn.token = None;
                self.apply(&cell, &mut conn, decided.decision);
                self.pump(&cell, &mut conn);
            }
            drop(conn);
            self.resume_bodies();
        }
    }

    fn apply(&mut self, cell: &Arc<ConnCell>, conn: &mut Conn, decision: Decision) {
        conn.limit.at = NEVER;
        match decision {
            Decision::GoOn => match conn.resumes {
                Some((Stage::Head, place)) => {
                    conn.phase = Phase::Head;
                    if self.pass_head(cell, conn, place) {
                        self.await_body(cell, conn);
                    }
                }
                _ => self.queue(cell, conn),
            },
            Decision::Answer(answer) => {
                let PreparedAnswer {
                    head,
                    body,
                    content,
                } = *answer;
                conn.answer.head = head;
                conn.own_body = body;
                self.end_pending(conn);
                if cell.give_own(conn, content).is_err() {
                    conn.close_unanswered();
                }
            }
            Decision::Close => {
                self.end_pending(conn);
                conn.close_unanswered();
            }
        }
    }

    /// Names the handler that a request is suspended by: the one before that which it is to go on with.
    fn suspended_by(&self, conn: &Conn) -> Option<String> {
        let (stage, next) = conn.resumes?;
        let event = match stage {
            Stage::Head => Event::RequestHead,
            _ => Event::PreRequest,
        };
        let slot = self.env.bus.chain(event).get(next.checked_sub(1)?)?;
        let (name, source) = (&slot.handler.name, &slot.handler.source);
        Some(format!("{} handler {name} (from {source})", event.name()))
    }

    fn end_pending(&mut self, conn: &mut Conn) {
        if let Some(token) = conn.token.take() {
            self.env.resumptions.revoke(token);
        }
        self.release_body(conn);
        conn.phase = Phase::Flushing;
    }

    /// The worker is about to leave: what is suspended is answered while that is possible.
    pub(in super::super) fn give_up_pending(&mut self) {
        for cell in self.cells() {
            let mut conn = cell.lock();
            if conn.phase == Phase::Pending {
                self.give_up_decision(&mut conn, "the worker leaves");
                self.pump(&cell, &mut conn);
            }
        }
    }

    /// Nobody is left to answer where the connection is gone: the token is void from now on, and the
    /// request ends. Whether it was so.
    pub(super) fn give_up_broken(&mut self, conn: &mut Conn) -> bool {
        if conn.is_broken {
            self.end_pending(conn);
            conn.answer.end = Some(End::ClientGone);
        }
        conn.is_broken
    }

    /// Nobody has decided in time: `why` the time is over.
    pub(super) fn give_up_decision(&mut self, conn: &mut Conn, why: &str) {
        let target = conn.request.as_ref().map_or_else(String::new, |request| {
            String::from_utf8_lossy(request.head.target()).into_owned()
        });
        let who = self.suspended_by(conn).unwrap_or_default();
        log::error!(
            "{target}: {who} has suspended this request and has not decided in time ({why}): the client gets 503"
        );
        self.end_pending(conn);
        if conn.answer_page(Status::SERVICE_UNAVAILABLE).is_err() {
            conn.close_unanswered();
        }
    }
}
