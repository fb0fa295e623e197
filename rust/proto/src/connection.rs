//! One WebSocket connection: [`Connection::next_event`] is the whole way in.

use crate::assembly::{Begun, Frames, Mode};
use crate::close_frame;
use crate::codec::Codec;
use crate::error::{Fault, ProtocolError};
use crate::found::{Found, Kind};
use crate::frame::Role;
use crate::handshake::{self, Refusal, Upgrade};
use crate::head::{Head, Scan};
use crate::input::Input;
use crate::limits::Limits;
use crate::state::{Signal, State};

/// Something that the peer did. Payloads are lent until the next call.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'x> {
    /// A valid request arrived and the connection is open from here on. Send
    /// [`Upgrade::response`], or refuse with [`handshake::refusal`] and close.
    Upgrade(Box<Upgrade>),
    /// A whole message: unmasked, inflated, and checked when it is text.
    Message {
        /// Text or binary.
        kind: Kind,
        /// The content, in the input itself when its frame lay there whole.
        payload: &'x [u8],
    },
    /// To be answered with a pong of the same payload (at most 125 bytes).
    Ping(&'x [u8]),
    /// An answer to a ping.
    Pong(&'x [u8]),
    /// The peer's Close, validated; echo the code unless our Close is out already. Nothing comes
    /// after it.
    Close {
        /// None when the frame was empty.
        code: Option<u16>,
        /// At most 123 bytes.
        reason: &'x str,
    },
}

/// The protocol state of one connection. At rest it owns no heap (I10).
#[derive(Debug)]
pub struct Connection {
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// [`State::Request`], since this time; the head exists only when it came in pieces.
    Request { since: Millis, head: Option<Box<Head>> },
    /// [`State::Open`] and [`State::Closing`]; the second is for what is under way (I10).
    Frames(Mode, Option<Box<Begun>>),
    /// [`State::Closed`].
    Closed,
}

/// A time in 48 bits, 8,900 years of milliseconds: with all 64 a connection had three words.
#[derive(Clone, Copy, Debug)]
struct Millis([u8; 6]);

impl Millis {
    const fn of(ms: u64) -> Self {
        let le = ms.to_le_bytes();
        Self([le[0], le[1], le[2], le[3], le[4], le[5]])
    }

    const fn get(self) -> u64 {
        let le = self.0;
        u64::from_le_bytes([le[0], le[1], le[2], le[3], le[4], le[5], 0, 0])
    }
}

impl Connection {
    /// A socket that was just accepted: awaits the HTTP request. Times are milliseconds of any
    /// clock that never goes back.
    #[must_use]
    pub const fn server(now: u64) -> Self {
        Self { phase: Phase::Request { since: Millis::of(now), head: None } }
    }

    /// A connection whose handshake was done elsewhere. `us` is our end, `deflate_bits` the
    /// agreed window for compressing, 0 for none.
    #[must_use]
    pub const fn open(us: Role, deflate_bits: u8) -> Self {
        Self { phase: Phase::Frames(Mode::new(us, deflate_bits), None) }
    }

    /// The next thing that the peer did, or None when the input is used up. Call it until then.
    ///
    /// # Errors
    /// A [`Fault`] when the peer broke a rule: the connection is closed then, the rest of the
    /// input is discarded, and further calls give None.
    #[inline]
    pub fn next_event<'x>(
        &mut self,
        codec: &'x mut Codec,
        input: &'x mut Input<'_>,
        now: u64,
    ) -> Result<Option<Event<'x>>, Fault> {
        let found = match &mut self.phase {
            Phase::Frames(mode, begun) => {
                Frames::of(mode, begun).advance(codec, input, now).map_err(Fault::Ws)
            }
            Phase::Request { .. } => self.read_request(codec, input),
            Phase::Closed => {
                input.discard();
                return Ok(None);
            }
        };
        match found {
            Ok(None) => Ok(None),
            Ok(Some(Found::Message(kind, place))) => {
                Ok(Some(Event::Message { kind, payload: place.bytes(codec, input) }))
            }
            Ok(Some(found)) => Ok(Some(self.rare_event(found, codec, input))),
            Err(fault) => {
                self.enter(Signal::Broken);
                input.discard();
                Err(fault)
            }
        }
    }

    fn rare_event<'x>(
        &mut self,
        found: Found,
        codec: &'x Codec,
        input: &'x mut Input<'_>,
    ) -> Event<'x> {
        match found {
            Found::Upgrade(upgrade) => {
                debug_assert_eq!(self.state().on(Signal::Upgraded).0, State::Open);
                self.phase = Phase::Frames(Mode::new(Role::Server, upgrade.deflate_bits), None);
                Event::Upgrade(upgrade)
            }
            Found::Message(kind, place) => {
                Event::Message { kind, payload: place.bytes(codec, input) }
            }
            Found::Ping(place) => Event::Ping(place.bytes(codec, input)),
            Found::Pong(place) => Event::Pong(place.bytes(codec, input)),
            Found::Close(place) => {
                self.enter(Signal::PeerClose);
                // What follows a Close is not looked at, but its own payload is lent.
                input.discard();
                let payload = place.bytes(codec, input);
                let (code, reason) = close_frame::parse_body(payload).unwrap_or_default();
                Event::Close { code, reason }
            }
        }
    }

    /// Reads the request: from the input when it lies there whole, else gathered.
    fn read_request(
        &mut self,
        codec: &Codec,
        input: &mut Input<'_>,
    ) -> Result<Option<Found>, Fault> {
        let Phase::Request { head, .. } = &mut self.phase else { return Ok(None) };
        let config = codec.config();
        let upgrade = if let Some(gathered) = head {
            gather(gathered, input, &config.limits)?
                .then(|| handshake::parse(&gathered.bytes, config))
        } else {
            let mut scan = Scan::default();
            let arrived = input.remaining();
            match scan.find_end(arrived, &config.limits)? {
                Some(end) => {
                    let range = input.take(end);
                    Some(handshake::parse(input.slice(range), config))
                }
                None if arrived.is_empty() => None,
                None => {
                    *head = Some(Box::new(Head { bytes: arrived.to_vec(), scan }));
                    input.discard();
                    None
                }
            }
        };
        Ok(upgrade.transpose()?.map(|upgrade| Found::Upgrade(Box::new(upgrade))))
    }

    /// When [`Self::expire`] is due: the end of the handshake, or of a message in fragments.
    /// None otherwise: an open connection between messages waits as long as it likes.
    #[must_use]
    pub fn deadline(&self, limits: &Limits) -> Option<u64> {
        match &self.phase {
            Phase::Request { since, .. } => Some(since.get().saturating_add(limits.handshake_ms)),
            Phase::Frames(_, begun) => begun.as_ref()?.deadline(limits),
            Phase::Closed => None,
        }
    }

    /// Ends the connection when its [`Self::deadline`] has passed at `now`; None when it has not
    /// (it may have moved since a timer was set for it).
    #[must_use]
    pub fn expire(&mut self, limits: &Limits, now: u64) -> Option<Fault> {
        self.deadline(limits).filter(|deadline| now >= *deadline)?;
        let fault = match self.phase {
            Phase::Request { .. } => Refusal::new(408, "no complete request in time").into(),
            _ => Fault::Ws(ProtocolError::FragmentsTooSlow),
        };
        self.enter(Signal::Broken);
        Some(fault)
    }

    /// Where the connection stands.
    #[must_use]
    pub const fn state(&self) -> State {
        match &self.phase {
            Phase::Request { .. } => State::Request,
            Phase::Frames(mode, _) => mode.state,
            Phase::Closed => State::Closed,
        }
    }

    /// Whether the handshake is done and neither side has sent Close.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.state(), State::Open)
    }

    /// Whether it is open and between two messages: it owns no heap then (I10).
    #[must_use]
    pub const fn is_at_rest(&self) -> bool {
        match &self.phase {
            Phase::Frames(mode, begun) => matches!(mode.state, State::Open) && begun.is_none(),
            Phase::Request { .. } | Phase::Closed => false,
        }
    }

    /// The window to compress with for this peer (9 … 15), 0 when compression was not agreed.
    #[must_use]
    pub const fn deflate_bits(&self) -> u8 {
        match &self.phase {
            Phase::Frames(mode, _) => mode.deflate_bits,
            Phase::Request { .. } | Phase::Closed => 0,
        }
    }

    /// To be called when a Close was sent: messages and pings are skipped from here on, unread
    /// and unkept, until the peer's Close.
    pub fn note_close_sent(&mut self) {
        self.enter(Signal::CloseSent);
    }

    /// Goes where the table says, and lets go of what the new state does not need.
    fn enter(&mut self, signal: Signal) {
        let (next, _) = self.state().on(signal);
        match (&mut self.phase, next) {
            (phase, State::Closed) => *phase = Phase::Closed,
            (Phase::Frames(mode, begun), next) => Frames::of(mode, begun).enter(next),
            (Phase::Request { .. } | Phase::Closed, _) => {}
        }
    }
}

/// Adds the input to a request head that came in pieces; true when it is complete. What follows
/// the head stays in the input.
fn gather(head: &mut Head, input: &mut Input<'_>, limits: &Limits) -> Result<bool, Refusal> {
    let before = head.bytes.len();
    let room = (limits.request_bytes + 1).saturating_sub(before);
    let arrived = input.remaining();
    head.bytes.extend_from_slice(arrived.get(..room).unwrap_or(arrived));
    let end = head.scan.find_end(&head.bytes, limits)?;
    input.take(end.unwrap_or(head.bytes.len()).saturating_sub(before));
    head.bytes.truncate(end.unwrap_or(head.bytes.len()));
    Ok(end.is_some())
}
