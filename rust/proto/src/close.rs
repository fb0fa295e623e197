//! Close codes: the registered ones of RFC 6455 section 7.4 and the ones of hivewire.
//!
//! The hundreds tell a client what to do: 4000–4499 come back and resume, 4500–4999 do not come
//! back as you are.

/// The purpose is fulfilled.
pub const NORMAL: u16 = 1000;
/// The server goes down or the page was left.
pub const GOING_AWAY: u16 = 1001;
/// The peer broke RFC 6455.
pub const PROTOCOL_ERROR: u16 = 1002;
/// Text where binary was agreed, or the reverse.
pub const WRONG_KIND: u16 = 1003;
/// Never on the wire: the Close frame carried no code.
pub const NO_STATUS: u16 = 1005;
/// Never on the wire: the connection ended without a Close frame.
pub const ABNORMAL: u16 = 1006;
/// Text that is not UTF-8, or compressed data that does not inflate.
pub const BAD_DATA: u16 = 1007;
/// A rule of the peer was broken, and no other code fits.
pub const POLICY: u16 = 1008;
/// Message, inflated message or number of fragments over the limit.
pub const TOO_BIG: u16 = 1009;
/// A client needed an extension that it was not given.
pub const MISSING_EXTENSION: u16 = 1010;
/// The server met something unexpected.
pub const INTERNAL: u16 = 1011;
/// The service restarts.
pub const SERVICE_RESTART: u16 = 1012;
/// The service is overloaded.
pub const TRY_AGAIN_LATER: u16 = 1013;
/// The node drains: come back, by the slot that `bye` named.
pub const DRAIN: u16 = 4000;
/// This user is served by another node now.
pub const MOVED: u16 = 4001;
/// The token expired on this line, or the ticket is stale: come back with a token.
pub const EXPIRED: u16 = 4002;
/// The client reads too slowly; what is durable waits for it.
pub const SLOW_READER: u16 = 4003;
/// Two pings stayed unanswered.
pub const NO_HEARTBEAT: u16 = 4004;
/// The server failed.
pub const SERVER_ERROR: u16 = 4006;
/// Far above the rate for too long.
pub const RATE_LIMITED: u16 = 4013;
/// The token is wrong, or expired already at `connect`.
pub const BAD_TOKEN: u16 = 4500;
/// Too many commands that do not parse.
pub const BAD_REQUEST: u16 = 4501;
/// No valid `connect` in time, or too many bytes before it.
pub const NOT_CONNECTED: u16 = 4502;
/// Disconnected by the server's operator.
pub const KICKED: u16 = 4503;
/// The user has too many connections.
pub const TOO_MANY_CONNECTIONS: u16 = 4504;
/// The same device connected again.
pub const REPLACED: u16 = 4505;
/// Not allowed.
pub const FORBIDDEN: u16 = 4507;

/// Every code by name: the one list that documents, bindings and clients are checked against.
pub const ALL: &[(&str, u16)] = &[
    ("NORMAL", NORMAL),
    ("GOING_AWAY", GOING_AWAY),
    ("PROTOCOL_ERROR", PROTOCOL_ERROR),
    ("WRONG_KIND", WRONG_KIND),
    ("NO_STATUS", NO_STATUS),
    ("ABNORMAL", ABNORMAL),
    ("BAD_DATA", BAD_DATA),
    ("POLICY", POLICY),
    ("TOO_BIG", TOO_BIG),
    ("MISSING_EXTENSION", MISSING_EXTENSION),
    ("INTERNAL", INTERNAL),
    ("SERVICE_RESTART", SERVICE_RESTART),
    ("TRY_AGAIN_LATER", TRY_AGAIN_LATER),
    ("DRAIN", DRAIN),
    ("MOVED", MOVED),
    ("EXPIRED", EXPIRED),
    ("SLOW_READER", SLOW_READER),
    ("NO_HEARTBEAT", NO_HEARTBEAT),
    ("SERVER_ERROR", SERVER_ERROR),
    ("RATE_LIMITED", RATE_LIMITED),
    ("BAD_TOKEN", BAD_TOKEN),
    ("BAD_REQUEST", BAD_REQUEST),
    ("NOT_CONNECTED", NOT_CONNECTED),
    ("KICKED", KICKED),
    ("TOO_MANY_CONNECTIONS", TOO_MANY_CONNECTIONS),
    ("REPLACED", REPLACED),
    ("FORBIDDEN", FORBIDDEN),
];

/// Whether a client that was closed with `code` should come back by itself.
#[must_use]
pub const fn reconnect(code: u16) -> bool {
    matches!(
        code,
        GOING_AWAY | ABNORMAL | INTERNAL | SERVICE_RESTART | TRY_AGAIN_LATER | 4000..=4499
    )
}

/// Whether the server says `bye` before it closes with `code`.
///
/// Not after a breach of the protocol (the peer may not even parse it), and not to a peer that
/// does not read.
#[must_use]
pub const fn has_bye(code: u16) -> bool {
    !matches!(code, PROTOCOL_ERROR | WRONG_KIND | BAD_DATA | TOO_BIG | SLOW_READER | NO_HEARTBEAT)
}

/// Whether a peer may put `code` into a Close frame (RFC 6455 section 7.4, IANA registry).
#[must_use]
pub const fn may_be_received(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
