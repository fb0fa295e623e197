//! The payload of a Close frame.

use hivewire_proto::ProtocolError;
use hivewire_proto::close_frame::{encode_body, parse_body};

#[test]
fn reads_back_what_it_wrote() {
    for (code, reason) in [(1000, ""), (4003, "slow reader"), (4999, "größer")] {
        let mut body = Vec::new();
        encode_body(code, reason, &mut body);
        assert_eq!(parse_body(&body), Ok((Some(code), reason)));
    }
    assert_eq!(parse_body(b""), Ok((None, "")));
}

#[test]
fn cuts_a_long_reason_between_characters() {
    for (reason, kept) in [("x".repeat(123), 123), ("x".repeat(200), 123), ("é".repeat(100), 122)]
    {
        let mut body = Vec::new();
        encode_body(1000, &reason, &mut body);
        assert_eq!(parse_body(&body), Ok((Some(1000), &reason[..kept])));
    }
}

#[test]
fn refuses_bad_payloads() {
    assert_eq!(parse_body(b"\x03"), Err(ProtocolError::BadClose));
    assert_eq!(parse_body(b"\x03\xed"), Err(ProtocolError::BadClose)); // 1005
    assert_eq!(parse_body(b"\x03\xe8\xff"), Err(ProtocolError::BadUtf8));
}
