//! The head of an HTTP request as it arrives: where it ends, and whether it is within bounds.
//!
//! Rules are checked line by line in the order of the bytes, so the answer does not depend on how
//! they were split into reads, and no byte is looked at twice.

use memchr::memchr;

use crate::handshake::Refusal;
use crate::limits::Limits;

const MALFORMED: Refusal = Refusal::new(400, "malformed request");

/// A request head that did not arrive in one read.
#[derive(Debug, Default)]
pub(crate) struct Head {
    /// What arrived so far, never more than [`Limits::request_bytes`] + 1.
    pub(crate) bytes: Vec<u8>,
    /// How far it was looked at.
    pub(crate) scan: Scan,
}

/// A walk over the lines of a request head.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scan {
    /// Where the current line begins.
    line: usize,
    /// Where to look for its end.
    at: usize,
    /// Lines that are complete: the request line and headers.
    lines: usize,
}

impl Scan {
    /// Looks at what came since the last call. `bytes` is the request from its first byte.
    /// Returns where the head ends (after the empty line), when it does.
    ///
    /// # Errors
    /// 400 for a line end that is not CR LF or a first byte that cannot begin a method, 414 and
    /// 431 for what is too long.
    pub(crate) fn find_end(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<Option<usize>, Refusal> {
        while let Some(found) = memchr(b'\n', bytes.get(self.at..).unwrap_or_default()) {
            let end = self.at + found + 1;
            let line = bytes.get(self.line..end).unwrap_or_default();
            self.check_bounds(line.len() - 1, end, limits, line)?;
            let text = line.strip_suffix(b"\r\n").ok_or(MALFORMED)?;
            if text.is_empty() && self.lines > 0 {
                return Ok(Some(end));
            }
            if text.is_empty() && self.line > 0 {
                return Err(MALFORMED); // RFC 9112 section 2.2: one empty line before is ignored
            }
            self.lines += usize::from(!text.is_empty());
            if self.lines > limits.headers + 1 {
                return Err(Refusal::new(431, "too many headers"));
            }
            (self.line, self.at) = (end, end);
        }
        self.at = bytes.len();
        let begun = bytes.get(self.line..).unwrap_or_default();
        self.check_bounds(begun.len(), bytes.len(), limits, begun)?;
        Ok(None)
    }

    /// The rules that hold for a line before its end is known: `len` bytes without the LF, the
    /// head being `total` bytes so far.
    fn check_bounds(
        &self,
        len: usize,
        total: usize,
        limits: &Limits,
        line: &[u8],
    ) -> Result<(), Refusal> {
        if self.lines == 0 {
            // Finds TLS, and other protocols on the wrong port, with their first byte.
            let begins = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'\r' | b'\n');
            if !line.first().is_none_or(begins) {
                return Err(MALFORMED);
            }
            if len > limits.request_line + 1 {
                return Err(Refusal::new(414, "request line too long"));
            }
        }
        if total > limits.request_bytes {
            return Err(Refusal::new(431, "request head too long"));
        }
        Ok(())
    }
}
