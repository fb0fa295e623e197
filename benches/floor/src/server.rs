//! The one loop all floors share: wait, accept, read, hand frames to the mode, end the turn.

use std::ffi::c_int;
use std::net::SocketAddrV4;

use crate::{sys, ws};

const EVENTS: usize = 1024;
const READ: usize = 256 * 1024;

/// What a floor does with a frame. Monomorphised, so it costs no indirection.
pub trait Mode {
    /// Called once, before the first turn, with the epoll and the bound of descriptors.
    fn start(&mut self, _epoll: c_int, _descriptors: usize) {}
    /// A connection finished its handshake; `number` is the one of its path.
    fn opened(&mut self, _fd: c_int, _number: Option<usize>) {}
    /// A whole frame, unmasked; `payload` may be overwritten, and `room` bytes lie before it.
    fn frame(&mut self, fd: c_int, bytes: &mut [u8], start: usize);
    /// A connection ended; its descriptor is closed after this.
    fn closed(&mut self, _fd: c_int) {}
    /// A descriptor that is no connection is readable (the relay's doorbell).
    fn other(&mut self, _fd: c_int) -> bool {
        false
    }
    /// All frames of one read were seen.
    fn read_done(&mut self) {}
    /// All events of one wait were seen.
    fn turn_done(&mut self) {}
}

/// Per descriptor: closed, awaiting its request, open; and the bytes of a frame that came in part.
#[derive(Default)]
struct Slot {
    open: bool,
    rest: Vec<u8>,
}

struct Server<M> {
    mode: M,
    slots: Vec<Slot>,
    buffer: Vec<u8>,
}

/// Serves for ever.
pub fn run<M: Mode>(address: SocketAddrV4, mode: M) {
    let (listener, address) = sys::listen(address);
    let epoll = sys::epoll(listener);
    let descriptors = sys::descriptors();
    let mut slots = Vec::new();
    slots.resize_with(descriptors, Slot::default);
    let mut server = Server { mode, slots, buffer: vec![0; READ] };
    server.mode.start(epoll, descriptors);
    println!("ready {address}");
    let mut events = [sys::Event { events: 0, u64: 0 }; EVENTS];
    loop {
        let count = sys::wait(epoll, &mut events);
        for event in &events[..count] {
            let fd = event.u64 as c_int;
            if fd == listener {
                while let Some(fd) = sys::accept(listener) {
                    sys::watch(epoll, fd);
                }
            } else if !server.mode.other(fd) {
                server.read(fd);
            }
        }
        server.mode.turn_done();
    }
}

impl<M: Mode> Server<M> {
    fn read(&mut self, fd: c_int) {
        let slot = &mut self.slots[fd as usize];
        let kept = slot.rest.len();
        self.buffer[..kept].copy_from_slice(&slot.rest);
        slot.rest.clear();
        match sys::receive(fd, &mut self.buffer[kept..]) {
            None => slot.rest.extend_from_slice(&self.buffer[..kept]),
            Some(0) => self.close(fd),
            Some(count) if slot.open => self.frames(fd, kept + count),
            Some(count) => self.request(fd, kept + count),
        }
    }

    fn frames(&mut self, fd: c_int, end: usize) {
        let mut at = 0;
        while let Some(frame) = ws::next_frame(&mut self.buffer[at..end]) {
            if frame.opcode == 8 {
                return self.close(fd);
            }
            self.mode.frame(fd, &mut self.buffer[at..at + frame.end], frame.start);
            at += frame.end;
        }
        self.slots[fd as usize].rest.extend_from_slice(&self.buffer[at..end]);
        self.mode.read_done();
    }

    fn request(&mut self, fd: c_int, end: usize) {
        let request = &self.buffer[..end];
        let slot = &mut self.slots[fd as usize];
        match ws::upgrade(request) {
            Some((number, response)) => {
                slot.open = true;
                slot.rest = Vec::new();
                sys::send(fd, &response);
                self.mode.opened(fd, number);
            }
            None => slot.rest.extend_from_slice(request),
        }
    }

    fn close(&mut self, fd: c_int) {
        self.slots[fd as usize] = Slot::default();
        self.mode.closed(fd);
        sys::close(fd);
    }
}
