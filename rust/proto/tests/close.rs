use std::collections::HashSet;

use hivewire_proto::close::{ALL, has_bye, may_be_received, reconnect};

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
