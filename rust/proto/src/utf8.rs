//! UTF-8 that arrives in pieces: wrong bytes are found in the piece that brings them.

use crate::error::ProtocolError;

/// Checks a whole text.
///
/// # Errors
/// [`ProtocolError::BadUtf8`].
#[inline]
pub fn check(text: &[u8]) -> Result<(), ProtocolError> {
    simdutf8::basic::from_utf8(text).map(drop).map_err(|_| ProtocolError::BadUtf8)
}

/// A text under way: remembers the begun character at the end of the last piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Utf8 {
    begun: [u8; 4],
    len: u8,
}

impl Utf8 {
    /// A text of which nothing has come.
    pub const NEW: Self = Self { begun: [0; 4], len: 0 };

    /// Takes the next piece of the text.
    ///
    /// # Errors
    /// [`ProtocolError::BadUtf8`] when no continuation could make the bytes so far valid.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), ProtocolError> {
        let rest = self.finish_begun(piece)?;
        match simdutf8::compat::from_utf8(rest) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_some() => Err(ProtocolError::BadUtf8),
            Err(error) => self.begin(rest.get(error.valid_up_to()..).unwrap_or_default()),
        }
    }

    /// Whether the text may end here: not inside a character.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.len == 0
    }

    /// Adds bytes to the begun character until it is whole; the rest of the piece is returned.
    fn finish_begun<'p>(&mut self, mut piece: &'p [u8]) -> Result<&'p [u8], ProtocolError> {
        while self.len > 0 {
            let Some((byte, rest)) = piece.split_first() else { break };
            let filled = usize::from(self.len);
            let Some(slot) = self.begun.get_mut(filled) else {
                return Err(ProtocolError::BadUtf8);
            };
            *slot = *byte;
            self.len += 1;
            piece = rest;
            match std::str::from_utf8(self.begun.get(..=filled).unwrap_or_default()) {
                Ok(_) => self.len = 0,
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(ProtocolError::BadUtf8),
            }
        }
        Ok(piece)
    }

    /// Keeps the one to three bytes of a character that the piece ends in.
    fn begin(&mut self, bytes: &[u8]) -> Result<(), ProtocolError> {
        let Some(slots) = self.begun.get_mut(..bytes.len()) else {
            return Err(ProtocolError::BadUtf8);
        };
        slots.copy_from_slice(bytes);
        self.len = u8::try_from(bytes.len()).map_err(|_| ProtocolError::BadUtf8)?;
        Ok(())
    }
}
