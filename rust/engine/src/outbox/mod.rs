//! What waits to be written: for this turn in shared arenas ([`Turn`]), after it in a [`Backlog`].
//!
//! While a turn runs, a connection's output is a linked list of references into byte arenas (the
//! shard's own and those that Python submitted), so a broadcast is stored once and queueing
//! allocates nothing. At the end of the turn each connection is flushed once: all that piled up
//! goes out in one send, which is the biggest lever there is. Only what the kernel did not take
//! is copied into the connection's [`Backlog`] and waits for the socket to become writable.

mod backlog;
mod turn;

pub use backlog::Backlog;
pub(crate) use backlog::write_some;
pub use turn::{Queue, Rest, Span, Turn};

#[cfg(test)]
mod socket {
    use std::io::{self, Write};

    /// A socket that takes `room` bytes and counts the writes.
    #[derive(Default)]
    pub(super) struct Socket {
        pub(super) taken: Vec<u8>,
        pub(super) room: usize,
        pub(super) writes: usize,
    }

    impl Write for Socket {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.writes += 1;
            let n = bytes.len().min(self.room);
            if n == 0 && !bytes.is_empty() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.room -= n;
            self.taken.extend_from_slice(&bytes[..n]);
            Ok(n)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
