use std::collections::HashSet;

use hivewire_proto::ProtocolError;
use hivewire_proto::close::{ALL, has_bye, may_be_received, reconnect};
use hivewire_proto::close_frame::{encode_body, parse_body};

#[test]
fn names_and_numbers_are_unique() {
    let names: HashSet<_> = ALL.iter().map(|(name, _)| name).collect();
    let codes: HashSet<_> = ALL.iter().map(|(_, code)| code).collect();
    assert_eq!((names.len(), codes.len()), (ALL.len(), ALL.len()));
}

#[test]
fn the_hundreds_tell_whether_to_come_back() {
    for (name, code) in ALL {
        let expected = match code {
            4000..=4999 => *code < 4500,
            code => [1001, 1006, 1011, 1012, 1013].contains(code),
        };
        assert_eq!(reconnect(*code), expected, "{name}");
    }
}

#[test]
fn no_bye_to_who_cannot_take_it() {
    let without: Vec<_> =
        ALL.iter().map(|(_, code)| *code).filter(|code| !has_bye(*code)).collect();
    assert_eq!(without, [1002, 1003, 1007, 1009, 4003, 4004]);
}

#[test]
fn takes_the_codes_that_may_be_sent() {
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999]
    {
        assert!(may_be_received(code), "{code}");
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        assert!(!may_be_received(code), "{code}");
    }
}

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
