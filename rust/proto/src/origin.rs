//! Whose web pages may open a connection (RFC 6455 section 10.2).

/// The rule for the `Origin` header. A request without one is no browser and passes: a page
/// cannot leave it out, and who can forge it needs no page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// The page's host and port are those that the request went to.
    SameHost,
    /// Every page.
    Any,
    /// These, written as browsers send them: `https://chat.example.com`, with a port when it is
    /// not the scheme's own. Letter case does not matter.
    List(Vec<String>),
}

impl Origins {
    /// Whether a page of `origin` may connect to a server that the request calls `host`.
    #[must_use]
    pub fn allow(&self, origin: &[u8], host: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::List(list) => list.iter().any(|one| origin.eq_ignore_ascii_case(one.as_bytes())),
            Self::SameHost => same_host(origin, host),
        }
    }
}

/// Compares hosts; the scheme's own port may be written or left out on either side.
fn same_host(origin: &[u8], host: &[u8]) -> bool {
    let (authority, port) = if let Some(authority) = strip_scheme(origin, b"https://") {
        (authority, b":443".as_slice())
    } else if let Some(authority) = strip_scheme(origin, b"http://") {
        (authority, b":80".as_slice())
    } else {
        return false;
    };
    let plain = |name: &'_ [u8]| name.strip_suffix(port).map_or(name.len(), <[u8]>::len);
    let ours = host.get(..plain(host)).unwrap_or_default();
    let theirs = authority.get(..plain(authority)).unwrap_or_default();
    !theirs.is_empty() && theirs.eq_ignore_ascii_case(ours)
}

fn strip_scheme<'o>(origin: &'o [u8], scheme: &[u8]) -> Option<&'o [u8]> {
    let (front, rest) = origin.split_at_checked(scheme.len())?;
    front.eq_ignore_ascii_case(scheme).then_some(rest)
}
