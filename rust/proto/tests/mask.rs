use hivewire_proto::mask;
use proptest::prelude::*;

#[test]
fn masks_the_example_of_the_rfc() {
    // RFC 6455 section 5.7: a masked "Hello".
    let mut payload = *b"Hello";
    mask::apply([0x37, 0xfa, 0x21, 0x3d], 0, &mut payload);
    assert_eq!(payload, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
}

proptest! {
    #[test]
    fn equals_the_definition_at_any_offset(
        key: [u8; 4],
        offset in 0..1_000usize,
        payload: Vec<u8>,
    ) {
        let expected: Vec<u8> =
            payload.iter().enumerate().map(|(at, byte)| byte ^ key[(offset + at) % 4]).collect();
        let mut masked = payload;
        mask::apply(key, offset, &mut masked);
        prop_assert_eq!(masked, expected);
    }
}
