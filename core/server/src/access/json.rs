//! The preset `json`: one object for each request, with the same names in the same order always.
//!
//! `time` (RFC 3339, when the line was made), `client`, `user`, `request` (the line as it was sent),
//! `method`, `path` (decoded), `query`, `protocol`, `status`, `bytes` (of content), `duration_us`,
//! `referer`, `user_agent`, `pid`, `end` (how the answer ended). What there is not is null.

use tricorn_http::{Head, Known, percent_decode};

use super::escape::{json_part, json_string};
use super::value::{client, number, protocol, user_name};
use crate::exchange::Record;
use crate::log::iso_time;

/// Appends the object for a record.
pub(super) fn render(record: &Record<'_>, line: &mut String) {
    let head = &record.request.head;
    let is_read = head.unread_line().is_none();
    line.push_str("{\"time\":\"");
    iso_time(line);
    line.push_str("\",\"client\":");
    if record.request.endpoints.client().is_some() {
        line.push('"');
        client(record, line);
        line.push('"');
    } else {
        line.push_str("null");
    }
    line.push_str(",\"user\":");
    optional(user_name(head).as_deref(), line);
    line.push_str(",\"request\":");
    request_line(head, line);
    line.push_str(",\"method\":");
    optional(is_read.then(|| head.method()), line);
    line.push_str(",\"path\":");
    path(record, is_read, line);
    line.push_str(",\"query\":");
    optional(is_read.then(|| head.query()), line);
    line.push_str(",\"protocol\":");
    if is_read {
        line.push('"');
        protocol(head.version(), line);
        line.push('"');
    } else {
        line.push_str("null");
    }
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
    optional(head.known(Known::Referer), line);
    line.push_str(",\"user_agent\":");
    optional(head.known(Known::UserAgent), line);
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

/// The request line as it was sent.
fn request_line(head: &Head, line: &mut String) {
    if let Some(unread) = head.unread_line() {
        return optional((!unread.is_empty()).then_some(unread), line);
    }
    line.push('"');
    json_part(head.method(), line);
    line.push(' ');
    json_part(head.target(), line);
    line.push(' ');
    protocol(head.version(), line);
    line.push('"');
}

fn path(record: &Record<'_>, is_read: bool, line: &mut String) {
    let path = record.request.head.path();
    if !is_read {
        line.push_str("null");
    } else if path.contains(&b'%') {
        let mut decoded = Vec::new();
        percent_decode(path, &mut decoded);
        json_string(&decoded, line);
    } else {
        json_string(path, line);
    }
}
