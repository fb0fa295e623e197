use hivewire_proto::extension::{Accepted, negotiate};

fn accepted(value: &str) -> Option<Accepted> {
    negotiate([value.as_bytes()].into_iter())
}

const PLAIN: Accepted = Accepted { bits: 15, bits_asked: false };

const fn window(bits: u8) -> Accepted {
    Accepted { bits, bits_asked: true }
}

#[test]
fn takes_the_first_acceptable_offer() {
    for (value, expected) in [
        ("permessage-deflate", PLAIN),
        ("Permessage-Deflate", PLAIN),
        ("permessage-deflate; client_max_window_bits", PLAIN),
        ("permessage-deflate; client_max_window_bits=8", PLAIN),
        ("permessage-deflate;server_no_context_takeover ; client_no_context_takeover", PLAIN),
        ("permessage-deflate; server_max_window_bits=9", window(9)),
        ("permessage-deflate; server_max_window_bits=\"12\"", window(12)),
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate", PLAIN),
        (
            "permessage-deflate; what=ever, permessage-deflate; server_max_window_bits=10",
            window(10),
        ),
        ("x-webkit-deflate-frame, permessage-deflate", PLAIN),
        (
            "other; a=\"1, permessage-deflate; b\", permessage-deflate; server_max_window_bits=11",
            window(11),
        ),
    ] {
        assert_eq!(accepted(value), Some(expected), "{value}");
    }
    let values = ["other", "permessage-deflate; server_max_window_bits=14", "permessage-deflate"];
    assert_eq!(negotiate(values.iter().map(|value| value.as_bytes())), Some(window(14)));
}

#[test]
fn declines_odd_offers() {
    for value in [
        "",
        ",,;;,",
        "permessage-bzip2",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=",
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=09",
        "permessage-deflate; server_max_window_bits=+9",
        "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=99999999999999999999",
        "permessage-deflate; unknown",
        "permessage-deflate;",
        "permessage-deflate; =",
        "permessage-deflate; a=\"\\",
        "other; a=\", permessage-deflate",
    ] {
        assert_eq!(accepted(value), None, "{value}");
    }
}

#[test]
fn the_answer_names_the_window_only_when_asked() {
    let plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    assert_eq!(PLAIN.response(), plain);
    assert_eq!(window(9).response(), format!("{plain}; server_max_window_bits=9"));
}
