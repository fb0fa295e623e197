//! Idle and handshake: accept, upgrade, hold. One byte of user memory per descriptor.

use std::ffi::c_int;
use std::net::SocketAddrV4;

use crate::{sys, ws};

const EVENTS: usize = 1024;
const READ: usize = 16 * 1024;

/// `threads` listeners on one port, each with its own file table; serves for ever.
pub fn run(address: SocketAddrV4, threads: usize) {
    let (first, address) = sys::listen(address);
    let mut listeners = vec![first];
    listeners.extend((1..threads).map(|_| sys::listen(address).0));
    println!("ready {address}");
    std::thread::scope(|scope| {
        for listener in listeners {
            scope.spawn(move || hold(listener));
        }
    });
}

/// A request must come in one piece: the floor pays for no buffer per connection.
fn hold(listener: c_int) {
    sys::own_file_table();
    let epoll = sys::epoll(listener);
    let mut open = vec![false; sys::descriptors()];
    let mut buffer = vec![0; READ];
    let mut events = [sys::Event { events: 0, u64: 0 }; EVENTS];
    loop {
        let count = sys::wait(epoll, &mut events);
        for event in &events[..count] {
            let fd = event.u64 as c_int;
            if fd == listener {
                while let Some(fd) = sys::accept(listener) {
                    sys::watch(epoll, fd);
                }
                continue;
            }
            let open = &mut open[fd as usize];
            match sys::receive(fd, &mut buffer) {
                None => {}
                Some(count) if count > 0 && *open => {}
                Some(count) => match ws::upgrade(&buffer[..count]) {
                    Some((_, response)) if count > 0 => {
                        *open = true;
                        sys::send(fd, &response);
                    }
                    _ => {
                        *open = false;
                        sys::close(fd);
                    }
                },
            }
        }
    }
}
