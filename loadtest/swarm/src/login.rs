//! From an upgraded connection to one that takes part in the scenario.

use crate::cli;
use crate::clock;
use crate::objects::{Object, Scanner};
use crate::token::Mint;
use crate::ws;

/// How far a connection has come.
pub(crate) enum Progress {
    /// Something is still awaited.
    Waiting,
    /// It takes part; its position in the user's timeline.
    Ready(u64),
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

/// What is needed to open sessions.
pub(crate) struct Session {
    mint: Mint,
    prefix: String,
    device: String,
    scanner: Scanner,
}

impl Session {
    /// Sessions of the users that `fleet` names.
    pub(crate) fn new(fleet: &cli::Fleet) -> Result<Self, String> {
        let secret = fleet.secret.as_deref().ok_or("--secret is needed (or --raw)")?;
        Ok(Self {
            mint: Mint::new(secret, clock::unix_seconds())?,
            prefix: fleet.prefix.clone(),
            device: fleet.device.clone(),
            scanner: Scanner::new(),
        })
    }

    fn connect(&self, number: usize) -> String {
        let user = user(&self.prefix, number);
        let (token, device) = (self.mint.token(&user), &self.device);
        format!(r#"{{"op":"connect","id":1,"token":"{token}","device":"{device}"}}"#)
    }

    fn frame(&self, payload: &[u8], out: &mut Vec<u8>) -> Progress {
        match self.scanner.scan(payload) {
            Object::Connected { cursor, head } if cursor == head => Progress::Ready(head),
            Object::Connected { cursor, .. } => sync(out, cursor),
            Object::Page { next, done: true } => Progress::Ready(next),
            Object::Page { next, .. } => sync(out, next),
            Object::Error { .. } | Object::Bye => Progress::Refused,
            _ => Progress::Waiting,
        }
    }
}

fn sync(out: &mut Vec<u8>, after: u64) -> Progress {
    let command = format!(r#"{{"op":"sync","id":2,"after":{after},"limit":500}}"#);
    ws::write_frame(out, ws::TEXT, command.as_bytes());
    Progress::Waiting
}

/// The id of the user with this number.
pub(crate) fn user(prefix: &str, number: usize) -> String {
    format!("{prefix}{number:06}")
}

impl Login {
    /// The upgrade is done: writes what the connection says first.
    pub(crate) fn start(&self, number: usize, out: &mut Vec<u8>) -> Progress {
        match self {
            Self::Raw => Progress::Ready(0),
            Self::Subscribe { publisher } => {
                let role = if *publisher == number { b"pub" } else { b"sub" };
                ws::write_frame(out, ws::TEXT, role);
                Progress::Waiting
            }
            Self::Session(session) => {
                ws::write_frame(out, ws::TEXT, session.connect(number).as_bytes());
                Progress::Waiting
            }
        }
    }

    /// The server answered.
    pub(crate) fn frame(&self, payload: &[u8], out: &mut Vec<u8>) -> Progress {
        match self {
            Self::Subscribe { .. } if payload == b"ok" => Progress::Ready(0),
            Self::Raw | Self::Subscribe { .. } => Progress::Waiting,
            Self::Session(session) => session.frame(payload, out),
        }
    }

    /// The subprotocol that goes with it.
    pub(crate) fn subprotocol(&self) -> Option<&'static str> {
        matches!(self, Self::Session(_)).then_some("hivewire.v1.json")
    }
}
