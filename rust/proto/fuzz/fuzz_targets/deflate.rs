//! Fuzz target `deflate`; the body is in `hivewire_proto_fuzz::deflate`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hivewire_proto_fuzz::deflate(data));
