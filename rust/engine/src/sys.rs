//! The only room with `unsafe`: what the standard library and mio do not offer of Linux.
#![expect(unsafe_code, reason = "system calls that have no safe wrapper among our dependencies")]

use std::fs::File;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// A counter in the kernel that wakes whoever polls it.
///
/// It is made before a shard takes its own file table, so the same number means the same
/// counter in the shard's table and in everybody else's.
#[derive(Debug)]
pub struct EventFd(File);

impl EventFd {
    /// A non-blocking, close-on-exec eventfd at zero.
    ///
    /// # Errors
    /// What `eventfd(2)` reports, in practice only EMFILE.
    pub fn new() -> io::Result<Self> {
        // SAFETY: eventfd takes no pointers; a descriptor that it returns is ours alone.
        let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `fd` was just opened, is valid, and nothing else owns it.
        Ok(Self(unsafe { File::from_raw_fd(fd) }))
    }

    /// Wakes the poller. A counter that is full already wakes it, so errors carry no news.
    pub fn ring(&self) {
        let _ = (&self.0).write(&1_u64.to_ne_bytes());
    }

    /// Sets the counter back to zero, so that the next `ring` is an edge again.
    pub fn clear(&self) {
        let _ = (&self.0).read(&mut [0; 8]);
    }
}

/// An eventfd that is rung once until it has been answered, however many ring: a system call per
/// answer, not per ring.
#[derive(Debug)]
pub struct Bell {
    fd: EventFd,
    rung: AtomicBool,
}

impl Bell {
    /// A silent bell.
    ///
    /// # Errors
    /// When no descriptor can be had.
    pub fn new() -> io::Result<Self> {
        Ok(Self { fd: EventFd::new()?, rung: AtomicBool::new(false) })
    }

    /// Rings, unless somebody has since the last answer. What the bell announces must be in its
    /// place before.
    pub fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.fd.ring();
        }
    }

    /// Answers, if anybody has rung. Only for who polls edges: a ring whose write comes late
    /// finds its flag answered already, and leaves the descriptor readable until the next one.
    pub fn answer_if_rung(&self) {
        if self.rung.load(Ordering::SeqCst) {
            self.answer();
        }
    }

    /// Answers: whatever is put in its place from here on rings again. Look there afterwards.
    ///
    /// The descriptor is cleared first. The other way round, a ring in between would be cleared
    /// with the old one while its flag stays up, and the bell would be silent for ever.
    pub fn answer(&self) {
        self.fd.clear();
        self.rung.store(false, Ordering::SeqCst);
        // The look must not be reordered before the flag goes down.
        std::sync::atomic::fence(Ordering::SeqCst);
    }
}

impl AsRawFd for Bell {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl AsRawFd for EventFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// The calling thread takes no signals: they go to another one.
///
/// Python's handler writes to a descriptor of the process, in whatever thread the kernel picked. In a
/// thread with a file table of its own that number is nothing, and the signal is lost; or a client.
pub fn block_signals() {
    let mut all = MaybeUninit::uninit();
    // SAFETY: `sigfillset` fills the set in, and the mask is this thread's own.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), std::ptr::null_mut());
    }
}

/// Gives the calling thread a file table of its own that holds only `keep` (and 0, 1, 2).
///
/// Each table has the whole `RLIMIT_NOFILE` for itself, and the kernel needs no lock that is
/// shared between shards when a descriptor is opened or closed.
///
/// # Errors
/// What `close_range(2)` reports: ENOSYS before Linux 5.9, EPERM under some seccomp filters.
/// Nothing has changed then, and the thread goes on in the shared table.
pub fn unshare_file_table(keep: &[RawFd]) -> io::Result<()> {
    let mut keep: Vec<u32> = keep.iter().filter_map(|&fd| u32::try_from(fd).ok()).collect();
    keep.sort_unstable();
    let top = keep.last().map_or(3, |&fd| fd + 1);
    // The range above the last kept descriptor goes first: this call makes the table our own.
    close_range(top, u32::MAX, libc::CLOSE_RANGE_UNSHARE)?;
    let mut from = 3;
    for fd in keep {
        if fd > from {
            close_range(from, fd - 1, 0)?;
        }
        from = from.max(fd + 1);
    }
    Ok(())
}

fn close_range(first: u32, last: u32, flags: libc::c_uint) -> io::Result<()> {
    // SAFETY: the call takes no pointers. After the first call the table is this thread's own,
    // and the thread owns no descriptor in the ranges that it closes.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Bytes of a page of memory.
#[must_use]
pub fn page_bytes() -> u64 {
    // SAFETY: the call takes a number and returns one.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4_096)
}

/// Asks the allocator to give free pages back to the kernel.
pub fn trim_memory() {
    // SAFETY: glibc locks its arenas itself; the call touches nothing that is allocated.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Milliseconds since the Unix epoch, for token expiry only.
#[must_use]
pub fn unix_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

/// The one clock of a shard: milliseconds since the engine was made.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// A clock that stands at zero now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the shard's clock is where time comes from")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Milliseconds since `start`.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// `CLOCK_MONOTONIC` in nanoseconds: what Python's `time.monotonic_ns` reads as well.
#[must_use]
pub fn monotonic_ns() -> u64 {
    let mut at = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `at` is a valid timespec that the call fills in.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut at) };
    u64::try_from(at.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(at.tv_nsec).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::unix::SourceFd;
    use mio::{Events, Interest, Poll, Token};
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;
    use std::time::Duration;

    /// Between flag and write a ringer may lose its processor. Answered meanwhile, it would leave
    /// the descriptor readable with nobody to clear it, and a level-triggered loop would spin.
    #[test]
    fn a_ring_whose_write_came_late_is_silenced_by_the_next_answer() {
        let bell = Bell::new().expect("a descriptor");
        bell.rung.store(true, Ordering::SeqCst);
        bell.answer();
        bell.fd.ring();
        bell.answer();
        let left = (&bell.fd.0).read(&mut [0; 8]);
        assert_eq!(left.expect_err("nothing").kind(), io::ErrorKind::WouldBlock);
    }

    /// A wake-up was lost when the flag went down before the descriptor was cleared; with four
    /// ringers that took a few thousand rounds.
    #[test]
    fn no_ring_is_lost_however_many_ring_while_it_is_answered() {
        const RINGERS: u64 = 4;
        const RINGS: u64 = 50_000;
        let bell = Arc::new(Bell::new().expect("a descriptor"));
        let rung = Arc::new(AtomicU64::new(0));
        let ringers: Vec<_> = (0..RINGERS)
            .map(|_| {
                let (bell, rung) = (bell.clone(), rung.clone());
                std::thread::spawn(move || {
                    for _ in 0..RINGS {
                        rung.fetch_add(1, Ordering::SeqCst);
                        bell.ring();
                    }
                })
            })
            .collect();
        let mut poll = Poll::new().expect("an epoll");
        let fd = bell.as_raw_fd();
        let registry = poll.registry();
        registry.register(&mut SourceFd(&fd), Token(0), Interest::READABLE).expect("registered");
        let mut events = Events::with_capacity(4);
        while rung.load(Ordering::SeqCst) < RINGERS * RINGS {
            poll.poll(&mut events, Some(Duration::from_secs(20))).expect("polled");
            assert!(!events.is_empty(), "a ring was lost");
            bell.answer();
        }
        for ringer in ringers {
            ringer.join().expect("rang");
        }
    }
}
