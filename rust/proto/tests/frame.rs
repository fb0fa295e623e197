use hivewire_proto::frame::{FrameHeader, HEADER_BYTES, Opcode, Parsed, encode_header, parse};
use hivewire_proto::{ProtocolError, Role};
use proptest::prelude::*;

const OPCODES: [Opcode; 6] =
    [Opcode::Continuation, Opcode::Text, Opcode::Binary, Opcode::Close, Opcode::Ping, Opcode::Pong];

fn parse_client(bytes: &[u8]) -> Result<Parsed, ProtocolError> {
    parse(bytes, Role::Client)
}

#[test]
fn reads_the_examples_of_the_rfc() {
    // RFC 6455 section 5.7.
    let hello = FrameHeader { fin: true, rsv1: false, opcode: Opcode::Text, mask: None, len: 5 };
    assert_eq!(parse(b"\x81\x05Hello", Role::Server), Ok(Parsed::Header(hello, 2)));
    let masked = FrameHeader { mask: Some([0x37, 0xfa, 0x21, 0x3d]), ..hello };
    assert_eq!(
        parse_client(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"),
        Ok(Parsed::Header(masked, 6))
    );
    let binary = |len| FrameHeader { opcode: Opcode::Binary, len, ..hello };
    assert_eq!(parse(b"\x82\x7e\x01\x00", Role::Server), Ok(Parsed::Header(binary(256), 4)));
    assert_eq!(
        parse(b"\x82\x7f\0\0\0\0\0\x01\0\0", Role::Server),
        Ok(Parsed::Header(binary(65_536), 10))
    );
}

#[test]
fn refuses_what_the_rfc_forbids_as_soon_as_the_byte_is_there() {
    use ProtocolError::{
        FragmentedControl, LengthOverflow, LongControl, NonMinimalLength, ReservedBits,
        ReservedOpcode, Unmasked,
    };
    for (bytes, error) in [
        (&b"\xa1"[..], ReservedBits),
        (b"\x91", ReservedBits),
        (b"\xc9", ReservedBits), // RSV1 on a ping
        (b"\x83", ReservedOpcode),
        (b"\x8b", ReservedOpcode),
        (b"\x8f", ReservedOpcode),
        (b"\x09", FragmentedControl),
        (b"\x81\x05", Unmasked),
        (b"\x89\xfe", LongControl),
        (b"\x88\xff", LongControl),
        (b"\x81\xfe\x00\x7d", NonMinimalLength),
        (b"\x81\xff\0\0\0\0\0\0\xff\xff", NonMinimalLength),
        (b"\x81\xff\x80\0\0\0\0\0\0\0", LengthOverflow),
    ] {
        assert_eq!(parse_client(bytes), Err(error), "{bytes:x?}");
        let before = &bytes[..bytes.len() - 1];
        assert!(matches!(parse_client(before), Ok(Parsed::Needs(_))), "{before:x?} is not wrong");
    }
    assert_eq!(parse(b"\x81\x85", Role::Server), Err(ProtocolError::Masked));
}

proptest! {
    #[test]
    fn reads_back_what_it_wrote(
        opcode in prop::sample::select(&OPCODES),
        fin: bool,
        rsv1: bool,
        key: Option<[u8; 4]>,
        len in prop_oneof![0..130usize, 65_530..65_540usize, Just(1 << 40)],
    ) {
        let control = opcode.is_control();
        let len = if control { len % 126 } else { len };
        let (fin, rsv1) = (fin || control, rsv1 && !control);
        let mut buf = [0; HEADER_BYTES];
        let used = encode_header(&mut buf, opcode, fin, rsv1, len, key);
        let from = if key.is_some() { Role::Client } else { Role::Server };
        let header = FrameHeader { fin, rsv1, opcode, mask: key, len: len as u64 };
        prop_assert_eq!(parse(&buf[..used], from), Ok(Parsed::Header(header, used)));
        for cut in 0..used {
            let needs = match parse(&buf[..cut], from) {
                Ok(Parsed::Needs(needs)) => needs,
                other => panic!("{other:?} of the first {cut} bytes"),
            };
            prop_assert!(cut < needs && needs <= used, "{needs} bytes are needed after {cut}");
        }
    }
}
