//! Paths as rules must see them: one page has many spellings.

use percent_encoding::percent_decode_str;

/// The path as the application sees it: percent-decoded once. What is not UTF-8 is replaced.
pub(crate) fn decode(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

/// The path with empty segments, `.` and `..` resolved (RFC 3986 section 5.2.4).
pub(crate) fn resolve(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    let is_folder = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    let end = if is_folder && !segments.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{end}", segments.join("/"))
}

/// Whether a path is one of these, or below one of them.
pub(crate) fn is_below(path: &str, prefixes: &[String]) -> bool {
    prefixes.iter().any(|prefix| {
        path.strip_prefix(prefix.as_str())
            .is_some_and(|rest| prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
    })
}

/// Whether a path begins with one of these.
pub(crate) fn begins_with(path: &str, prefixes: &[String]) -> bool {
    prefixes
        .iter()
        .any(|prefix| path.starts_with(prefix.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_path_resolve_alike() {
        for (path, resolved) in [
            ("/admin/x", "/admin/x"),
            ("//admin/x", "/admin/x"),
            ("/a/../admin/./x", "/admin/x"),
            ("/../../admin/", "/admin/"),
            ("/admin/..", "/"),
            ("/admin/x/..", "/admin/"),
            ("*", "/*"),
            ("", "/"),
        ] {
            assert_eq!(resolve(path), resolved, "{path}");
        }
        assert_eq!(decode("/%61dmin/%2e%2e/%2561"), "/admin/../%61");
    }

    #[test]
    fn below_means_whole_segments() {
        let prefixes = ["/login".to_owned(), "/open/".to_owned()];
        for (path, is) in [
            ("/login", true),
            ("/login/a", true),
            ("/loginX", false),
            ("/open/a", true),
            ("/open", false),
        ] {
            assert_eq!(is_below(path, &prefixes), is, "{path}");
        }
        assert!(begins_with("/loginX", &prefixes));
    }
}
