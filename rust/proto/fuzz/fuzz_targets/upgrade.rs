//! Fuzz target `upgrade`; the body is in `hivewire_proto_fuzz::upgrade`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hivewire_proto_fuzz::upgrade(data));
