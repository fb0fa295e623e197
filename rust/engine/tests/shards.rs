//! Several shards behind one port, their file tables, and what happens when a table is full.

use crate::driver::{Client, PATIENCE, Taken, config, in_a_process_of_its_own, node};
use hivewire_engine::sys::unshare_file_table;
use hivewire_engine::{Class, Config};
use std::collections::HashSet;
use std::fs::read_dir;
use std::sync::mpsc;
use std::time::Duration;

#[test]
fn shards_share_a_port_and_users_live_on_all_of_them() {
    let mut node = node(Config { shards: 3, ..config() });
    let mut clients: Vec<_> = (0..40).map(|n| node.connects("ann", &n.to_string())).collect();
    let used: HashSet<usize> = clients.iter().map(|(_, conn)| conn.shard()).collect();
    assert!(used.len() > 1, "the kernel spreads connections");
    assert_eq!((node.engine.connections(), node.figure("shards")), (40, 3));
    let (_, origin) = clients[0];
    node.does(|engine| {
        for (_, conn) in &clients {
            engine.subscribe(*conn, "news");
        }
        engine.event("ann", 1, (br#"{"n":1}"#, None), Some((origin, b"sent")));
        engine.publish("news", (b"published", None), Class::Volatile);
    });
    for (n, (client, _)) in clients.iter_mut().enumerate() {
        let first = if n == 0 { "sent" } else { r#"{"op":"event","seq":1,"n":1}"# };
        assert_eq!(client.hears_text(), first);
        assert_eq!(client.hears_text(), "published");
    }
}

#[test]
fn each_shard_has_a_file_table_of_its_own_where_the_kernel_grants_it() {
    let granted = std::thread::spawn(|| unshare_file_table(&[]).is_ok()).join().expect("no panic");
    let node = node(Config { shards: 2, ..config() });
    assert_eq!(node.figure("own_file_table"), if granted { 2 } else { 0 });
}

#[test]
fn no_shards_or_too_many_are_refused() {
    for shards in [0, 129] {
        let error = hivewire_engine::Engine::new(Config { shards, ..config() });
        assert!(error.is_err(), "{shards} shards");
    }
}

#[test]
fn a_port_in_use_is_an_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let mut engine =
        hivewire_engine::Engine::new(Config { address, ..config() }).expect("descriptors");
    engine.listen().expect_err("somebody else listens there");
}

/// `SO_REUSEPORT` alone would let them share it, each with half of the clients.
#[test]
fn two_nodes_do_not_share_a_port() {
    let first = node(config());
    let address = first.address.to_string();
    let mut second =
        hivewire_engine::Engine::new(Config { address, ..config() }).expect("descriptors");
    second.listen().expect_err("the first one listens there");
}

#[test]
fn no_descriptor_is_left_behind() {
    in_a_process_of_its_own("shards::alone_counts_descriptors", 1_000);
}

#[test]
#[ignore = "counts descriptors: run by no_descriptor_is_left_behind in a process of its own"]
fn alone_counts_descriptors() {
    let mut node = node(config());
    let tables = |name: &str| {
        let tasks = read_dir("/proc/self/task").expect("procfs").flatten();
        let named = tasks.filter(|task| {
            let comm = std::fs::read_to_string(task.path().join("comm"));
            comm.is_ok_and(|comm| comm.trim() == name)
        });
        named.map(|task| read_dir(task.path().join("fd")).expect("procfs").count()).sum::<usize>()
    };
    let before = tables("hw-shard-0");
    assert!(before > 0);
    for round in 0..3 {
        let mut clients = Vec::new();
        for n in 0..50 {
            clients.push(node.connects("ann", &n.to_string()).0);
            clients.push(node.opens());
            clients.push(Client::dial(node.address));
        }
        node.sees("accepted_total", |count| count == 150 * (round + 1));
        for (n, client) in clients.into_iter().enumerate() {
            if n % 2 == 0 { client.resets() } else { drop(client) }
        }
        node.sees_connections(0);
        for _ in 0..50 {
            assert!(matches!(node.takes(), Taken::Closed { .. }));
        }
    }
    assert_eq!(tables("hw-shard-0"), before);
}

#[test]
fn a_full_table_rests_without_spinning_and_goes_on_when_there_is_room() {
    in_a_process_of_its_own("shards::alone_runs_out_of_descriptors", 48);
}

/// Clients need tables of their own as well: each thread can hold as many as the shard.
#[test]
#[ignore = "needs a small limit: run by a_full_table_rests_… in a process of its own"]
fn alone_runs_out_of_descriptors() {
    const CLIENTS: usize = 30;
    if std::thread::spawn(|| unshare_file_table(&[]).is_err()).join().expect("no panic") {
        return; // one table for all: the clients would run out first
    }
    let node = node(config());
    let address = node.address;
    let (go, wait) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    let tell_second = tell.clone();
    let first = std::thread::spawn(move || {
        unshare_file_table(&[]).expect("granted before");
        let clients: Vec<_> = (0..CLIENTS).map(|_| Client::dial(address).upgrade()).collect();
        tell.send(()).expect("the test waits");
        // Keeps both ends open: `told` stays silent while the sockets do.
        let _ = wait.recv_timeout(PATIENCE);
        drop(clients);
    });
    told.recv_timeout(PATIENCE).expect("the first half is in");
    let second = std::thread::spawn(move || {
        unshare_file_table(&[]).expect("granted before");
        let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::dial(address)).collect();
        for client in &mut clients {
            client.sends(crate::driver::request("/v1/ws", "").as_bytes());
        }
        tell_second.send(()).expect("the test waits");
        for client in &mut clients {
            client.hears_head();
        }
    });
    told.recv_timeout(PATIENCE).expect("the second half has asked");
    node.sees("accept_pauses_total", |count| count > 0);
    let turns = node.figure("turns_total");
    assert!(told.recv_timeout(Duration::from_millis(300)).is_err(), "nothing happens for a while");
    let spent = node.figure("turns_total") - turns;
    assert!(spent < 60, "{spent} turns in 300 ms without any traffic");
    go.send(()).expect("the first half waits");
    first.join().expect("no panic");
    second.join().expect("everybody gets in after all");
    assert_eq!(node.figure("upgrades_total"), 2 * u64::try_from(CLIENTS).expect("small"));
}
