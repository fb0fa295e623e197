//! The HTTP upgrade (RFC 6455 section 4.2): what a request must say, and the answer to it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use httparse::{EMPTY_HEADER, Header, Request};

use crate::codec::Config;
use crate::error::Fault;
use crate::extension;

/// A subprotocol item that begins with it carries a token and is no offer.
pub const BEARER_PREFIX: &str = "hivewire.bearer.";

/// RFC 6455 section 1.3.
const ACCEPT_GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A request that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgrade {
    /// The number of the subprotocol that was agreed; none when the client offered none.
    pub encoding: Option<u8>,
    /// The token of the request, not judged: that of `Authorization`, else the one among the
    /// subprotocols.
    pub bearer: Option<Box<str>>,
    /// The window that we may compress with (9 … 15), 0 when compression is off.
    pub deflate_bits: u8,
    /// The bytes to send: a complete 101 response.
    pub response: Vec<u8>,
}

/// Why a request is refused, before it becomes bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// 400 … 431.
    pub status: u16,
    /// One line for who reads the response.
    pub why: &'static str,
}

impl Refusal {
    pub(crate) const fn new(status: u16, why: &'static str) -> Self {
        Self { status, why }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        let response = response(refusal.status, refusal.why, None);
        Self::Http { response, status: refusal.status }
    }
}

/// Judges a whole request head, from the request line to the empty line.
///
/// # Errors
/// The [`Refusal`] of the first rule that is broken, in the order of the code.
pub fn parse(head: &[u8], config: &Config) -> Result<Upgrade, Refusal> {
    let mut headers = vec![EMPTY_HEADER; config.limits.headers];
    let mut request = Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::new(431, "too many headers")),
        _ => return Err(Refusal::new(400, "malformed request")),
    }
    check_request(&request, config)?;
    let headers = Headers(request.headers);
    let host = check_headers(&headers)?;
    let key = check_key(&headers)?;
    if let Some(origin) = headers.single("origin")
        && !(origin.1 && config.origins.allow(origin.0, host))
    {
        return Err(Refusal::new(403, "origin not allowed"));
    }
    let (subprotocol, item_bearer) = choose_subprotocol(&headers, config)?;
    let deflate = config
        .deflate
        .then(|| extension::negotiate(headers.all("sec-websocket-extensions")))
        .flatten();
    Ok(Upgrade {
        encoding: subprotocol.map(|(_, encoding)| *encoding),
        bearer: authorization(&headers).or(item_bearer),
        deflate_bits: deflate.map_or(0, |accepted| accepted.bits),
        response: switching(&accept_key(key), subprotocol.map(|(name, _)| name), deflate),
    })
}

/// The request line: method, version, path.
fn check_request(request: &Request<'_, '_>, config: &Config) -> Result<(), Refusal> {
    if request.method != Some("GET") {
        return Err(Refusal::new(405, "only GET upgrades"));
    }
    if request.version != Some(1) {
        return Err(Refusal::new(400, "HTTP/1.1 is needed"));
    }
    let target = request.path.unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default();
    if path == config.path || absolute_path(path) == Some(&config.path) {
        return Ok(());
    }
    Err(Refusal::new(404, "no such path"))
}

/// RFC 9112 section 3.2.2: a server takes `http://host/path` too.
fn absolute_path(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_once("://")?;
    let known = ["http", "https", "ws", "wss"].iter().any(|one| scheme.eq_ignore_ascii_case(one));
    rest.find('/').filter(|_| known).and_then(|at| rest.get(at..))
}

/// Host, body and the upgrade itself; returns the host.
fn check_headers<'h>(headers: &Headers<'h>) -> Result<&'h [u8], Refusal> {
    let Some((host, true)) = headers.single("host") else {
        return Err(Refusal::new(400, "exactly one Host is needed")); // RFC 9112 section 3.2
    };
    let length = headers.single("content-length");
    if headers.single("transfer-encoding").is_some() || length.is_some_and(|it| it != (b"0", true))
    {
        return Err(Refusal::new(400, "an upgrade has no body"));
    }
    if !headers.has_token("upgrade", "websocket") || !headers.has_token("connection", "upgrade") {
        return Err(Refusal::new(426, "this path speaks WebSocket"));
    }
    if headers.single("sec-websocket-version") != Some((b"13", true)) {
        return Err(Refusal::new(426, "WebSocket version 13 is needed"));
    }
    Ok(host)
}

/// Section 4.2.1: one key, 16 bytes in base64.
fn check_key<'h>(headers: &Headers<'h>) -> Result<&'h [u8], Refusal> {
    let mut nonce = [0; 18];
    match headers.single("sec-websocket-key") {
        Some((key, true)) if BASE64.decode_slice(key, &mut nonce) == Ok(16) => Ok(key),
        _ => Err(Refusal::new(400, "Sec-WebSocket-Key is not 16 bytes in base64")),
    }
}

