//! The end of a connection: `bye`, Close, the peer's Close, end of stream, in this order where
//! the peer plays along, and by the wheel's deadline where it does not.

use super::Shard;
use super::secure::is_mute;
use crate::config::{CLOSE_MS, LINGER_MS, TICK_MS};
use crate::objects;
use crate::outbox::Queue;
use crate::table::{Phase, flag};
use hivewire_proto::frame::Opcode;
use hivewire_proto::{Fault, close, close_frame};
use std::net::Shutdown;

impl Shard {
    /// Says `bye` where the code has one, sends Close, and waits for the peer's.
    pub(super) fn begin_close(&mut self, index: u32, code: u16, reason: &str, delay_ms: u64) {
        let Some(slot) = self.table.at(index) else { return };
        match slot.line.phase {
            Phase::Closing | Phase::Dead => return,
            Phase::Upgrading => return self.kill(index),
            Phase::Opening | Phase::Connected => {}
        }
        if close::has_bye(code) && self.config.subprotocols {
            let encoding = slot.line.encoding;
            let bye = self.output.object(encoding, |out| {
                objects::write_bye(out, encoding, code, reason, delay_ms);
            });
            self.output.queue_bare(index, &mut slot.line, bye);
        }
        let mut body = Vec::with_capacity(32);
        close_frame::encode_body(code, reason, &mut body);
        self.send_close(index, code, &body);
    }

    fn send_close(&mut self, index: u32, code: u16, body: &[u8]) {
        let Some(slot) = self.table.at(index) else { return };
        let frame = self.output.frame(Opcode::Close, body);
        self.output.queue_bare(index, &mut slot.line, frame);
        slot.wire.note_close_sent();
        slot.line.code = code;
        slot.line.phase = Phase::Closing;
        slot.line.since = self.tick;
        slot.line.clear(flag::HELD);
        self.topics.forget(&mut self.table, index);
        self.arm_end(index, CLOSE_MS);
        self.resume_reading(index);
    }

    /// The peer has closed: its code goes back to it, then the socket ends (RFC 6455 5.5.1).
    pub(super) fn answer_close(&mut self, index: u32, code: Option<u16>) {
        let Some(slot) = self.table.at(index) else { return };
        slot.line.set(flag::FINISH | flag::DEAF);
        if slot.line.phase == Phase::Closing {
            // Ours is out already; the flush at the end of the turn finds that all is done.
            return self.output.mark(index, &mut slot.line);
        }
        let mut body = Vec::new();
        if let Some(code) = code {
            close_frame::encode_body(code, "", &mut body);
        }
        self.send_close(index, code.unwrap_or(close::NO_STATUS), &body);
    }

    /// Input that cannot be gone on with: the fitting answer, and nothing more is read.
    pub(super) fn fail(&mut self, index: u32, fault: &Fault) {
        let stats = &self.shared.stats;
        match fault {
            Fault::Http { response, .. } => {
                stats.refused_total.add(1);
                self.refuse(index, response);
            }
            Fault::Ws(error) => {
                stats.protocol_errors_total.add(1);
                self.begin_close(index, error.close_code(), error.reason(), 0);
                if let Some(slot) = self.table.at(index) {
                    slot.line.set(flag::DEAF);
                }
            }
        }
    }

    /// Answers an upgrade request with something other than 101.
    pub(super) fn refuse(&mut self, index: u32, response: &[u8]) {
        let Some(slot) = self.table.at(index) else { return };
        if is_mute(index, slot, &mut self.secure.keys) {
            return self.kill(index);
        }
        let response = self.output.raw(response);
        self.output.queue_bare(index, &mut slot.line, response);
        self.begin_end(index);
    }

    /// From here on nothing is read, and the line ends when all is written.
    pub(super) fn begin_end(&mut self, index: u32) {
        let Some(slot) = self.table.at(index) else { return };
        slot.line.phase = Phase::Closing;
        slot.line.since = self.tick;
        slot.line.set(flag::DEAF);
        self.output.mark(index, &mut slot.line);
        self.arm_end(index, CLOSE_MS);
    }

    /// A slow reader: what has not been begun is dropped, and the Close is all that follows.
    pub(super) fn doom(&mut self, index: u32, reason: &str) {
        let Some(slot) = self.table.at(index) else { return };
        if !slot.line.takes_orders() {
            return;
        }
        self.shared.stats.slow_readers_total.add(1);
        slot.line.queue = Queue::EMPTY;
        if let Some(backlog) = &mut slot.line.backlog {
            let before = backlog.bytes();
            backlog.drop_whole_frames();
            self.output.drained(before - backlog.bytes());
        }
        self.note_lost(index);
        self.begin_close(index, close::SLOW_READER, reason, 0);
    }

    /// All of a closing connection's output is with the kernel.
    pub(super) fn closed_all_written(&mut self, index: u32) {
        let Some(slot) = self.table.at(index) else { return };
        if !slot.line.has(flag::FINISH | flag::DEAF) {
            return;
        }
        if self.says_close_notify(index) {
            return;
        }
        let Some(slot) = self.table.at(index) else { return };
        if slot.line.has(flag::FINISH) {
            return self.kill(index);
        }
        if slot.line.has(flag::DEAF) && slot.line.set(flag::SHUT) {
            // Closing now, with input unread, would send a reset that can overtake our answer.
            let shut = slot.stream.as_ref().map(|stream| stream.shutdown(Shutdown::Write));
            if !matches!(shut, Some(Ok(()))) {
                return self.kill(index);
            }
            self.arm_end(index, LINGER_MS);
            self.resume_reading(index);
        }
    }

    fn arm_end(&mut self, index: u32, after_ms: u64) {
        let ticks = u32::try_from(after_ms / TICK_MS).unwrap_or(u32::MAX);
        self.wheel.arm(&mut self.table, index, self.tick + ticks);
    }
}
