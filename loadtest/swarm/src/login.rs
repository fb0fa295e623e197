//! From an upgraded connection to one that takes part in the scenario.

use crate::cli;
use crate::clock;
use crate::objects::{Object, Scanner};
use crate::token::Mint;
use crate::ws;

/// How far a connection has come.
pub(crate) enum Progress {
    /// Something is still awaited; so many events came meanwhile.
    Waiting(u16),
    /// It takes part.
    Ready {
        /// Its position in the user's timeline.
        position: u64,
        /// So many events came with the last answer.
        events: u16,
    },
    /// The server said no.
    Refused,
}

/// What a scenario's connections say first.
pub(crate) enum Login {
    /// Nothing.
    Raw,
    /// `sub`, or `pub` for the connection with this number, and await `ok`.
    Subscribe { publisher: usize },
    /// `connect`, and sync until live.
    Session(Box<Session>),
}

/// From where a session takes the timeline up.
#[derive(Clone, Copy)]
pub(crate) enum Resume {
    /// From the server's cursor, page by page until it is live.
    Stored,
    /// The same, with a first page of so many events in `connected`.
    Page(u32),
    /// From the beginning; the scenario pages.
    Beginning,
}

/// What is needed to open sessions.
pub(crate) struct Session {
    mint: Mint,
    prefix: String,
    device: String,
    resume: Resume,
    scanner: Scanner,
}

impl Session {
    /// Sessions of the users that `fleet` names.
    pub(crate) fn new(fleet: &cli::Fleet, resume: Resume) -> Result<Self, String> {
        let secret = fleet.secret.as_deref().ok_or("--secret is needed (or --raw)")?;
        Ok(Self {
            mint: Mint::new(secret, clock::unix_seconds())?,
            prefix: fleet.prefix.clone(),
            device: fleet.device.clone(),
            resume,
            scanner: Scanner::new(),
        })
    }

    fn connect(&self, number: usize, ticket: Option<&str>) -> String {
        let user = user(&self.prefix, number);
        let device = &self.device;
        let proof = match ticket {
            Some(ticket) => format!(r#""ticket":"{ticket}""#),
            None => format!(r#""token":"{}""#, self.mint.token(&user)),
        };
        let resume = match self.resume {
            Resume::Stored => String::new(),
            Resume::Page(limit) => format!(r#","sync":{limit}"#),
            Resume::Beginning => r#","cursor":0"#.to_owned(),
        };
        format!(r#"{{"op":"connect","id":1,{proof},"device":"{device}"{resume}}}"#)
    }

    fn frame(&self, payload: &[u8], out: &mut Vec<u8>) -> Progress {
        match self.scanner.scan(payload) {
            Object::Connected { cursor, head, page: None } => {
                if cursor == head || matches!(self.resume, Resume::Beginning) {
                    return Progress::Ready { position: cursor, events: 0 };
                }
                sync(out, cursor);
                Progress::Waiting(0)
            }
            Object::Page { next, done } | Object::Connected { page: Some((next, done)), .. } => {
                let events = u16::try_from(self.scanner.events(payload)).unwrap_or(u16::MAX);
                if done {
                    return Progress::Ready { position: next, events };
                }
                sync(out, next);
                Progress::Waiting(events)
            }
            Object::Error { .. } | Object::Bye => Progress::Refused,
            _ => Progress::Waiting(0),
        }
    }
}

fn sync(out: &mut Vec<u8>, after: u64) {
    let command = format!(r#"{{"op":"sync","id":2,"after":{after},"limit":500}}"#);
    ws::write_frame(out, ws::TEXT, command.as_bytes());
}

/// The id of the user with this number.
pub(crate) fn user(prefix: &str, number: usize) -> String {
    format!("{prefix}{number:06}")
}

impl Login {
    /// The upgrade is done: writes what the connection says first. With the `ticket` of its last
    /// session it needs no token.
    pub(crate) fn start(&self, number: usize, ticket: Option<&str>, out: &mut Vec<u8>) -> Progress {
        match self {
            Self::Raw => Progress::Ready { position: 0, events: 0 },
            Self::Subscribe { publisher } => {
                let role = if *publisher == number { b"pub" } else { b"sub" };
                ws::write_frame(out, ws::TEXT, role);
                Progress::Waiting(0)
            }
            Self::Session(session) => {
                ws::write_frame(out, ws::TEXT, session.connect(number, ticket).as_bytes());
                Progress::Waiting(0)
            }
        }
    }

    /// The server answered.
    pub(crate) fn frame(&self, payload: &[u8], out: &mut Vec<u8>) -> Progress {
        match self {
            Self::Subscribe { .. } if payload == b"ok" => {
                Progress::Ready { position: 0, events: 0 }
            }
            Self::Raw | Self::Subscribe { .. } => Progress::Waiting(0),
            Self::Session(session) => session.frame(payload, out),
        }
    }

    /// The subprotocol that goes with it.
    pub(crate) fn subprotocol(&self) -> Option<&'static str> {
        matches!(self, Self::Session(_)).then_some("hivewire.v1.json")
    }
}
