//! Compiled handlers on the connection's side: what they see of a request, and what becomes of it by
//! their word.

use std::cell::RefCell;
use std::sync::Arc;

use tricorn_http::Status;
use tricorn_http::response::error_page;

use super::Key;
use super::conn::{Conn, ConnCell, Phase};
use super::core::{Core, transaction};
use super::env::Env;
use super::timers::NEVER;
use crate::clock;
use crate::exchange::{
    Content, End, Ending, Endpoints, Passage, PreparedAnswer, Request, Stage, Ticket,
};
use crate::gateway::{ChannelError, Control, Decision, Fate, Transaction};
use crate::hooks::{Event, Occasion, Passing};
use crate::worker::fate;

impl Conn {
    /// Lends the request and what belongs to it.
    pub(super) fn lend(&mut self, stage: Stage, ticket: Ticket, request: Arc<Request>) -> Passage {
        Passage {
            stage,
            ticket,
            from: self.takes_up(stage),
            request,
            response: std::mem::take(&mut self.answer.head),
            body: std::mem::take(&mut self.own_body),
            answer: None,
            suspended: None,
            kept: std::mem::take(&mut self.kept),
            peer: None,
        }
    }

    /// The place of the handler of this stage that a resumed request goes on with.
    fn takes_up(&self, stage: Stage) -> usize {
        match self.resumes {
            Some((at, place)) if at == stage => place,
            _ => 0,
        }
    }

    /// Takes back what was lent.
    fn take(&mut self, passage: Passage) -> Option<Content> {
        self.request = Some(passage.request);
        self.answer.head = passage.response;
        self.own_body = passage.body;
        self.kept = passage.kept;
        passage.answer
    }

    /// Gives the answer whose head stands in `answer.head`.
    fn answer_own(&mut self, keeps_alive: bool, content: Content) -> Result<(), ChannelError> {
        match content {
            Content::Body => {
                let body = std::mem::take(&mut self.own_body);
                let length = body.len() as u64;
                self.answer.head.know_length(length);
                let given = self
                    .begin_answer(keeps_alive, Some(length))
                    .and_then(|()| self.add_content(&body, false));
                self.own_body = body;
                given?;
            }
            Content::File {
                file,
                offset,
                length,
            } => {
                self.answer.head.know_length(length);
                self.begin_answer(keeps_alive, Some(length))?;
                self.add_file(file, offset, length)?;
            }
        }
        self.end_answer();
        Ok(())
    }

    fn answer_page(&mut self, status: Status) -> Result<(), ChannelError> {
        self.own_body = error_page(status, "", &mut self.answer.head);
        self.answer_own(false, Content::Body)
    }

    fn close_unanswered(&mut self) {
        self.answer.end.get_or_insert(End::Closed);
        self.answer.finished = true;
    }
}

impl ConnCell {
    pub(super) fn ticket(&self, number: u64) -> Ticket {
        Ticket {
            connection: self.key.to_data(),
            number,
        }
    }

    /// Lends a request that runs, from the handler on that it was to be resumed with.
    pub(super) fn lend_to_run(
        &self,
        conn: &mut Conn,
        stage: Stage,
        request: Arc<Request>,
    ) -> Passage {
        let passage = conn.lend(stage, self.ticket(conn.number), request);
        conn.resumes = None;
        passage
    }

    /// Takes back what was lent, and lets the request meet its fate. It stays in its phase, unless
    /// it is parked.
    pub(super) fn take_passage(&self, conn: &mut Conn, passage: Passage, fate: Option<Fate>) {
        let (stage, token) = (passage.stage, passage.suspended);
        let content = conn.take(passage);
        let met = match fate {
            None => {
                conn.answer.head.clear();
                Ok(())
            }
            Some(Fate::Answer) => self.give_own(conn, content.unwrap_or(Content::Body)),
            Some(Fate::Refuse(status)) => conn.answer_page(status),
            Some(Fate::Close) => {
                conn.close_unanswered();
                Ok(())
            }
            Some(Fate::Park(place)) => {
                conn.resumes = Some((stage, place));
                conn.token = token;
                conn.phase = Phase::Pending;
                Ok(())
            }
        };
        if met.is_err() {
            conn.close_unanswered();
        }
    }

