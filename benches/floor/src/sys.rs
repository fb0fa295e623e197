//! The system calls the floors are made of, each a line around libc.

use std::ffi::c_int;
use std::net::SocketAddrV4;

/// What a level-triggered epoll reports for one descriptor.
pub type Event = libc::epoll_event;

/// Ends the program with the call that failed and the system's word for it.
fn check(what: &str, result: c_int) -> c_int {
    if result < 0 {
        fail(&format!("{what}: {}", std::io::Error::last_os_error()));
    }
    result
}

/// Ends the program: what follows would not be a floor.
pub fn fail(why: &str) -> ! {
    eprintln!("hivewire-floor: {why}");
    std::process::exit(1);
}

/// A listening socket that shares its port, and the address it got.
pub fn listen(address: SocketAddrV4) -> (c_int, SocketAddrV4) {
    let mut name = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(*address.ip()).to_be() },
        sin_zero: [0; 8],
    };
    let mut size = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    let one: c_int = 1;
    // SAFETY: plain socket calls; every pointer is to a live local of the size that is passed.
    unsafe {
        let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        let fd = check("socket", libc::socket(libc::AF_INET, kind, 0));
        for option in [libc::SO_REUSEADDR, libc::SO_REUSEPORT] {
            let value = (&raw const one).cast();
            check("setsockopt", libc::setsockopt(fd, libc::SOL_SOCKET, option, value, 4));
        }
        check("bind", libc::bind(fd, (&raw const name).cast(), size));
        check("listen", libc::listen(fd, 65_535));
        check("getsockname", libc::getsockname(fd, (&raw mut name).cast(), &raw mut size));
        let host = u32::from_be(name.sin_addr.s_addr).into();
        (fd, SocketAddrV4::new(host, u16::from_be(name.sin_port)))
    }
}

/// The next waiting connection, non-blocking and without Nagle's delay.
pub fn accept(listener: c_int) -> Option<c_int> {
    let one: c_int = 1;
    // SAFETY: null address arguments are allowed; `one` lives through the call.
    unsafe {
        let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        let fd = libc::accept4(listener, std::ptr::null_mut(), std::ptr::null_mut(), flags);
        if fd < 0 {
            return None;
        }
        let value = (&raw const one).cast();
        libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, value, 4);
        Some(fd)
    }
}

/// An epoll that reports `listener`.
pub fn epoll(listener: c_int) -> c_int {
    // SAFETY: no pointers.
    let fd = unsafe { check("epoll_create1", libc::epoll_create1(libc::EPOLL_CLOEXEC)) };
    watch(fd, listener);
    fd
}

/// Has `epoll` report when `fd` is readable.
pub fn watch(epoll: c_int, fd: c_int) {
    let mut event = Event { events: libc::EPOLLIN as u32, u64: fd as u64 };
    // SAFETY: `event` lives through the call.
    unsafe { check("epoll_ctl", libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &raw mut event)) };
}

/// Waits until something is readable; the number of events filled in.
pub fn wait(epoll: c_int, events: &mut [Event]) -> usize {
    let room = events.len() as c_int;
    // SAFETY: the kernel writes at most `room` events, and that many are there.
    let count = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), room, -1) };
    count.max(0) as usize
}

/// What arrived: bytes read, 0 for the end (or a reset), `None` for nothing yet.
pub fn receive(fd: c_int, buffer: &mut [u8]) -> Option<usize> {
    // SAFETY: the kernel writes at most `buffer.len()` bytes into `buffer`.
    let count = unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    if count < 0 {
        let again = std::io::Error::last_os_error().raw_os_error() == Some(libc::EAGAIN);
        return if again { None } else { Some(0) };
    }
    Some(count as usize)
}

/// One send(2) of the whole of `bytes`. A peer that is gone is nobody's fault; a short send is.
pub fn send(fd: c_int, bytes: &[u8]) {
    // SAFETY: the kernel reads `bytes.len()` bytes of `bytes`.
    let count = unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) };
    if count >= 0 && count as usize != bytes.len() {
        fail("a socket buffer is full: the client does not keep up");
    }
}

/// Closes a descriptor.
pub fn close(fd: c_int) {
    // SAFETY: no pointers; the callers own `fd`.
    unsafe { libc::close(fd) };
}

/// Gives the calling thread a file table of its own, so that `RLIMIT_NOFILE` counts per thread.
pub fn own_file_table() {
    // SAFETY: no pointers; the range is empty in practice, so nothing that is open gets closed.
    let result = unsafe {
        libc::syscall(libc::SYS_close_range, u32::MAX - 1, u32::MAX, libc::CLOSE_RANGE_UNSHARE)
    };
    check("close_range", result as c_int);
}

/// The soft limit of open files, which bounds the tables indexed by descriptor.
pub fn descriptors() -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` lives through the call.
    unsafe { check("getrlimit", libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit)) };
    limit.rlim_cur as usize
}
