//! Masking (RFC 6455 section 5.3): the payload XOR a four-byte key, its own inverse.

/// Masks or unmasks `data` in place. `offset` is the place of `data` in its frame's payload.
///
/// Eight bytes at a step; the compiler turns the loop into vector instructions.
#[inline]
pub fn apply(key: [u8; 4], offset: usize, data: &mut [u8]) {
    let key = rotated(key, offset);
    let wide = u64::from(u32::from_ne_bytes(key)) * 0x0000_0001_0000_0001;
    let (words, tail) = data.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

/// The key as it stands `offset` bytes into the payload.
const fn rotated(mut key: [u8; 4], offset: usize) -> [u8; 4] {
    let mut turns = offset % 4;
    while turns > 0 {
        key = [key[1], key[2], key[3], key[0]];
        turns -= 1;
    }
    key
}
