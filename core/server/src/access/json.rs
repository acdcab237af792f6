//! The preset `json`: one object for each request, with the same names in the same order always.
//!
//! `time` (RFC 3339, when the line was made), `client`, `user`, `request` (the line as it was sent),
//! `method`, `path` (decoded), `query`, `protocol`, `status`, `bytes` (of content), `duration_us`,
//! `referer`, `user_agent`, `pid`, `end` (how the answer ended). What there is not is null.

use super::escape::{json_part, json_string};
use super::shown;
use super::value::{client, number};
use crate::exchange::Record;
use crate::log::iso_time;

/// Appends the object for a record.
pub(super) fn render(record: &Record<'_>, line: &mut String) {
    let head = &record.request.head;
    let is_read = head.unread_line().is_none();
    line.push_str("{\"time\":\"");
    iso_time(line);
    line.push_str("\",\"client\":");
    if let Some(address) = shown::changed("remote_addr", record) {
        json_string(&address, line);
    } else if record.request.endpoints.client().is_some() {
        line.push('"');
        client(record, line);
        line.push('"');
    } else {
        line.push_str("null");
    }
    line.push_str(",\"user\":");
    optional(shown::user_name(record).as_deref(), line);
    line.push_str(",\"request\":");
    request_line(record, line);
    line.push_str(",\"method\":");
    optional(is_read.then(|| shown::method(record)).as_deref(), line);
    line.push_str(",\"path\":");
    optional(is_read.then(|| shown::path(record)).as_deref(), line);
    line.push_str(",\"query\":");
    optional(is_read.then(|| shown::query(record)).as_deref(), line);
    line.push_str(",\"protocol\":");
    optional(is_read.then(|| shown::protocol(record)).as_deref(), line);
    line.push_str(",\"status\":");
    if record.response.has_begun() {
        number(u64::from(record.response.status().code()), line);
    } else {
        line.push_str("null");
    }
    line.push_str(",\"bytes\":");
    number(record.sent, line);
    line.push_str(",\"duration_us\":");
    number(record.duration / 1_000, line);
    line.push_str(",\"referer\":");
    optional(shown::referer(record).as_deref(), line);
    line.push_str(",\"user_agent\":");
    optional(shown::user_agent(record).as_deref(), line);
    line.push_str(",\"pid\":");
    number(u64::from(std::process::id()), line);
    line.push_str(",\"end\":\"");
    line.push_str(record.end.name());
    line.push_str("\"}");
}

fn optional(value: Option<&[u8]>, line: &mut String) {
    match value {
        Some(value) => json_string(value, line),
        None => line.push_str("null"),
    }
}

fn request_line(record: &Record<'_>, line: &mut String) {
    if let Some(unread) = record.request.head.unread_line() {
        return optional((!unread.is_empty()).then_some(unread), line);
    }
    line.push('"');
    json_part(&shown::method(record), line);
    line.push(' ');
    json_part(&shown::target(record), line);
    line.push(' ');
    json_part(&shown::protocol(record), line);
    line.push('"');
}
