//! The floor: what the kernel alone charges for each thing a chat server does.
//!
//! `hivewire-floor idle|echo|fanout|relay|handshake --listen HOST:PORT` runs one epoll thread with
//! the least code that does the job and no state that the job does not need. hivewire's benchmarks
//! are ratios to these programs, measured in the same run on the same machine.
//!
//! A floor that meets something it was not made for (a short send, a frame over 64 KiB) ends with a
//! message: its figure would no longer be a floor.

mod echo;
mod fanout;
mod hold;
mod relay;
mod server;
mod sha1;
mod sys;
mod ws;

use std::net::SocketAddrV4;

const USAGE: &str = "\
usage: hivewire-floor MODE [--listen HOST:PORT] [options]

modes
  idle        accept, upgrade, hold (an array of one byte per descriptor)
  handshake   the same, under the name of the figure it is the floor of
  echo        send each frame back: one recv and one send a message
  fanout      connections that said `sub` get what the one that said `pub` says
  relay       append 200 bytes a frame to a file, group fdatasync, then answer and forward

options
  --listen HOST:PORT   default 127.0.0.1:0 (a free port)
  --threads N          idle, handshake: threads with a listener and a file table each (default 1)
  --coalesce           fanout: all frames of one read go out in one send per subscriber
  --file PATH          relay: the file to append to (default ./floor-relay.log, removed at the end)

Prints `ready HOST:PORT` when it accepts.
";

struct Options {
    mode: String,
    listen: SocketAddrV4,
    threads: usize,
    coalesce: bool,
    file: String,
}

fn main() {
    let options = parse(std::env::args().skip(1)).unwrap_or_else(|error| {
        eprintln!("{error}\n\n{USAGE}");
        std::process::exit(2);
    });
    match options.mode.as_str() {
        "echo" => server::run(options.listen, echo::Echo),
        "fanout" => server::run(options.listen, fanout::Fanout::new(options.coalesce)),
        "relay" => server::run(options.listen, relay::Relay::new(&options.file)),
        _ => hold::run(options.listen, options.threads),
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mode = words.next().ok_or("a mode is missing")?;
    if !["idle", "handshake", "echo", "fanout", "relay"].contains(&mode.as_str()) {
        return Err(format!("no such mode: {mode}"));
    }
    let mut options = Options {
        mode,
        listen: SocketAddrV4::new([127, 0, 0, 1].into(), 0),
        threads: 1,
        coalesce: false,
        file: "floor-relay.log".to_owned(),
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} takes a value"));
        match word.as_str() {
            "--listen" => {
                options.listen = value()?.parse().map_err(|e| format!("--listen: {e}"))?;
            }
            "--threads" => {
                options.threads = value()?.parse().map_err(|e| format!("{word}: {e}"))?;
            }
            "--coalesce" => options.coalesce = true,
            "--file" => options.file = value()?,
            _ => return Err(format!("no such option: {word}")),
        }
    }
    Ok(options)
}
