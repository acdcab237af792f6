//! The page a client gets when the server itself has to answer.

use super::head::ResponseHead;
use crate::status::Status;

/// Begins `head` with `status` and gives the page that goes with it. `detail` is shown on the page;
/// it may hold what the client sent, so it is escaped.
pub fn error_page(status: Status, detail: &str, head: &mut ResponseHead) -> Vec<u8> {
    head.begin_with(status);
    let (code, reason) = (status.code(), status.reason());
    let page = format!(
        "<!doctype html>\n<html>\n<head><title>{code} {reason}</title></head>\n\
         <body>\n<h1>{reason}</h1>\n<p>{}</p>\n</body>\n</html>\n",
        escape(detail)
    );
    let pushed = head
        .push(b"Content-Type", b"text/html; charset=utf-8")
        .and_then(|()| head.push(b"Connection", b"close"));
    debug_assert!(pushed.is_ok(), "fixed fields are valid");
    page.into_bytes()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#x27;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_the_status_and_escapes_the_detail() {
        let mut head = ResponseHead::default();
        let page = error_page(Status::BAD_REQUEST, "<script>\"'&", &mut head);
        let page = String::from_utf8(page).unwrap();
        assert!(page.contains("<h1>Bad Request</h1>"));
        assert!(page.contains("&lt;script&gt;&quot;&#x27;&amp;"));
        assert_eq!(head.status_line(), b"400 Bad Request");
        assert!(head.wants_close());
    }
}
