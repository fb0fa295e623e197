//! The payload of a Close frame: a code and a reason (RFC 6455 section 5.5.1).

use crate::close::may_be_received;
use crate::error::ProtocolError;
use crate::limits::CLOSE_REASON;

/// Appends the payload of a Close frame: the code and as much of `reason` as 123 bytes hold,
/// cut between characters.
pub fn encode_body(code: u16, reason: &str, out: &mut Vec<u8>) {
    let mut kept = reason.len().min(CLOSE_REASON);
    while !reason.is_char_boundary(kept) {
        kept -= 1;
    }
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(reason.get(..kept).unwrap_or_default().as_bytes());
}

/// Reads the payload of a Close frame: `(code, reason)`, no code when it is empty.
///
/// # Errors
/// [`ProtocolError::BadClose`] for one byte or a code that must not be sent,
/// [`ProtocolError::BadUtf8`] for the reason.
pub fn parse_body(payload: &[u8]) -> Result<(Option<u16>, &str), ProtocolError> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok((None, "")) } else { Err(ProtocolError::BadClose) };
    };
    let code = u16::from_be_bytes(*code);
    if !may_be_received(code) {
        return Err(ProtocolError::BadClose);
    }
    let reason = std::str::from_utf8(reason).map_err(|_| ProtocolError::BadUtf8)?;
    Ok((Some(code), reason))
}