    fn give_own(&self, conn: &mut Conn, content: Content) -> Result<(), ChannelError> {
        if self.env.natives.start {
            let mut head = std::mem::take(&mut conn.answer.head);
            self.announce(conn, &mut head);
            conn.answer.head = head;
        }
        conn.answer_own(self.env.keeps_alive(), content)
    }

    /// Fires `response_start` for compiled handlers: the head is about to be written.
    pub(super) fn announce(
        &self,
        conn: &mut Conn,
        head: &mut tricorn_http::response::ResponseHead,
    ) {
        if !self.env.natives.start {
            return;
        }
        let Some(request) = conn.request.clone() else {
            return;
        };
        let passage = RefCell::new(Passage {
            response: std::mem::take(head),
            kept: std::mem::take(&mut conn.kept),
            ..Passage::new(Stage::Start, self.ticket(conn.number), request)
        });
        let passing = self
            .env
            .bus
            .pass(Event::ResponseStart, &Occasion::Passage(&passage));
        heed_exit(&self.env.control, passing);
        let passage = passage.into_inner();
        *head = passage.response;
        conn.kept = passage.kept;
    }
}

/// A handler may ask for the end of the process whatever the event.
fn heed_exit(control: &Control, passing: Passing) {
    if let Passing::Exit(code) = passing {
        control.leave(code);
    }
}

/// A request that compiled handlers have before the gateway knows of it: one of which they decide
/// themselves never becomes a transaction.
pub(in super::super) struct Visit {
    cell: Arc<ConnCell>,
    pub(in super::super) passage: RefCell<Passage>,
}

impl Env {
    /// Fires `pre_request` for the compiled handlers that come before any of Python's. What becomes
    /// of the request, unless it goes on.
    pub(in super::super) fn pass_ready(&self, passage: &RefCell<Passage>) -> Option<Fate> {
        let from = passage.borrow().from;
        let occasion = Occasion::Passage(passage);
        let passing = self.bus.pass_leading(Event::PreRequest, from, &occasion);
        fate(passing, &self.control)
    }
}

impl Core {
    /// From now on compiled handlers have a request as soon as it is ready: for a worker whose one
    /// thread does everything, so that nobody waits for the core meanwhile.
    pub(in super::super) fn decide_at_once(&mut self) {
        self.decides = self.env.natives.ready;
    }

    /// Whether compiled handlers are to be asked of requests that are ready.
    pub(in super::super) fn lends(&self) -> bool {
        self.env.natives.ready && !self.decides
    }

    /// Has compiled handlers decide of a request that is ready. Whether they have.
    pub(super) fn decide(&mut self, cell: &Arc<ConnCell>, conn: &mut Conn) -> bool {
        if self.env.control.exit().is_some() {
            return false;
        }
        let Some(request) = self.begin(conn, 0, self.now) else {
            return false;
        };
        let passage = RefCell::new(cell.lend_to_run(conn, Stage::Ready, request));
        let fate = self.env.pass_ready(&passage);
        cell.take_passage(conn, passage.into_inner(), fate);
        // The handlers may have taken long, and limits are counted from their end.
        self.now = self.now.max(clock::roughly_now());
        self.env.end_request(conn.thread, self.now);
        match fate {
            None => return false,
            Some(Fate::Park(_)) => self.park(cell, conn),
            Some(_) => self.flush_after_run(conn),
        }
        true
    }

    /// Begins to run the next request, and lends it to compiled handlers.
    pub(in super::super) fn lend_ready(&mut self, thread: usize) -> Option<Visit> {
        let (cell, passage) = self.begin_ready(thread, |cell, conn, request| {
            RefCell::new(cell.lend_to_run(conn, Stage::Ready, request))
        })?;
        Some(Visit { cell, passage })
    }

