//! A running engine; the test is its Python side.

use super::{Client, PATIENCE};
use hivewire_engine::sys::Clock;
use hivewire_engine::{Config, ConnId, Engine, Granted, Inbound, NewSession};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::Duration;

/// A heartbeat that no test lives long enough to hear.
pub(crate) const QUIET: Granted =
    Granted { interval_ms: 60_000, timeout_ms: 60_000, from_client: false };

/// A live session at position 0 that never expires.
pub(crate) fn session<'s>(user: &'s str, device: &'s str) -> NewSession<'s> {
    NewSession { user, device, position: 0, live: true, expires_s: 0, heartbeat: QUIET }
}

/// An [`Inbound`] item, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Commands { conn: ConnId, session: Session, token: Option<String>, frames: Vec<String> },
    Closed { conn: ConnId, session: Session, code: u16 },
    Writable { conn: ConnId, session: Session },
    Missed { conn: ConnId, user: String, topics: Vec<String> },
}

/// User and device, if there are any.
pub(crate) type Session = Option<(String, String)>;

impl Taken {
    fn from(item: Inbound<'_>) -> Self {
        let owned = |session: Option<(&str, &str)>| {
            session.map(|(user, device)| (user.to_owned(), device.to_owned()))
        };
        match item {
            Inbound::Commands { conn, session, token, frames } => {
                let text = |frame: &[u8]| String::from_utf8_lossy(frame).into_owned();
                let (session, token) = (owned(session), token.map(str::to_owned));
                Self::Commands { conn, session, token, frames: frames.map(text).collect() }
            }
            Inbound::Closed { conn, session, code } => {
                Self::Closed { conn, session: owned(session), code }
            }
            Inbound::Writable { conn, session } => Self::Writable { conn, session: owned(session) },
            Inbound::Missed { conn, session: (user, _), topics } => {
                let mut topics: Vec<String> =
                    topics.map(|topic| String::from_utf8_lossy(topic).into_owned()).collect();
                topics.sort_unstable();
                Self::Missed { conn, user: user.to_owned(), topics }
            }
        }
    }
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) engine: Engine,
    pub(crate) address: SocketAddr,
    poll: Poll,
    taken: VecDeque<Taken>,
}

/// A node that listens.
pub(crate) fn node(config: Config) -> Node {
    let mut engine = Engine::new(config).expect("descriptors");
    let address = engine.listen().expect("a free port");
    let poll = Poll::new().expect("an epoll");
    let doorbell = engine.doorbell().as_raw_fd();
    let registered =
        poll.registry().register(&mut SourceFd(&doorbell), Token(0), Interest::READABLE);
    registered.expect("a doorbell");
    Node { engine, address, poll, taken: VecDeque::new() }
}

impl Node {
    /// A client that has upgraded with JSON.
    pub(crate) fn opens(&self) -> Client {
        Client::dial(self.address).upgrade()
    }

    /// A client with a live session, and the name of its connection.
    pub(crate) fn connects(&mut self, user: &str, device: &str) -> (Client, ConnId) {
        self.connects_as(&session(user, device))
    }

    /// The same with a session of the test's choice.
    pub(crate) fn connects_as(&mut self, session: &NewSession<'_>) -> (Client, ConnId) {
        let client = self.opens();
        self.admits(client, session)
    }

    /// Plays `connect` and `connected` on a client that has upgraded with JSON.
    pub(crate) fn admits(
        &mut self,
        mut client: Client,
        session: &NewSession<'_>,
    ) -> (Client, ConnId) {
        client.says(r#"{"op":"connect"}"#);
        let (conn, _) = self.takes_commands();
        self.does(|engine| engine.connected(conn, session, br#"{"op":"connected"}"#));
        assert_eq!(client.hears_text(), r#"{"op":"connected"}"#);
        (client, conn)
    }

    /// Submits orders.
    pub(crate) fn does(&mut self, orders: impl FnOnce(&mut Engine)) {
        orders(&mut self.engine);
        self.engine.dispatch();
    }

    /// The next item.
    pub(crate) fn takes(&mut self) -> Taken {
        self.takes_within(PATIENCE).expect("something to take in time")
    }

    /// The next item, if it comes in time.
    pub(crate) fn takes_within(&mut self, time: Duration) -> Option<Taken> {
        let clock = Clock::start();
        let mut events = Events::with_capacity(4);
        loop {
            self.fetches(usize::MAX);
            if let Some(item) = self.taken.pop_front() {
                return Some(item);
            }
            let spent = Duration::from_millis(clock.now_ms());
            let left = time.checked_sub(spent).filter(|left| !left.is_zero())?;
            match self.poll.poll(&mut events, Some(left)) {
                // Whoever was stopped and goes on asks again.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                polled => polled.expect("polled"),
            }
        }
    }

    /// Fetches like one call of Python, and says how many messages and ends came.
    pub(crate) fn fetches(&mut self, limit: usize) -> usize {
        let Self { engine, taken, .. } = self;
        let before = taken.len();
        engine.fetch();
        let each = |item: Inbound<'_>| -> Result<(), Infallible> {
            taken.push_back(Taken::from(item));
            Ok(())
        };
        let Ok(()) = engine.drain_fetched(limit, each);
        let messages = |item: &Taken| match item {
            Taken::Commands { frames, .. } => frames.len(),
            Taken::Closed { .. } => 1,
            _ => 0,
        };
        taken.iter().skip(before).map(messages).sum()
    }

    /// The next item, which must be commands.
    pub(crate) fn takes_commands(&mut self) -> (ConnId, Vec<String>) {
        match self.takes() {
            Taken::Commands { conn, frames, .. } => (conn, frames),
            other => panic!("commands were expected, not {other:?}"),
        }
    }

    /// The next item, which must be the end of `conn`.
    pub(crate) fn takes_closed(&mut self, conn: ConnId) -> u16 {
        match self.takes() {
            Taken::Closed { conn: closed, code, .. } if closed == conn => code,
            other => panic!("the end of {conn:?} was expected, not {other:?}"),
        }
    }

    /// A figure of the shards.
    pub(crate) fn figure(&self, name: &str) -> u64 {
        let figures = self.engine.stats();
        figures.iter().find(|(known, _)| *known == name).expect("a figure of this name").1
    }

    /// Waits until a figure is as it should be.
    pub(crate) fn sees(&self, name: &str, right: impl Fn(u64) -> bool) {
        let clock = Clock::start();
        while !right(self.figure(name)) {
            let waited = Duration::from_millis(clock.now_ms());
            assert!(waited < PATIENCE, "{name} stays at {}", self.figure(name));
            std::thread::yield_now();
        }
    }

    /// Waits until so many connections are open.
    pub(crate) fn sees_connections(&self, count: usize) {
        let clock = Clock::start();
        while self.engine.connections() != count {
            let waited = Duration::from_millis(clock.now_ms());
            assert!(waited < PATIENCE, "{} connections stay open", self.engine.connections());
            std::thread::yield_now();
        }
    }
}

/// Runs an ignored test of this binary where nothing else runs, with at most `descriptors`.
pub(crate) fn in_a_process_of_its_own(test: &str, descriptors: u32) {
    let binary = std::env::current_exe().expect("this binary");
    let run = Command::new("sh")
        .args(["-c", &format!("ulimit -n {descriptors}; exec \"$0\" --exact \"$1\" --ignored")])
        .arg(binary)
        .arg(test)
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}
