//! The running request's way to its client. Nothing here blocks: where the network has to be
//! waited for, the caller gets a [`Wait`].

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use tricorn_http::PeerError;
use tricorn_http::response::ResponseHead;

use super::wait::Wait;
use tricorn_http::Status;

use crate::exchange::{Attachment, End, Passage, Request, Stage};

/// One request that is running.
#[derive(Clone)]
pub struct Transaction {
    /// What was asked.
    pub request: Arc<Request>,
    /// How the body is read and the answer is given.
    pub channel: Handle,
    /// Where the source keeps the connection.
    pub(crate) place: usize,
}

/// What becomes of a request by the word of its compiled handlers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It gets the answer that the passage holds.
    Answer,
    /// It gets a page with this status.
    Refuse(Status),
    /// Its connection is closed without an answer.
    Close,
    /// It waits for whoever has its token, and goes on with the handler of this place.
    Park(usize),
}

impl Transaction {
    /// Lends the request to compiled handlers, which may change it as far as `stage` allows. What
    /// they make of it is then met. The request, and whether it still is to run.
    pub fn lend(
        self,
        stage: Stage,
        decide: impl FnOnce(&RefCell<Passage>) -> Option<Fate>,
    ) -> (Self, bool) {
        let Self {
            request,
            channel,
            place,
        } = self;
        let passage = RefCell::new(channel.lend(stage, request));
        let fate = decide(&passage);
        let passage = passage.into_inner();
        let request = Arc::clone(&passage.request);
        channel.give_back(passage, fate);
        let transaction = Self {
            request,
            channel,
            place,
        };
        (transaction, fate.is_none())
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}

/// A connection's side of a transaction. `number` is that of the request: a handle that outlives
/// its request finds the number changed, and gets [`ChannelError::Over`].
pub trait Channel: Send + Sync {
    /// Moves body bytes to the end of `sink`, at most `most` of them.
    ///
    /// # Errors
    /// A body that breaks the protocol or is cut short; a request that is over.
    fn read(&self, number: u64, most: usize, sink: &mut Vec<u8>) -> Result<Read, ChannelError>;

    /// Shows content that is in memory already, at most `most` bytes of it, and counts it as read.
    /// Whether that is all there is of the body.
    ///
    /// # Errors
    /// As [`Channel::read`].
    fn read_ahead(
        &self,
        number: u64,
        most: usize,
        with: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, ChannelError>;

    /// Gives the body up, whose next bytes did not come in time; what every further read fails with.
    fn give_up_body(&self, number: u64) -> ChannelError;

    /// Lets the connection end with this request's answer.
    fn close_after(&self, number: u64);

    /// The application makes its answer piece by piece from now on. In a pool of threads it may take
    /// as long as it likes, and say nothing for as long.
    fn unfold(&self, number: u64);

    /// Begins the answer: takes the head (leaving another in its place) and decides on the framing.
    /// `known` is the length of the content, where all of it is at hand.
    ///
    /// # Errors
    /// A request that is over.
    fn start(
        &self,
        number: u64,
        head: &mut ResponseHead,
        known: Option<u64>,
    ) -> Result<(), ChannelError>;

    /// Gives a whole answer at once: `start`, a `write` of each piece, and `end`. For content that
    /// the server may hold all of, should the client be slow. How many bytes the Content-Length still
    /// promises.
    ///
    /// # Errors
    /// As each of them.
    fn answer(
        &self,
        number: u64,
        head: &mut ResponseHead,
        pieces: &[&[u8]],
    ) -> Result<u64, ChannelError>;

    /// Sends an informational head (RFC 9110 section 15.2) before the answer's own.
    ///
    /// # Errors
    /// A request that is over.
    fn inform(&self, number: u64, head: &ResponseHead) -> Result<(), ChannelError>;

    /// Takes the next piece of content. With `flush`, what the client can take is sent at once;
    /// otherwise it may wait for what follows.
    ///
    /// # Errors
    /// A client that is gone; a request that is over.
    fn write(&self, number: u64, piece: &[u8], flush: bool) -> Result<Progress, ChannelError>;

    /// Tries again to send what the client has not taken yet.
    ///
    /// # Errors
    /// As `write`.
    fn push(&self, number: u64) -> Result<Progress, ChannelError>;

    /// Takes `length` bytes of a file from `offset` on as the next content. They are sent after
    /// this request has been taken back.
    ///
    /// # Errors
    /// A request that is over.
    fn send_file(
        &self,
        number: u64,
        file: OwnedFd,
        offset: u64,
        length: u64,
    ) -> Result<(), ChannelError>;

    /// The answer is whole. How many bytes the Content-Length still promises: the connection is cut,
    /// so that the client can tell.
    ///
    /// # Errors
    /// A request that is over.
    fn end(&self, number: u64) -> Result<u64, ChannelError>;

    /// The answer cannot be finished: the connection is cut, so that the client can tell.
    fn abort(&self, number: u64, end: End);

    /// What has become of the answer so far.
    fn facts(&self, number: u64) -> Facts;

    /// Calls `with` with the head of the answer, once that is started.
    fn head(&self, number: u64, with: &mut dyn FnMut(&ResponseHead));

    /// A second descriptor of the socket, and what was received and not understood yet. The server then neither reads nor writes it unless an
    /// answer is started after all.
    ///
    /// # Errors
    /// No descriptors left; a request that is over.
    fn take_socket(&self, number: u64) -> Result<(OwnedFd, Vec<u8>), ChannelError>;

    /// Calls `each` with the trailers of a chunked body that has been read to its end.
    fn trailers(&self, number: u64, each: &mut dyn FnMut(&[u8], &[u8]));

    /// Lends the request, and what belongs to it, to compiled handlers.
    fn lend(&self, number: u64, stage: Stage, request: Arc<Request>) -> Passage;

    /// Takes back what was lent. With a fate, that is met: the request does not run.
    fn give_back(&self, number: u64, passage: Passage, fate: Option<Fate>);

    /// Values for the access log that only the application's side knows.
    fn note_environ(&self, number: u64, values: Vec<(String, String)>);

    /// Something for [`super::Gateway::log_requests`] to find again.
    fn attach(&self, number: u64, attachment: Attachment);
}

/// A channel and the number of the request it is for.
#[derive(Clone)]
pub struct Handle {
    channel: Arc<dyn Channel>,
    number: u64,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({})", self.number)
    }
}

#[allow(
    missing_docs,
    reason = "each forwards to the channel, where it is described"
)]
#[allow(clippy::missing_errors_doc, reason = "as above")]
impl Handle {
    #[must_use]
    pub fn new(channel: Arc<dyn Channel>, number: u64) -> Self {
        Self { channel, number }
    }

