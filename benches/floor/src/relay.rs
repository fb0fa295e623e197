//! Relay: the floor of a durable direct message. Each frame becomes 200 bytes in a file; a second
//! thread syncs while the next batch fills; then the sender is answered and its partner gets the
//! frame, everything of a batch for one socket in one send(2).
//!
//! Connections are numbered by their path (`/17`), else in the order they come; `i` talks to `i ^ 1`.
//! The answer is the frame's first 64 bytes with `A` in front, the delivery the frame with `E`.

use std::ffi::c_int;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::server::Mode;
use crate::{sys, ws};

const RECORD: usize = 200;
const ANSWER: usize = 64;

/// Frames that wait for the disk: who sent each, and their bytes one after the other.
#[derive(Default)]
struct Batch {
    sends: Vec<(c_int, usize)>,
    bytes: Vec<u8>,
}

/// Numbers, files and the two batches: the one that fills and the one being synced.
pub struct Relay {
    log: File,
    path: String,
    doorbell: File,
    to_disk: Sender<()>,
    filling: Batch,
    syncing: Batch,
    busy: bool,
    records: Vec<u8>,
    by_number: Vec<c_int>,
    by_fd: Vec<usize>,
    next: usize,
    out: Vec<Vec<u8>>,
    dirty: Vec<c_int>,
}

impl Relay {
    /// Appends to a new file at `path`.
    pub fn new(path: &str) -> Self {
        let log = File::create(path).unwrap_or_else(|error| sys::fail(&format!("{path}: {error}")));
        // SAFETY: eventfd takes no pointers, and the new descriptor belongs to nobody else.
        let doorbell = unsafe { File::from_raw_fd(libc::eventfd(0, libc::EFD_NONBLOCK)) };
        let (to_disk, orders) = channel();
        let files = (log.try_clone(), doorbell.try_clone());
        if let (Ok(log), Ok(doorbell)) = files {
            std::thread::spawn(move || sync(&log, doorbell, &orders));
        }
        Self {
            log,
            path: path.to_owned(),
            doorbell,
            to_disk,
            filling: Batch::default(),
            syncing: Batch::default(),
            busy: false,
            records: Vec::new(),
            by_number: Vec::new(),
            by_fd: Vec::new(),
            next: 0,
            out: Vec::new(),
            dirty: Vec::new(),
        }
    }

    /// The disk has the batch: everyone in it is answered and delivered to.
    fn release(&mut self) {
        let Batch { sends, bytes } = &mut self.syncing;
        let mut at = 0;
        for &(sender, length) in sends.iter() {
            let frame = &mut bytes[at..at + length];
            at += length;
            frame[0] = b'A';
            queue(&mut self.out, &mut self.dirty, sender, &frame[..length.min(ANSWER)]);
            frame[0] = b'E';
            let partner = self.by_fd[sender as usize] ^ 1;
            if let Some(&fd) = self.by_number.get(partner).filter(|&&fd| fd >= 0) {
                queue(&mut self.out, &mut self.dirty, fd, frame);
            }
        }
        sends.clear();
        bytes.clear();
        for fd in self.dirty.drain(..) {
            sys::send(fd, &self.out[fd as usize]);
            self.out[fd as usize].clear();
        }
    }
}

fn queue(out: &mut [Vec<u8>], dirty: &mut Vec<c_int>, fd: c_int, payload: &[u8]) {
    let buffer = &mut out[fd as usize];
    if buffer.is_empty() {
        dirty.push(fd);
    }
    ws::write_frame(buffer, payload);
}

/// The second thread: one fdatasync an order, then the doorbell.
fn sync(log: &File, mut doorbell: File, orders: &Receiver<()>) {
    while orders.recv().is_ok() {
        let synced = log.sync_data().and_then(|()| doorbell.write_all(&1u64.to_ne_bytes()));
        if let Err(error) = synced {
            sys::fail(&format!("sync: {error}"));
        }
    }
}

impl Mode for Relay {
    fn start(&mut self, epoll: c_int, descriptors: usize) {
        sys::watch(epoll, self.doorbell.as_raw_fd());
        self.by_fd = vec![0; descriptors];
        self.out.resize_with(descriptors, Vec::new);
    }

    fn opened(&mut self, fd: c_int, number: Option<usize>) {
        let number = number.unwrap_or(self.next);
        self.next += 1;
        if self.by_number.len() <= number {
            self.by_number.resize(number + 1, -1);
        }
        self.by_number[number] = fd;
        self.by_fd[fd as usize] = number;
    }

    fn frame(&mut self, fd: c_int, bytes: &mut [u8], start: usize) {
        let payload = &bytes[start..];
        self.filling.sends.push((fd, payload.len()));
        self.filling.bytes.extend_from_slice(payload);
        let record = self.records.len();
        self.records.extend_from_slice(&payload[..payload.len().min(RECORD)]);
        self.records.resize(record + RECORD, 0);
    }

    fn closed(&mut self, fd: c_int) {
        self.by_number[self.by_fd[fd as usize]] = -1;
        if self.by_number.iter().all(|&fd| fd < 0) {
            let _ = std::fs::remove_file(&self.path);
        }
    }

    fn other(&mut self, fd: c_int) -> bool {
        if fd != self.doorbell.as_raw_fd() {
            return false;
        }
        let _ = self.doorbell.read(&mut [0; 8]);
        self.busy = false;
        self.release();
        true
    }

    fn turn_done(&mut self) {
        if !self.records.is_empty() {
            if let Err(error) = self.log.write_all(&self.records) {
                sys::fail(&format!("append: {error}"));
            }
            self.records.clear();
        }
        if !self.busy && !self.filling.sends.is_empty() {
            std::mem::swap(&mut self.filling, &mut self.syncing);
            self.busy = true;
            let _ = self.to_disk.send(());
        }
    }
}
