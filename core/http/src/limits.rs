//! How much a peer may send, and which departures from the grammar are let through.

/// The highest bound that a limit of 0 ("none") stands for: 1 MiB. A head is held in memory whole,
/// so there is no such thing as no limit.
pub const UNLIMITED: usize = 1024 * 1024;

/// The most header fields any setting allows, the bound gunicorn has too.
pub const MOST_FIELDS: usize = 32_768;

/// Bounds on the head of a request, in bytes and in numbers of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The request line without its CRLF (`limit_request_line`).
    pub request_line: usize,
    /// The number of fields (`limit_request_fields`).
    pub fields: usize,
    /// One field with its CRLF (`limit_request_field_size`).
    pub field_size: usize,
}

impl Limits {
    /// Limits from the settings' numbers, where 0 means "as much as can be".
    #[must_use]
    pub fn new(request_line: usize, fields: usize, field_size: usize) -> Self {
        let or_unlimited = |n: usize| if n == 0 { UNLIMITED } else { n.min(UNLIMITED) };
        Self {
            request_line: or_unlimited(request_line),
            fields: if fields == 0 {
                MOST_FIELDS
            } else {
                fields.min(MOST_FIELDS)
            },
            field_size: or_unlimited(field_size),
        }
    }

    /// The longest block of fields that can be within the limits: that of the trailers.
    #[must_use]
    pub fn field_block(&self) -> usize {
        self.fields
            .saturating_mul(self.field_size + 2)
            .saturating_add(4)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_line: 4094,
            fields: 100,
            field_size: 8190,
        }
    }
}

/// Departures from the grammar that an operator may let through. All are refused by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Leniency {
    /// Join a field that is folded over several lines with one space (`permit_obsolete_folding`).
    pub obsolete_folding: bool,
    /// Take white space between a field's name and its colon away (`strip_header_spaces`).
    pub strip_header_spaces: bool,
    /// Any token is a method (`permit_unconventional_http_method`).
    pub any_method: bool,
    /// Any `HTTP/d.d` is a version (`permit_unconventional_http_version`).
    pub any_version: bool,
    /// Turn the method to upper case (`casefold_http_method`).
    pub casefold_method: bool,
    /// HTTP/1.1 without Host is served (`permit_missing_host`).
    pub missing_host: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_means_the_most_there_can_be() {
        let limits = Limits::new(0, 0, 0);
        assert_eq!(
            limits,
            Limits {
                request_line: UNLIMITED,
                fields: MOST_FIELDS,
                field_size: UNLIMITED
            }
        );
    }

    #[test]
    fn the_default_head_is_the_800_kilobytes_of_gunicorn() {
        assert_eq!(Limits::default().field_block(), 819_204);
    }
}
