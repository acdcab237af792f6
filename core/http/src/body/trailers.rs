//! The fields after the last chunk (RFC 9112 section 7.1.2).

use crate::error::PeerError;
use crate::fields::{self, Field};
use crate::known::Known;
use crate::limits::Limits;
use crate::scan::{HeadScan, Scanned};

/// The trailer fields of one body.
#[derive(Debug, Clone, Default)]
pub struct Trailers {
    limits: Limits,
    scan: HeadScan,
    bytes: Vec<u8>,
    fields: Vec<Field>,
}

static NONE: std::sync::LazyLock<Trailers> = std::sync::LazyLock::new(Trailers::default);

impl Trailers {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            limits: *limits,
            scan: HeadScan::of_fields(),
            ..Self::default()
        }
    }

    pub(super) fn none() -> &'static Self {
        &NONE
    }

    /// Reads the block that `rest` begins with; its length, or `None` if it is not whole.
    pub(super) fn read(&mut self, rest: &[u8]) -> Result<Option<usize>, PeerError> {
        let extent = match self.scan.advance(rest, &self.limits)? {
            Scanned::Partial if rest.len() > self.limits.field_block() => {
                return Err(PeerError::TrailersTooLong(self.limits.field_block()));
            }
            Scanned::Partial => return Ok(None),
            Scanned::Complete(extent) => extent,
        };
        if extent.folded {
            return Err(PeerError::ObsoleteFolding);
        }
        self.bytes.extend_from_slice(&rest[..extent.end]);
        fields::parse(&self.bytes, 0, extent.fields, &mut self.fields)?;
        if self.fields.iter().any(|field| is_forbidden(field.known)) {
            return Err(PeerError::ForbiddenTrailer);
        }
        Ok(Some(extent.end))
    }

    /// Name and value of each field, in the order they were sent.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|field| {
            (
                field.name.of_bytes(&self.bytes),
                field.value.of_bytes(&self.bytes),
            )
        })
    }
}

/// RFC 9110 section 6.5.1: fields that frame, route or authenticate must not come late.
fn is_forbidden(known: Known) -> bool {
    matches!(
        known,
        Known::Host
            | Known::ContentLength
            | Known::TransferEncoding
            | Known::Trailer
            | Known::Authorization
            | Known::Te
    )
}
