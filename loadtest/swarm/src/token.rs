//! JWTs as a test server's users would have them: HS256, `sub` and `exp`, good for a day.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const DAY: u64 = 86_400;

/// Signs tokens with one secret.
pub(crate) struct Mint {
    keyed: Hmac<Sha256>,
    expires: u64,
}

impl Mint {
    /// Tokens expire a day after `now` (Unix seconds).
    pub(crate) fn new(secret: &str, now: u64) -> Result<Self, String> {
        let keyed = Hmac::new_from_slice(secret.as_bytes()).map_err(|error| error.to_string())?;
        Ok(Self { keyed, expires: now + DAY })
    }

    /// A token for `user`.
    pub(crate) fn token(&self, user: &str) -> String {
        let claims = format!(r#"{{"sub":"{user}","exp":{}}}"#, self.expires);
        let mut token = URL_SAFE_NO_PAD.encode(HEADER);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self.keyed.clone().chain_update(token.as_bytes()).finalize().into_bytes();
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_token_is_what_pyjwt_makes_of_the_same_claims() {
        let mint = super::Mint::new("your-256-bit-secret-0123456789ab", 0).unwrap();
        assert_eq!(
            mint.token("u1"),
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1MSIsImV4cCI6ODY0MDB9.\
             VOcggIT2E9hG_4mYhpvN19e6NOVIMQ0JwDqIy_H7dDM"
        );
    }
}