    pub fn read(&self, most: usize, sink: &mut Vec<u8>) -> Result<Read, ChannelError> {
        self.channel.read(self.number, most, sink)
    }

    pub fn read_ahead(
        &self,
        most: usize,
        with: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, ChannelError> {
        self.channel.read_ahead(self.number, most, with)
    }

    #[must_use]
    pub fn give_up_body(&self) -> ChannelError {
        self.channel.give_up_body(self.number)
    }

    pub fn close_after(&self) {
        self.channel.close_after(self.number);
    }

    pub fn unfold(&self) {
        self.channel.unfold(self.number);
    }

    pub fn start(&self, head: &mut ResponseHead, known: Option<u64>) -> Result<(), ChannelError> {
        self.channel.start(self.number, head, known)
    }

    pub fn answer(&self, head: &mut ResponseHead, pieces: &[&[u8]]) -> Result<u64, ChannelError> {
        self.channel.answer(self.number, head, pieces)
    }

    pub fn inform(&self, head: &ResponseHead) -> Result<(), ChannelError> {
        self.channel.inform(self.number, head)
    }

    pub fn write(&self, piece: &[u8], flush: bool) -> Result<Progress, ChannelError> {
        self.channel.write(self.number, piece, flush)
    }

    pub fn push(&self) -> Result<Progress, ChannelError> {
        self.channel.push(self.number)
    }

    pub fn send_file(&self, file: OwnedFd, offset: u64, length: u64) -> Result<(), ChannelError> {
        self.channel.send_file(self.number, file, offset, length)
    }

    pub fn end(&self) -> Result<u64, ChannelError> {
        self.channel.end(self.number)
    }

    pub fn abort(&self, end: End) {
        self.channel.abort(self.number, end);
    }

    #[must_use]
    pub fn facts(&self) -> Facts {
        self.channel.facts(self.number)
    }

    pub fn head(&self, with: &mut dyn FnMut(&ResponseHead)) {
        self.channel.head(self.number, with);
    }

    pub fn take_socket(&self) -> Result<(OwnedFd, Vec<u8>), ChannelError> {
        self.channel.take_socket(self.number)
    }

    pub fn trailers(&self, each: &mut dyn FnMut(&[u8], &[u8])) {
        self.channel.trailers(self.number, each);
    }

    #[must_use]
    pub fn lend(&self, stage: Stage, request: Arc<Request>) -> Passage {
        self.channel.lend(self.number, stage, request)
    }

    pub fn give_back(&self, passage: Passage, fate: Option<Fate>) {
        self.channel.give_back(self.number, passage, fate);
    }

    pub fn attach(&self, attachment: Attachment) {
        self.channel.attach(self.number, attachment);
    }

    pub fn note_environ(&self, values: Vec<(String, String)>) {
        self.channel.note_environ(self.number, values);
    }
}

/// What a read gave.
#[derive(Debug)]
pub enum Read {
    /// So many bytes, at least one.
    Bytes(usize),
    /// The body is complete.
    End,
    /// Nothing yet.
    Wait(Wait),
}

/// What became of a piece of content.
#[derive(Debug)]
pub enum Progress {
    /// It was taken, and more can be.
    Taken,
    /// It was taken, and before any more the client must read.
    Wait(Wait),
}

/// What has become of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    /// The head has left the application's hands.
    pub started: bool,
    /// Bytes of content taken.
    pub sent: u64,
    /// The framing is chunked.
    pub chunked: bool,
    /// The connection ends with this answer.
    pub close: bool,
    /// How the answer ended, once it has.
    pub end: Option<End>,
    /// What was wrong with the body, once the application has met it.
    pub body_error: Option<PeerError>,
    /// The application has taken the socket.
    pub taken_over: bool,
}

/// Why a transaction cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The request's body is not what its head promised.
    #[error("{0}")]
    Body(#[from] PeerError),
    /// The client is gone.
    #[error("the client has closed the connection")]
    Gone,
    /// The client takes too long.
    #[error("the client did not read the answer in time")]
    TimedOut,
    /// The answer has been given: the request is over.
    #[error("the request is over")]
    Over,
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
}
