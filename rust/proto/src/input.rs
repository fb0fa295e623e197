//! The bytes of one read, lent by the shard and unmasked in place.

use std::ops::Range;

/// What arrived in one read. Payloads are lent out of it, so nothing is copied when a frame lies
/// in it whole.
#[derive(Debug)]
pub struct Input<'b> {
    bytes: &'b mut [u8],
    consumed: usize,
}

impl<'b> Input<'b> {
    /// Takes the bytes that arrived; nothing is consumed yet.
    #[inline]
    #[must_use]
    pub const fn new(bytes: &'b mut [u8]) -> Self {
        Self { bytes, consumed: 0 }
    }

    /// The bytes not consumed yet, as they arrived (still masked). A caller that stops in the
    /// middle keeps these and gives them as the next input's beginning.
    #[inline]
    #[must_use]
    pub fn remaining(&self) -> &[u8] {
        self.bytes.get(self.consumed..).unwrap_or_default()
    }

    /// How many bytes are consumed.
    #[inline]
    #[must_use]
    pub const fn consumed(&self) -> usize {
        self.consumed
    }

    /// Consumes up to `count` bytes; the range tells where they lie.
    #[inline]
    pub(crate) fn take(&mut self, count: usize) -> Range<usize> {
        let start = self.consumed;
        let end = start.saturating_add(count).min(self.bytes.len());
        self.consumed = end;
        start..end
    }

    /// Consumes everything: what follows a fault or a Close is not looked at.
    pub(crate) const fn discard(&mut self) {
        self.consumed = self.bytes.len();
    }

    #[inline]
    pub(crate) fn slice(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn slice_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        self.bytes.get_mut(range).unwrap_or_default()
    }
}
