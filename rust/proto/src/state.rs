//! The life of a connection as one table.
//!
//! ```text
//! Request ──Upgraded──▶ Open ──CloseSent──▶ Closing ──PeerClose──▶ Closed
//!                        └───PeerClose──▶ Closed (the caller echoes the Close frame)
//! any ──Broken──▶ Closed
//! ```

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Waits for the HTTP request.
    Request,
    /// Messages flow both ways.
    Open,
    /// Our Close is out, the peer's is awaited: only that still matters (RFC 6455 section 1.4).
    Closing,
    /// The peer's Close or a breach of the protocol arrived: nothing more is read (section 5.5.1).
    Closed,
}

/// What can happen to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The upgrade request was accepted.
    Upgraded,
    /// A frame of a message arrived.
    Data,
    /// A Ping or a Pong arrived.
    Control,
    /// The peer's Close arrived.
    PeerClose,
    /// The caller has sent a Close.
    CloseSent,
    /// The peer broke a rule, or was too slow.
    Broken,
}

/// What is done with the thing that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It becomes an event.
    Deliver,
    /// It is skipped without being kept.
    Ignore,
}

impl State {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 4] = [Self::Request, Self::Open, Self::Closing, Self::Closed];

    /// The table: the state after `signal`, and what is done with it.
    #[inline]
    #[must_use]
    #[expect(clippy::match_same_arms, reason = "one state after the other reads as a table")]
    pub const fn on(self, signal: Signal) -> (Self, Action) {
        use Action::{Deliver, Ignore};
        use Signal::{Broken, CloseSent, Control, Data, PeerClose, Upgraded};
        use State::{Closed, Closing, Open, Request};
        match (self, signal) {
            (Request, Upgraded) => (Open, Deliver),
            // No frame is read before the upgrade, and a refused request is no WebSocket close.
            (Request, Data | Control | PeerClose | CloseSent) => (Request, Ignore),

            (Open, Data | Control) => (Open, Deliver),
            (Open, PeerClose) => (Closed, Deliver),
            (Open, CloseSent) => (Closing, Deliver),
            (Open, Upgraded) => (Open, Ignore),

            // Section 5.5.1: after a Close no frame may be sent, so a ping cannot be answered.
            (Closing, Data | Control | Upgraded | CloseSent) => (Closing, Ignore),
            (Closing, PeerClose) => (Closed, Deliver),

            (Closed, Upgraded | Data | Control | PeerClose | CloseSent | Broken) => {
                (Closed, Ignore)
            }
            (Request | Open | Closing, Broken) => (Closed, Deliver),
        }
    }
}

impl Signal {
    /// Every signal.
    pub const ALL: [Self; 6] =
        [Self::Upgraded, Self::Data, Self::Control, Self::PeerClose, Self::CloseSent, Self::Broken];
}

/// The table as a Mermaid state diagram, for the documents.
#[must_use]
pub fn diagram() -> String {
    let moves = State::ALL.into_iter().flat_map(|state| {
        Signal::ALL.into_iter().map(move |signal| (state, signal, state.on(signal).0))
    });
    let lines = moves
        .filter(|(state, _, next)| state != next)
        .map(|(state, signal, next)| format!("    {state:?} --> {next:?}: {signal:?}"));
    let head = ["stateDiagram-v2", "    [*] --> Request"].map(str::to_owned);
    head.into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}
