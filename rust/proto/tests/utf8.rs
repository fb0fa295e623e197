use hivewire_proto::ProtocolError;
use hivewire_proto::utf8::{Utf8, check};
use proptest::prelude::*;

/// Feeds single bytes: the place of the first one that is refused.
fn refused_at(text: &[u8]) -> Option<usize> {
    let mut utf8 = Utf8::NEW;
    text.iter().position(|byte| utf8.feed(&[*byte]).is_err())
}

#[test]
fn finds_a_wrong_byte_when_it_comes() {
    for (text, at) in [
        (&b"ok\xff"[..], 2),
        (b"\xc0\xaf", 0),         // overlong
        (b"\xf4\x90\x80\x80", 1), // above U+10FFFF
        (b"\xed\xa0\x80", 1),     // a surrogate
        (b"\xe2\x82\x41", 2),     // cut by another character
        (b"caf\xc3\xa9 \xf5", 6), // no such first byte
        (b"\x80", 0),             // a continuation without a start
    ] {
        assert_eq!(refused_at(text), Some(at), "{text:x?}");
        assert_eq!(check(text), Err(ProtocolError::BadUtf8));
    }
}

#[test]
fn knows_whether_the_text_may_end() {
    let mut utf8 = Utf8::NEW;
    for (piece, complete) in
        [(&b"a"[..], true), (b"\xf0\x9f", false), (b"\x98", false), (b"\x80!", true)]
    {
        assert_eq!(utf8.feed(piece), Ok(()));
        assert_eq!(utf8.is_complete(), complete);
    }
}

proptest! {
    #[test]
    fn any_split_judges_like_the_whole(
        text in prop_oneof![any::<String>().prop_map(String::into_bytes), any::<Vec<u8>>()],
        size in 1..9usize,
    ) {
        let mut utf8 = Utf8::NEW;
        let good = text.chunks(size).all(|piece| utf8.feed(piece).is_ok()) && utf8.is_complete();
        prop_assert_eq!(good, std::str::from_utf8(&text).is_ok());
        prop_assert_eq!(good, check(&text).is_ok());
    }
}
