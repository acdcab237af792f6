//! One connection: its socket, and how far its request and its answer have got.

use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tricorn_http::body::BodyDecoder;
use tricorn_http::proxy::ProxiedPeer;
use tricorn_http::response::{Reply, ResponseHead};
use tricorn_http::{HeadScan, PeerError};

use super::Key;
use super::env::Env;
use super::linger::Linger;
use super::patience::Patience;
use super::timers::{Limit, NEVER};
use crate::exchange::{Attachment, End, Endpoints, Kept, Request, Stage};
use crate::gateway::Decided;
use crate::sock::{Stream, Transfer};

/// Where a connection is in the life of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The head of a request is awaited, or has come in part.
    Head,
    /// A body short enough is read before the application is called.
    Body,
    /// As `Body`, but all the memory for such bodies is in use: reading pauses.
    BodyPaused,
    /// Ready to run.
    Queued,
    /// The gateway has it.
    Running,
    /// A compiled handler has suspended it: somebody will decide.
    Pending,
    /// The answer is whole, and not all of it is sent.
    Flushing,
    /// The rest of a body that nobody read is thrown away before the next request.
    Draining,
    /// Nothing more will be sent. What the client still sends is thrown away, so that it reads the
    /// answer's end and not a reset (RFC 9112 section 9.6).
    Lingering,
    /// To be taken out of the table.
    Closed,
}

/// What epoll tells of a connection. All of it edge-triggered: told once, and remembered here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Interest {
    /// Nothing: it is not registered.
    None,
    /// That there is something to read.
    Read,
    /// That too, and that there is room to write.
    ReadWrite,
}

/// The request's body.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// `None` before the head is whole.
    pub(super) decoder: Option<BodyDecoder>,
    /// Content that was read in advance, from `at` on not yet given out.
    pub(super) buffer: Vec<u8>,
    pub(super) at: usize,
    /// `100 Continue` is owed at the first read.
    pub(super) owes_continue: bool,
    /// What was wrong with it, once that has been met.
    pub(super) error: Option<PeerError>,
    /// It came without a length, and is read in advance to have one.
    pub(super) is_measured: bool,
    /// Bytes of the worker's memory for bodies that this one takes.
    pub(super) reserved: usize,
    /// It may be read on although the memory is used up: one at a time is.
    pub(super) is_privileged: bool,
    /// How long it may still be waited for.
    pub(super) patience: Patience,
}

/// The rest of a file that is still to be sent.
#[derive(Debug)]
pub(super) struct FileTail {
    pub(super) file: OwnedFd,
    pub(super) offset: u64,
    pub(super) left: u64,
}

/// The answer.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) head: ResponseHead,
    /// `None` until the answer is started.
    pub(super) reply: Option<Reply>,
    /// Framed bytes, from `at` on not yet sent.
    pub(super) out: Vec<u8>,
    pub(super) at: usize,
    /// Follows `out`.
    pub(super) file: Option<FileTail>,
    /// Bytes of content taken.
    pub(super) taken: u64,
    /// How it ended, once it has.
    pub(super) end: Option<End>,
    /// The gateway has said that it is whole, or has given it up.
    pub(super) finished: bool,
    /// It is the server's own, to a request that could not be read: the rest of that may still come.
    pub(super) refuses: bool,
    /// Values for the access log that only the application's side knows.
    pub(super) environ: Vec<(String, String)>,
    /// What the gateway keeps for its own log.
    pub(super) attachment: Option<Attachment>,
}

impl Answer {
    /// Gives the room of what is sent back, once it is more than what is not: for a reader that is
    /// never quite up to date the buffer would grow for ever.
    pub(super) fn forget_sent(&mut self) {
        if self.at > self.out.len() / 2 {
            self.out.drain(..self.at);
            self.at = 0;
        }
    }

    /// Framed bytes that are not sent yet.
    pub(super) fn pending(&self) -> &[u8] {
        &self.out[self.at..]
    }

    /// Returns true if a client can tell where it ends without the connection's end.
    pub(super) fn tells_its_end(&self) -> bool {
        self.reply
            .as_ref()
            .is_some_and(|reply| reply.body.is_delimited())
    }

    /// Makes room for the next answer, and keeps the memory unless it is much.
    pub(super) fn reset(&mut self) {
        self.head.clear();
        self.reply = None;
        self.out.clear();
        self.out.shrink_to(64 * 1024);
        self.at = 0;
        self.file = None;
        self.taken = 0;
        self.end = None;
        self.finished = false;
        self.refuses = false;
        self.environ.clear();
        self.attachment = None;
    }
}

