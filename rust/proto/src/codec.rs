//! What all connections of a shard share: the configuration and the big buffers.

use crate::deflate::{Deflater, Inflater};
use crate::limits::Limits;
use crate::origin::Origins;

/// What the deployment chose. Fixed while the node runs.
#[derive(Debug, Clone)]
pub struct Config {
    /// The path that speaks WebSocket, such as `/v1/ws`; any other is 404.
    pub path: String,
    /// Subprotocols by name with the encoding number that [`crate::Upgrade::encoding`] reports.
    /// When empty, none is negotiated and what a client offers is ignored.
    pub subprotocols: Vec<(String, u8)>,
    /// Whose pages may connect.
    pub origins: Origins,
    /// Whether permessage-deflate is accepted when a client offers it.
    pub deflate: bool,
    /// The bounds.
    pub limits: Limits,
}

impl Default for Config {
    /// The wire contract's defaults: `/v1/ws`, JSON as 0 and `MessagePack` as 1, no compression.
    fn default() -> Self {
        Self {
            path: "/v1/ws".to_owned(),
            subprotocols: vec![
                ("hivewire.v1.json".to_owned(), 0),
                ("hivewire.v1.msgpack".to_owned(), 1),
            ],
            origins: Origins::SameHost,
            deflate: false,
            limits: Limits::default(),
        }
    }
}

/// One per shard, lent to each call. Connections keep nothing that could live here.
#[derive(Debug)]
pub struct Codec {
    config: Config,
    pub(crate) inflater: Inflater,
    deflater: Deflater,
    /// The message or control payload that the last event lent out, when it came in pieces.
    pub(crate) assembled: Vec<u8>,
}

impl Codec {
    /// A codec whose buffers are made when first needed.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            inflater: Inflater::default(),
            deflater: Deflater::default(),
            assembled: Vec::new(),
        }
    }

    /// What it was made with.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Appends `payload`, compressed for a window of `bits` (9 … 15), to `out`.
    ///
    /// Whether that is worth it is the caller's decision: a small payload gets larger.
    ///
    /// # Panics
    /// When `bits` is outside 9 … 15; see [`crate::Connection::deflate_bits`].
    pub fn compress(&mut self, bits: u8, payload: &[u8], out: &mut Vec<u8>) {
        self.deflater.compress(bits, payload, out);
    }
}
