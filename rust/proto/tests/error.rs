use hivewire_proto::ProtocolError::{self, *};
use hivewire_proto::limits::CLOSE_REASON;
use hivewire_proto::{Fault, close};

const ALL: [ProtocolError; 17] = [
    ReservedBits,
    ReservedOpcode,
    Unmasked,
    Masked,
    FragmentedControl,
    LongControl,
    NonMinimalLength,
    LengthOverflow,
    ContinuationWithoutStart,
    InterleavedMessage,
    BadClose,
    BadUtf8,
    BadDeflate,
    MessageTooBig,
    InflatedTooBig,
    TooManyFragments,
    FragmentsTooSlow,
];

#[test]
fn i9_every_error_has_a_documented_code_and_a_reason_that_fits() {
    for error in ALL {
        let code = error.close_code();
        assert!([1002, 1007, 1009].contains(&code), "{error:?}");
        assert!(!close::has_bye(code), "no bye after a breach of the protocol");
        assert!((1..=CLOSE_REASON).contains(&error.reason().len()), "{error:?}");
    }
}

#[test]
fn faults_tell_what_happened() {
    assert_eq!(Fault::from(BadUtf8).to_string(), "text is not UTF-8");
    let refused = Fault::Http { response: Vec::new(), status: 426 };
    assert_eq!(refused.to_string(), "upgrade refused with status 426");
}
