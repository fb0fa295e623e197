//! The words of these tests: a [`Node`] whose Python side is the test, and a [`Client`].

mod client;
mod node;

pub(crate) use client::{Client, Heard, frame, request};
pub(crate) use node::{Node, Taken, in_a_process_of_its_own, node, session};

use std::time::Duration;

/// How long a test waits for something that must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// The settings of most tests: small enough that a bound is reached soon.
pub(crate) fn config() -> hivewire_engine::Config {
    hivewire_engine::Config::default()
}

/// A text of `len` bytes in JSON clothes, with a number to know it by.
pub(crate) fn numbered(number: usize, len: usize) -> String {
    let head = format!("{{\"number\":{number},\"fill\":\"");
    let fill = "x".repeat(len.saturating_sub(head.len() + 2));
    format!("{head}{fill}\"}}")
}