type Chosen<'c> = (Option<&'c (String, u8)>, Option<Box<str>>);

/// The first offered subprotocol that is known, and the token among the items.
fn choose_subprotocol<'c>(
    headers: &Headers<'_>,
    config: &'c Config,
) -> Result<Chosen<'c>, Refusal> {
    let (mut offered, mut chosen, mut bearer) = (false, None, None);
    for item in headers.items("sec-websocket-protocol") {
        if let Some(token) = item.strip_prefix(BEARER_PREFIX.as_bytes()) {
            bearer = bearer.or_else(|| lossy(token));
        } else {
            offered = true;
            let known = || config.subprotocols.iter().find(|(name, _)| name.as_bytes() == item);
            chosen = chosen.or_else(known);
        }
    }
    if offered && chosen.is_none() && !config.subprotocols.is_empty() {
        return Err(Refusal::new(400, "no known subprotocol offered"));
    }
    Ok((chosen, bearer))
}

/// The token of `Authorization: Bearer T`; other schemes are not ours.
fn authorization(headers: &Headers<'_>) -> Option<Box<str>> {
    headers.all("authorization").find_map(|value| {
        let (scheme, token) = value.split_at_checked(b"bearer ".len())?;
        if !scheme.eq_ignore_ascii_case(b"bearer ") {
            return None;
        }
        lossy(token.trim_ascii())
    })
}

/// Any bytes as text: the token is judged later, and the same way wherever it came from.
fn lossy(token: &[u8]) -> Option<Box<str>> {
    (!token.is_empty()).then(|| String::from_utf8_lossy(token).into())
}

/// The answer to a client's key (section 4.2.2).
#[must_use]
pub fn accept_key(key: &[u8]) -> String {
    let mut sha1 = sha1_smol::Sha1::new();
    sha1.update(key);
    sha1.update(ACCEPT_GUID);
    BASE64.encode(sha1.digest().bytes())
}

/// The 101 response.
fn switching(
    accept: &str,
    subprotocol: Option<&String>,
    deflate: Option<extension::Accepted>,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(320);
    out.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n");
    out.extend_from_slice(b"Connection: Upgrade\r\nSec-WebSocket-Accept: ");
    out.extend_from_slice(accept.as_bytes());
    if let Some(name) = subprotocol {
        out.extend_from_slice(b"\r\nSec-WebSocket-Protocol: ");
        out.extend_from_slice(name.as_bytes());
    }
    if let Some(accepted) = deflate {
        out.extend_from_slice(b"\r\nSec-WebSocket-Extensions: ");
        out.extend_from_slice(accepted.response().as_bytes());
    }
    out.extend_from_slice(b"\r\n\r\n");
    out
}

/// A response that refuses an upgrade for a reason outside the request, such as 503 while
/// draining. `retry_after` is in seconds.
#[must_use]
pub fn refusal(status: u16, retry_after: Option<u32>) -> Vec<u8> {
    response(status, phrase(status), retry_after)
}

/// A complete response that ends the connection.
fn response(status: u16, why: &str, retry_after: Option<u32>) -> Vec<u8> {
    let more = match (status, retry_after) {
        (405, _) => "Allow: GET\r\n".to_owned(),
        // RFC 6455 section 4.4, RFC 9110 section 15.5.22.
        (426, _) => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n".to_owned(),
        (_, Some(seconds)) => format!("Retry-After: {seconds}\r\n"),
        _ => String::new(),
    };
    let connection = if status == 426 { "close, Upgrade" } else { "close" };
    format!(
        "HTTP/1.1 {status} {}\r\nConnection: {connection}\r\n{more}\
         Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{why}\n",
        phrase(status),
        why.len() + 1,
    )
    .into_bytes()
}

const fn phrase(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        414 => "URI Too Long",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Refused",
    }
}

/// The header fields, looked up by lower-case name. Twenty fields need no map.
struct Headers<'h>(&'h [Header<'h>]);

impl<'h> Headers<'h> {
    /// Every value of a field.
    fn all(&self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.0
            .iter()
            .filter(move |header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value.trim_ascii())
    }

    /// The first value of a field, and whether it is the only one.
    fn single(&self, name: &str) -> Option<(&'h [u8], bool)> {
        let mut values = self.all(name);
        values.next().map(|first| (first, values.next().is_none()))
    }

    /// The items of a field that is a comma-separated list (RFC 9110 section 5.6.1).
    fn items(&self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.all(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .filter(|item| !item.is_empty())
    }

    fn has_token(&self, name: &str, token: &str) -> bool {
        self.items(name).any(|item| item.eq_ignore_ascii_case(token.as_bytes()))
    }
}