    /// Lets a request meet its fate. The transaction, if it goes on.
    pub(in super::super) fn meet(
        &mut self,
        visit: Visit,
        fate: Option<Fate>,
    ) -> Option<Transaction> {
        let Visit { cell, passage } = visit;
        let mut conn = cell.lock();
        cell.take_passage(&mut conn, passage.into_inner(), fate);
        if fate.is_none()
            && let Some(request) = conn.request.clone()
        {
            let number = conn.number;
            drop(conn);
            return Some(transaction(cell, number, request));
        }
        // The handlers may have taken long, and limits are counted from their end.
        self.now = self.now.max(clock::roughly_now());
        self.end_run(&cell, &mut conn);
        drop(conn);
        self.resume_bodies();
        None
    }

    /// Fires `request_head` from the handler of this place on. Whether the request goes on.
    pub(super) fn pass_head(&mut self, cell: &ConnCell, conn: &mut Conn, from: usize) -> bool {
        let Some(request) = conn.request.take() else {
            return true;
        };
        let ticket = cell.ticket(conn.number);
        let passage = RefCell::new(conn.lend(Stage::Head, ticket, request));
        let passing =
            self.env
                .bus
                .pass_leading(Event::RequestHead, from, &Occasion::Passage(&passage));
        let fate = fate(passing, &self.env.control);
        cell.take_passage(conn, passage.into_inner(), fate);
        match fate {
            None => true,
            Some(Fate::Park(_)) => {
                self.park(cell, conn);
                false
            }
            Some(_) => {
                conn.phase = Phase::Flushing;
                false
            }
        }
    }

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
                self.give_up_decision(&mut conn);
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

    /// Nobody has decided in time.
    pub(super) fn give_up_decision(&mut self, conn: &mut Conn) {
        let target = conn.request.as_ref().map_or_else(String::new, |request| {
            String::from_utf8_lossy(request.head.target()).into_owned()
        });
        log::error!("{target}: the plugin that suspended this request has not decided in time");
        self.end_pending(conn);
        if conn.answer_page(Status::SERVICE_UNAVAILABLE).is_err() {
            conn.close_unanswered();
        }
    }

    /// Fires `post_request`, if `pre_request` was, and `access`.
    #[inline(never)]
    pub(super) fn tell_of_end(&mut self, conn: &mut Conn, end: End) {
        let Some(request) = conn.request.clone() else {
            return;
        };
        let has_begun = conn.answer.reply.is_some();
        let ending = Ending {
            duration: clock::now().saturating_sub(request.started),
            sent: conn.delivered(),
            status: if has_begun {
                conn.answer.head.status().code()
            } else {
                0
            },
            end,
        };
        let ticket = Ticket {
            connection: 0,
            number: conn.number,
        };
        let passage = RefCell::new(conn.lend(Stage::Done, ticket, request));
        let occasion = Occasion::Done(&passage, ending);
        let Env { bus, control, .. } = &*self.env;
        if conn.announced {
            heed_exit(control, bus.pass(Event::PostRequest, &occasion));
        }
        heed_exit(control, bus.pass(Event::Access, &occasion));
        conn.take(passage.into_inner());
    }

    /// Fires `conn_open`; whether the connection is welcome.
    pub(super) fn greet(&self, endpoints: &Endpoints) -> bool {
        let occasion = Occasion::Connection {
            number: u64::from(self.next_serial) + 1,
            peer: endpoints.peer,
            local: &endpoints.local,
            requests: 0,
        };
        let passing = self.env.bus.pass(Event::ConnOpen, &occasion);
        heed_exit(&self.env.control, passing);
        !matches!(passing, Passing::Close | Passing::Failed)
    }

    /// Fires `conn_close`.
    pub(super) fn take_leave(&self, cell: &ConnCell, conn: &Conn) {
        let occasion = Occasion::Connection {
            number: cell.key.serial.into(),
            peer: conn.endpoints.peer,
            local: &conn.endpoints.local,
            requests: conn.number,
        };
        heed_exit(
            &self.env.control,
            self.env.bus.pass(Event::ConnClose, &occasion),
        );
    }
}
