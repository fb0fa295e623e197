use hivewire_proto::ProtocolError;
use hivewire_proto::deflate::{Deflater, Inflater, WINDOW_BITS};
use proptest::prelude::*;

fn inflate(payload: &[u8], max: usize) -> Result<Vec<u8>, ProtocolError> {
    let mut inflater = Inflater::default();
    inflater.inflate(payload, max).map(|()| inflater.output().to_vec())
}

fn deflate(bits: u8, content: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    Deflater::default().compress(bits, content, &mut payload);
    payload
}

#[test]
fn inflates_the_examples_of_the_rfc() {
    // RFC 7692 sections 7.2.3.1, 7.2.3.3, 7.2.3.4, 7.2.3.5 and 7.2.3.6.
    for payload in [
        &b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..],
        b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
        b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
        b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
    ] {
        assert_eq!(inflate(payload, 100), Ok(b"Hello".to_vec()), "{payload:x?}");
    }
    assert_eq!(inflate(b"\x00", 0), Ok(Vec::new()));
    assert_eq!(inflate(b"", 0), Ok(Vec::new()));
}

#[test]
fn refuses_what_does_not_inflate() {
    let good = deflate(15, &b"the same words and the same words again".repeat(3));
    assert_eq!(inflate(b"\xff\xff\xff", 100), Err(ProtocolError::BadDeflate));
    assert_eq!(inflate(b"\xf2\x48\xcd", 100), Err(ProtocolError::BadDeflate));
    for cut in 1..good.len() - 1 {
        assert_eq!(inflate(&good[..cut], 1_000), Err(ProtocolError::BadDeflate), "cut at {cut}");
    }
}

#[test]
fn i8_a_bomb_stops_at_the_limit() {
    let bomb = deflate(15, &vec![0; 10_000_000]);
    assert!(bomb.len() < 65_536, "the frame itself is within the limits");
    let mut inflater = Inflater::default();
    assert_eq!(inflater.inflate(&bomb, 100_000), Err(ProtocolError::InflatedTooBig));
    assert!(inflater.output().len() <= 100_001, "it stopped at once");
    assert_eq!(inflate(&deflate(15, &vec![7; 100_000]), 100_000), Ok(vec![7; 100_000]));
    assert_eq!(
        inflate(&deflate(15, &vec![7; 100_001]), 100_000),
        Err(ProtocolError::InflatedTooBig)
    );
}

#[test]
fn i8_the_number_of_streams_is_bounded() {
    let last_block = b"\x03\x00"; // a whole stream of nothing
    assert_eq!(inflate(&last_block.repeat(16), 10), Ok(Vec::new()));
    assert_eq!(inflate(&last_block.repeat(17), 10), Err(ProtocolError::BadDeflate));
}

#[test]
fn a_message_does_not_lean_on_the_one_before() {
    let mut deflater = Deflater::default();
    let content = b"no context is taken over, no context is taken over";
    let [mut first, mut second] = [Vec::new(), Vec::new()];
    deflater.compress(15, content, &mut first);
    deflater.compress(15, content, &mut second);
    assert_eq!(first, second);
    assert!(first.len() < content.len());
}

#[test]
fn appends_to_what_is_there() {
    let mut out = b"head".to_vec();
    Deflater::default().compress(9, b"", &mut out);
    assert_eq!(out, b"head\0");
}

proptest! {
    #[test]
    fn inflates_what_it_compressed_in_any_window(
        bits in WINDOW_BITS,
        content in prop_oneof![
            any::<Vec<u8>>(),
            ("[a-d ]{1,40}", 1..3_000usize).prop_map(|(words, times)| words.repeat(times).into()),
        ],
    ) {
        prop_assert_eq!(inflate(&deflate(bits, &content), content.len()), Ok(content));
    }

    #[test]
    fn i9_any_bytes_inflate_or_are_refused(payload: Vec<u8>) {
        if let Ok(content) = inflate(&payload, 10_000) {
            prop_assert!(content.len() <= 10_000);
        }
    }
}
