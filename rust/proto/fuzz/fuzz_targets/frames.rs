//! Fuzz target `frames`; the body is in `hivewire_proto_fuzz::frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hivewire_proto_fuzz::frames(data));
