//! One range of bytes (RFC 9110 section 14).

/// What is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    /// All of it: no range, or one that is not understood, or several.
    Whole,
    /// These bytes, both ends included.
    Part {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
    },
    /// There are no such bytes.
    Unsatisfiable,
}

/// Reads `Range` for a file of this length.
pub(crate) fn parse(text: &str, length: u64) -> Range {
    let Some((unit, set)) = text.split_once('=') else {
        return Range::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") || set.contains(',') {
        return Range::Whole;
    }
    let Some((first, last)) = set.trim().split_once('-') else {
        return Range::Whole;
    };
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    let (first, last) = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => (first, last),
        (Some(first), None) if last.is_empty() => (first, u64::MAX),
        (None, Some(0)) if first.is_empty() => return Range::Unsatisfiable,
        (None, Some(suffix)) if first.is_empty() => (length.saturating_sub(suffix), u64::MAX),
        _ => return Range::Whole,
    };
    if first >= length {
        return Range::Unsatisfiable;
    }
    Range::Part {
        first,
        last: last.min(length - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        let part = |first, last| Range::Part { first, last };
        for (text, range) in [
            ("bytes=0-9", part(0, 9)),
            ("bytes=5-", part(5, 99)),
            ("bytes=-10", part(90, 99)),
            ("bytes=-1000", part(0, 99)),
            ("bytes=90-1000", part(90, 99)),
            ("Bytes=99-99", part(99, 99)),
            ("bytes=100-", Range::Unsatisfiable),
            ("bytes=-0", Range::Unsatisfiable),
            ("bytes=9-0", Range::Whole),
            ("bytes=0-1,3-4", Range::Whole),
            ("bytes=a-b", Range::Whole),
            ("lines=0-1", Range::Whole),
            ("bytes", Range::Whole),
        ] {
            assert_eq!(parse(text, 100), range, "{text}");
        }
        assert_eq!(parse("bytes=0-", 0), Range::Unsatisfiable);
    }
}
