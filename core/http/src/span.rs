//! A place in the bytes of a head: half the size of a slice, and free of lifetimes.

/// The bytes `start..end` of the head they were found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// The span `start..end`. A head is at most some megabytes long, so 32 bits are enough.
    pub(crate) fn new(start: usize, end: usize) -> Self {
        debug_assert!(start <= end && u32::try_from(end).is_ok());
        Self {
            start: start as u32,
            end: end as u32,
        }
    }

    /// Where `part` stands in `whole`, of which it must be a sub-slice.
    pub(crate) fn of(whole: &[u8], part: &[u8]) -> Self {
        let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        debug_assert!(start + part.len() <= whole.len(), "not a part of the whole");
        Self::new(start, start + part.len())
    }

    /// The bytes themselves.
    pub(crate) fn of_bytes(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..self.end as usize]
    }

    pub(crate) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The number of bytes.
    pub(crate) fn len(self) -> usize {
        (self.end - self.start) as usize
    }
}
