//! Compiled handlers on the connection's side: what they see of a request, and what becomes of it by
//! their word. What they suspend is in `pending`.

use std::cell::RefCell;
use std::sync::Arc;

use tricorn_http::Status;
use tricorn_http::response::error_page;

use super::conn::{Conn, ConnCell, Phase};
use super::core::{Core, transaction};
use super::env::Env;
use crate::clock;
use crate::exchange::{Content, End, Ending, Endpoints, Passage, Request, Stage, Ticket};
use crate::gateway::{ChannelError, Control, Fate, Transaction};
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
    #[inline(always)]
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

    pub(super) fn answer_page(&mut self, status: Status) -> Result<(), ChannelError> {
        self.own_body = error_page(status, "", &mut self.answer.head);
        self.answer_own(false, Content::Body)
    }

    pub(super) fn close_unanswered(&mut self) {
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
    #[inline(always)]
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

    pub(super) fn give_own(&self, conn: &mut Conn, content: Content) -> Result<(), ChannelError> {
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
