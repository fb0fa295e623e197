//! Those who come and those who go while others speak: all get through, and in their order.

use crate::driver::{Client, Node, Taken, config, frame, node, session};
use hivewire_engine::{Config, ConnId};
use hivewire_proto::frame::Opcode;
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::thread::JoinHandle;

const CONNECT: &str = r#"{"op":"connect"}"#;
const SAID: &str = "and so on";

/// Somebody who speaks without a pause, so that Python always has something to take.
struct Talker {
    socket: TcpStream,
    thread: Option<JoinHandle<()>>,
}

impl Talker {
    fn begins(node: &mut Node) -> Self {
        let (client, _) = node.connects("talker", "phone");
        let socket = client.socket.try_clone().expect("a descriptor");
        let said = frame(Opcode::Text, true, SAID.as_bytes());
        let mut client = client.socket;
        let thread = std::thread::spawn(move || while client.write_all(&said).is_ok() {});
        Self { socket, thread: Some(thread) }
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The next item that is not the talker's.
fn takes_other(node: &mut Node) -> Taken {
    loop {
        let taken = node.takes();
        let talks = matches!(&taken, Taken::Commands { frames, .. } if frames[0] == SAID);
        if !talks {
            return taken;
        }
    }
}

#[test]
fn i8_everybody_who_comes_or_goes_gets_through_while_somebody_never_stops_talking() {
    const MANY: usize = 60;
    let mut node = node(config());
    let guests: Vec<_> = (0..MANY).map(|n| node.connects(&n.to_string(), "phone")).collect();
    let _talker = Talker::begins(&mut node);
    let mut gone: Vec<ConnId> = guests.iter().map(|guest| guest.1).collect();
    for (client, _) in guests {
        client.resets();
    }
    let address = node.address;
    let newcomers = std::thread::spawn(move || {
        let speaks = |_| {
            let mut client = Client::dial(address).upgrade();
            client.says(CONNECT);
            client
        };
        (0..MANY).map(speaks).collect::<Vec<Client>>()
    });
    let mut came = Vec::new();
    while came.len() < MANY || !gone.is_empty() {
        match takes_other(&mut node) {
            Taken::Closed { conn, .. } => gone.retain(|&one| one != conn),
            Taken::Commands { conn, frames, .. } if frames == [CONNECT] => came.push(conn),
            other => panic!("{other:?}"),
        }
    }
    let clients = newcomers.join().expect("all could speak");
    assert_eq!((came.len(), clients.len()), (MANY, MANY));
}

#[test]
fn everybody_whose_time_is_over_is_shown_out_while_somebody_never_stops_talking() {
    const MANY: usize = 100;
    let mut node = node(Config { opening_ms: 500, ..config() });
    let silent: Vec<Client> = (0..MANY).map(|_| Client::dial(node.address)).collect();
    let unopened: Vec<Client> = (0..MANY).map(|_| node.opens()).collect();
    let _talker = Talker::begins(&mut node);
    let ends = std::thread::spawn(move || {
        for mut client in silent {
            assert!(client.reads_to_end().starts_with("HTTP/1.1 408 "));
        }
        for mut client in unopened {
            client.hears_bye(4502);
        }
    });
    while !ends.is_finished() {
        let taken = node.takes();
        assert!(matches!(&taken, Taken::Commands { frames, .. } if frames[0] == SAID), "{taken:?}");
    }
    ends.join().expect("each was told why");
    let stays = |one: &Taken| matches!(one, Taken::Commands { .. });
    assert!(stays(&node.takes()), "and who speaks goes on");
}

#[test]
fn what_a_newcomer_says_stays_in_order_across_its_connected() {
    let mut node = node(config());
    let _talker = Talker::begins(&mut node);
    for number in 0..20 {
        let mut client = node.opens();
        for said in [CONNECT, "0", "1"] {
            client.says(said);
        }
        let Taken::Commands { conn, frames: mut heard, .. } = takes_other(&mut node) else {
            panic!("a connect was expected")
        };
        let user = number.to_string();
        node.does(|engine| engine.connected(conn, &session(&user, "phone"), b"connected"));
        client.says("2");
        assert_eq!(client.hears_text(), "connected");
        client.says("3");
        client.hangs_up();
        while let Taken::Commands { conn: from, frames, .. } = takes_other(&mut node) {
            assert_eq!(from, conn);
            heard.extend(frames);
        }
        assert_eq!(heard, [CONNECT, "0", "1", "2", "3"]);
    }
}
