//! Lines that speak TLS: what they read goes through their keys first, and their end has a word
//! of its own.

use super::Shard;
use crate::config::READ_BUFFER;
use crate::table::{Phase, Slot, flag};
use crate::tls::{Opened, SEALED, Tls};
use std::io::{self, Read};

/// What a browser is told that was given `http://` where `https://` listens.
const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\
    Content-Type: text/plain\r\nContent-Length: 32\r\n\r\nthis port speaks TLS: use wss://\n";

/// What lines with TLS have besides their slots; nothing of it exists where there are none.
#[derive(Default)]
pub(super) struct Secure {
    /// By slot: the keys of a line, from its first byte on.
    pub(super) keys: Keys,
    /// The buffers that all share, made when the first of them speaks.
    inward: Vec<u8>,
    outward: Vec<u8>,
    reply: Vec<u8>,
}

/// See [`Secure::keys`].
#[derive(Default)]
pub(super) struct Keys(Vec<Option<Box<Tls>>>);

impl Keys {
    pub(super) fn of(&mut self, index: u32) -> Option<&mut Tls> {
        self.0.get_mut(index as usize)?.as_deref_mut()
    }

    pub(super) fn give(&mut self, index: u32, keys: Box<Tls>) {
        let at = index as usize;
        if self.0.len() <= at {
            self.0.resize_with(at + 1, || None);
        }
        if let Some(place) = self.0.get_mut(at) {
            *place = Some(keys);
        }
    }

    /// To be called before a slot is free for another line.
    pub(super) fn forget(&mut self, index: u32) {
        if let Some(place) = self.0.get_mut(index as usize) {
            *place = None;
        }
    }
}

impl Secure {
    /// A line's keys, and where sealed bytes are put for one write.
    pub(super) fn way_out(&mut self, index: u32) -> Option<(&mut Tls, &mut [u8])> {
        let tls = self.keys.of(index)?;
        self.outward.resize(SEALED, 0);
        Some((tls, &mut self.outward))
    }
}

impl Shard {
    pub(super) fn read_sealed(&mut self, index: u32) {
        if self.begin_tls(index).is_none() {
            return;
        }
        let Self { table, secure, shared, .. } = self;
        let Some(slot) = table.at(index) else { return };
        let (Some(stream), Some(tls)) = (slot.stream.as_mut(), secure.keys.of(index)) else {
            return;
        };
        secure.inward.resize(READ_BUFFER, 0);
        let held = tls.lend(&mut secure.inward);
        let room = secure.inward.get_mut(held..).unwrap_or_default();
        shared.stats.reads_total.add(1);
        match stream.read(room) {
            Ok(0) => self.end_of_stream(index),
            Ok(n) => {
                slot.line.heard = self.sight.now(self.tick);
                // As for a plain line: a full read, or a peer that hangs up, is read again.
                let more = n == room.len() || slot.line.has(flag::HANGING_UP);
                shared.stats.received_bytes_total.add_len(n);
                if more {
                    self.note_readable(index);
                }
                self.open(index, held + n);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.note_readable(index),
            Err(_) => self.kill(index),
        }
    }

    /// Opens what was read and takes the plain bytes in.
    fn open(&mut self, index: u32, sealed: usize) {
        let Self { table, secure, buffer, .. } = self;
        let Some(slot) = table.at(index) else { return };
        if slot.line.has(flag::DEAF) {
            return;
        }
        let Some(tls) = secure.keys.of(index) else { return };
        let fresh = !tls.is_established();
        let sealed = secure.inward.get_mut(..sealed).unwrap_or_default();
        let plain_http = fresh && sealed.starts_with(b"GET ");
        let opened = tls.open(sealed, buffer, &mut secure.reply);
        if fresh && tls.is_established() {
            self.shared.stats.tls_handshakes_total.add(1);
        }
        if opened.is_err() && plain_http {
            secure.reply.clear();
            secure.reply.extend_from_slice(PLAIN_HTTP);
        }
        self.send_reply(index);
        match opened {
            Err(_) => self.end_tls(index),
            Ok(Opened { plain, ended }) => {
                if plain > 0 {
                    self.take_in(index, plain);
                }
                if ended {
                    self.end_of_stream(index);
                }
            }
        }
    }

    /// Puts what TLS itself has to say in front of everything.
    fn send_reply(&mut self, index: u32) {
        let Self { table, secure, output, tick, .. } = self;
        let Some(slot) = table.at(index) else { return };
        if !secure.reply.is_empty() {
            output.keep_sealed(&mut slot.line, &secure.reply, None, *tick);
            output.mark(index, &mut slot.line);
            secure.reply.clear();
        }
    }

    /// The peer broke TLS: it gets the alert, and nothing of it is read any more.
    fn end_tls(&mut self, index: u32) {
        self.shared.stats.tls_failures_total.add(1);
        let Some(slot) = self.table.at(index) else { return };
        if matches!(slot.line.phase, Phase::Closing | Phase::Dead) {
            return self.kill(index);
        }
        // Of what is queued nothing can be sealed any more.
        slot.line.queue = crate::outbox::Queue::EMPTY;
        if let Some(backlog) = &mut slot.line.backlog {
            let before = backlog.bytes();
            backlog.drop_chunks();
            self.output.drained(before - backlog.bytes());
        }
        self.note_lost(index);
        self.note_broken(index);
        self.begin_end(index);
    }

    /// Says `close_notify` where that has not been done; true if it is on its way now.
    pub(super) fn says_close_notify(&mut self, index: u32) -> bool {
        let tls = self.secure.keys.of(index).filter(|tls| tls.is_established());
        let Some(tls) = tls else { return false };
        tls.end(&mut self.secure.reply);
        self.send_reply(index);
        true
    }
}

/// Whether nothing can be said on a line because its handshake is not done.
pub(super) fn is_mute(index: u32, slot: &Slot, keys: &mut Keys) -> bool {
    slot.line.has(flag::SECURE) && !keys.of(index).is_some_and(|tls| tls.is_established())
}
