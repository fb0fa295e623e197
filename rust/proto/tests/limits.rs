use hivewire_proto::Limits;
use hivewire_proto::limits::{CLOSE_REASON, CONTROL_PAYLOAD, REQUEST_BYTES, REQUEST_LINE};

#[test]
fn the_defaults_are_those_of_the_wire_contract() {
    let limits = Limits::default();
    assert_eq!(limits.max_message, 65_536);
    assert_eq!(limits.max_fragments, 1_024);
    assert_eq!(limits.fragments_ms, 10_000);
    assert_eq!(limits.max_inflated, 262_144);
    assert_eq!(limits.handshake_ms, 10_000);
    assert_eq!((limits.request_bytes, limits.request_line, limits.headers), (16_384, 8_192, 64));
}

#[test]
fn bounds_that_lean_on_each_other_fit() {
    const { assert!(REQUEST_LINE < REQUEST_BYTES, "a long line is told as such") };
    assert_eq!(CLOSE_REASON, CONTROL_PAYLOAD - 2);
}
