//! A request that has ended, without a server.

use std::ffi::c_void;
use std::time::Duration;

use tricorn_abi as abi;
use tricorn_abi::Str;

use crate::logs::AccessRecord;
use crate::text::{NOTHING, lend};

/// An access record by itself, for tests of loggers and formats without a server.
#[derive(Debug, Clone)]
pub struct FakeRecord {
    /// The client's address.
    pub client: String,
    /// The method.
    pub method: String,
    /// The target as it was sent; its path is taken as it is.
    pub target: String,
    /// The status.
    pub status: u16,
    /// Bytes of content.
    pub sent: u64,
    /// How long it took.
    pub duration: Duration,
    /// The user agent.
    pub user_agent: String,
}

impl Default for FakeRecord {
    fn default() -> Self {
        Self {
            client: "192.0.2.1".to_owned(),
            method: "GET".to_owned(),
            target: "/".to_owned(),
            status: 200,
            sent: 5,
            duration: Duration::from_millis(12),
            user_agent: "test".to_owned(),
        }
    }
}

impl FakeRecord {
    /// Calls `with` with the record.
    pub fn show<R>(&self, with: impl FnOnce(&AccessRecord<'_>) -> R) -> R {
        unsafe extern "C" fn nothing(_: *const c_void, _: u32, _: Str) -> Str {
            NOTHING
        }
        let line = format!("{} {} HTTP/1.1", self.method, self.target);
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let text = |text: &str| lend(text.as_bytes());
        let raw = abi::AccessRecord {
            struct_size: size_of::<abi::AccessRecord>() as u32,
            status: self.status.into(),
            pid: 7,
            end: abi::END_COMPLETE,
            unix_ns: 1_700_000_000_123_000_000,
            duration: u64::try_from(self.duration.as_nanos()).unwrap_or(u64::MAX),
            sent: self.sent,
            client: text(&self.client),
            user: NOTHING,
            request_line: text(&line),
            method: text(&self.method),
            target: text(&self.target),
            path: text(path),
            query: text(query),
            protocol: text("HTTP/1.1"),
            referer: NOTHING,
            user_agent: text(&self.user_agent),
            context: std::ptr::null(),
            lookup: nothing,
        };
        with(&AccessRecord { raw: &raw })
    }
}
