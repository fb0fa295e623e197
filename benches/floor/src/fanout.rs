//! Fan-out: a connection says `sub` or `pub` first and is answered `ok`; what it says afterwards goes
//! to every connection that said `sub`.

use std::ffi::c_int;

use crate::server::Mode;
use crate::{sys, ws};

/// The subscribers, and the frames of the read under way.
pub struct Fanout {
    coalesce: bool,
    subscribers: Vec<c_int>,
    out: Vec<u8>,
}

impl Fanout {
    /// `coalesce`: one send(2) per subscriber and read; otherwise one per subscriber and frame.
    pub fn new(coalesce: bool) -> Self {
        Self { coalesce, subscribers: Vec::new(), out: Vec::new() }
    }

    fn flush(&mut self) {
        for &fd in &self.subscribers {
            sys::send(fd, &self.out);
        }
        self.out.clear();
    }
}

impl Mode for Fanout {
    fn frame(&mut self, fd: c_int, bytes: &mut [u8], start: usize) {
        let payload = &bytes[start..];
        if payload == b"sub" || payload == b"pub" {
            if payload == b"sub" {
                self.subscribers.push(fd);
            }
            return sys::send(fd, b"\x81\x02ok");
        }
        ws::write_frame(&mut self.out, payload);
        if !self.coalesce {
            self.flush();
        }
    }

    fn read_done(&mut self) {
        if !self.out.is_empty() {
            self.flush();
        }
    }

    fn closed(&mut self, fd: c_int) {
        self.subscribers.retain(|&other| other != fd);
    }
}