/// The state behind a connection's lock.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) stream: Stream,
    pub(super) endpoints: Arc<Endpoints>,
    pub(super) phase: Phase,
    /// The kernel may have bytes, or an end, that were not read yet.
    pub(super) readable: bool,
    /// Known to epoll, and for what.
    pub(super) interest: Interest,
    /// The thread that runs its request, or ran the last one.
    pub(super) thread: usize,
    /// The running request has waited for its client.
    pub(super) waited: bool,
    /// Bytes have come from the client, or gone to it, since that was last told.
    pub(super) moved: bool,
    /// epoll has told that the client sends no more: an end of which no further event will tell.
    pub(super) hung_up: bool,
    /// epoll has told that nothing can be sent either.
    pub(super) is_broken: bool,
    /// It could be sent more at once; the others come first.
    pub(super) goes_on: bool,
    /// The request holds what there is of the head under way, and not the last one.
    pub(super) head_is_new: bool,
    /// A PROXY header may still come.
    pub(super) may_open: bool,
    /// The peer is in `forwarded_allow_ips`, and who the client is, as `endpoints` have it: asked for
    /// at every request, and too far away there.
    pub(super) is_trusted: bool,
    pub(super) client: Option<IpAddr>,
    /// Bytes that belong to nothing that has been taken up yet.
    pub(super) input: Vec<u8>,
    pub(super) scan: HeadScan,
    /// The number of the request under way, or of the last one.
    pub(super) number: u64,
    /// The turn in which its last answer was complete; 0 for none.
    pub(super) served_in: u32,
    /// The turn in which it was put down to go on in the next one; 0 for none.
    pub(super) put_down_in: u32,
    pub(super) request: Option<Arc<Request>>,
    pub(super) body: Body,
    pub(super) answer: Answer,
    /// The request allows the connection to be kept.
    pub(super) keep: bool,
    /// The application has the socket.
    pub(super) taken_over: bool,
    /// `pre_request` was fired for the request: `post_request` will be.
    pub(super) announced: bool,
    /// What compiled handlers keep with the request.
    pub(super) kept: Kept,
    /// The content of an answer that one of them gives.
    pub(super) own_body: Vec<u8>,
    /// Where their chain goes on once a suspended request is resumed, and of which event.
    pub(super) resumes: Option<(Stage, usize)>,
    /// The token that it is parked with.
    pub(super) token: Option<u64>,
    /// What was decided before the request was parked.
    pub(super) decided: Option<Decided>,
    /// When it was accepted, or its last answer was complete: while nothing of a next request has
    /// come it has been idle since then.
    pub(super) idle_since: u64,
    /// Bytes thrown away since draining began.
    pub(super) drained: u64,
    /// What the client may still send once the connection ends.
    pub(super) linger: Linger,
    pub(super) limit: Limit,
}

impl Conn {
    pub(super) fn new(stream: Stream, endpoints: Endpoints, may_open: bool) -> Self {
        Self {
            stream,
            is_trusted: endpoints.trusted,
            client: endpoints.client_ip(),
            endpoints: Arc::new(endpoints),
            phase: Phase::Head,
            readable: true,
            interest: Interest::None,
            thread: 0,
            waited: false,
            moved: false,
            hung_up: false,
            is_broken: false,
            goes_on: false,
            head_is_new: false,
            may_open,
            input: Vec::new(),
            scan: HeadScan::default(),
            number: 0,
            served_in: 0,
            put_down_in: 0,
            request: None,
            body: Body::default(),
            answer: Answer::default(),
            keep: false,
            taken_over: false,
            announced: false,
            kept: Kept::default(),
            own_body: Vec::new(),
            resumes: None,
            token: None,
            decided: None,
            idle_since: 0,
            drained: 0,
            linger: Linger::default(),
            limit: Limit::default(),
        }
    }

    /// A PROXY header has told whom the connection is made for.
    pub(super) fn note_proxied(&mut self, proxied: Option<ProxiedPeer>) {
        let endpoints = Arc::make_mut(&mut self.endpoints);
        endpoints.proxied = proxied;
        self.client = endpoints.client_ip();
        self.may_open = false;
    }

    /// Waits for the first, or the next request, which must begin to come before `limit`.
    pub(super) fn rest(&mut self, now: u64, limit: Option<u64>) {
        self.idle_since = now;
        self.limit_to(now, limit);
    }

    /// Something may be read without waiting.
    pub(super) fn has_at_hand(&self) -> bool {
        self.readable || !self.input.is_empty()
    }

    /// Nothing of a request has come.
    pub(super) fn is_idle(&self) -> bool {
        self.phase == Phase::Head && !self.scan.has_begun() && self.input.is_empty()
    }

    /// Notes what came of asking the kernel for `most` bytes. Fewer than that are all there are,
    /// unless what follows them is the end.
    pub(super) fn note_received(&mut self, received: Transfer, most: usize) {
        self.readable = match received {
            Transfer::Bytes(count) => count == most || self.hung_up,
            Transfer::WouldBlock | Transfer::Closed => false,
        };
    }

    /// Bytes of the answer that are still to be sent, as far as they are known.
    pub(super) fn owed(&self) -> u64 {
        let file = self.answer.file.as_ref().map_or(0, |tail| tail.left);
        self.answer.pending().len() as u64 + file
    }

    /// Bytes of content that the kernel has taken. Where an answer ended too early, framing and head
    /// that were not sent count as content that was not.
    pub(super) fn delivered(&self) -> u64 {
        self.answer.taken.saturating_sub(self.owed())
    }

    /// Sets the time limit, `after` nanoseconds from `now`.
    pub(super) fn limit_to(&mut self, now: u64, after: Option<u64>) {
        self.limit.at = after.map_or(NEVER, |after| now.saturating_add(after));
    }

    /// All of the request's body has been taken off the connection.
    pub(super) fn body_is_read(&self) -> bool {
        self.body.decoder.as_ref().is_none_or(BodyDecoder::is_done)
    }
}

/// A connection, as the table and the transactions hold it.
#[derive(Debug)]
pub(super) struct ConnCell {
    pub(super) env: Arc<Env>,
    pub(super) key: Key,
    conn: Mutex<Conn>,
}

impl ConnCell {
    pub(super) fn new(env: Arc<Env>, key: Key, conn: Conn) -> Self {
        Self {
            env,
            key,
            conn: Mutex::new(conn),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Conn> {
        self.conn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
