//! Echo: the frame goes back from the buffer it was read into.

use std::ffi::c_int;

use crate::server::Mode;
use crate::{sys, ws};

/// No state at all.
pub struct Echo;

impl Mode for Echo {
    fn frame(&mut self, fd: c_int, bytes: &mut [u8], start: usize) {
        // A client's header is four bytes longer than a server's, so there is always room in front.
        let (head, size) = ws::header(1, bytes.len() - start);
        bytes[start - size..start].copy_from_slice(&head[ws::HEADER - size..]);
        sys::send(fd, &bytes[start - size..]);
    }
}
