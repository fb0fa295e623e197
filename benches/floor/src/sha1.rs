//! SHA-1 and base64 for one purpose: `Sec-WebSocket-Accept` (RFC 6455, 4.2.2), 60 bytes in.

const GUID: &[u8; 36] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The accept value for a 24-byte `Sec-WebSocket-Key`.
pub fn accept_key(key: &[u8; 24]) -> [u8; 28] {
    // 60 bytes, the end mark and the length in bits fill exactly two blocks of 64.
    let mut text = [0u8; 128];
    text[..24].copy_from_slice(key);
    text[24..60].copy_from_slice(GUID);
    text[60] = 0x80;
    text[120..].copy_from_slice(&(60u64 * 8).to_be_bytes());
    let mut state = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0];
    for block in text.as_chunks::<64>().0 {
        compress(&mut state, block);
    }
    let mut digest = [0u8; 21];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    encode(&digest)
}

/// FIPS 180-4, 6.1.2.
#[expect(clippy::many_single_char_names, reason = "the standard's own letters")]
fn compress(state: &mut [u32; 5], block: &[u8; 64]) {
    let mut w = [0u32; 80];
    for (word, bytes) in w.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    for t in 16..80 {
        w[t] = (w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16]).rotate_left(1);
    }
    let [mut a, mut b, mut c, mut d, mut e] = *state;
    for (t, word) in w.iter().enumerate() {
        let (f, k) = match t {
            0..20 => ((b & c) | (!b & d), 0x5A82_7999),
            20..40 => (b ^ c ^ d, 0x6ED9_EBA1),
            40..60 => ((b & c) | (b & d) | (c & d), 0x8F1B_BCDC),
            _ => (b ^ c ^ d, 0xCA62_C1D6_u32),
        };
        let next = a.rotate_left(5).wrapping_add(f).wrapping_add(e).wrapping_add(k);
        (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next.wrapping_add(*word));
    }
    for (sum, value) in state.iter_mut().zip([a, b, c, d, e]) {
        *sum = sum.wrapping_add(value);
    }
}

/// Base64 of 20 bytes (the 21st is padding): 27 characters and one `=`.
fn encode(digest: &[u8; 21]) -> [u8; 28] {
    let mut out = [b'='; 28];
    for (four, three) in out.chunks_exact_mut(4).zip(digest.chunks_exact(3)) {
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for (i, letter) in four.iter_mut().enumerate() {
            *letter = ALPHABET[(bits >> (18 - 6 * i)) as usize & 63];
        }
    }
    out[27] = b'=';
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_example_of_rfc_6455_section_1_3() {
        let accept = super::accept_key(b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(&accept, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
