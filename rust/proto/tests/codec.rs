use hivewire_proto::deflate::Inflater;
use hivewire_proto::{Codec, Config};

#[test]
fn the_default_configuration_is_the_wire_contract() {
    let config = Config::default();
    assert_eq!(config.path, "/v1/ws");
    let names: Vec<_> = config.subprotocols.iter().map(|(name, at)| (name.as_str(), *at)).collect();
    assert_eq!(names, [("hivewire.v1.json", 0), ("hivewire.v1.msgpack", 1)]);
    assert!(!config.deflate);
}

#[test]
fn one_codec_compresses_for_every_window() {
    let mut codec = Codec::new(Config::default());
    let content = b"window ".repeat(100);
    for bits in [9, 15, 9, 12] {
        let mut payload = Vec::new();
        codec.compress(bits, &content, &mut payload);
        let mut inflater = Inflater::default();
        assert_eq!(inflater.inflate(&payload, content.len()), Ok(()));
        assert_eq!(inflater.output(), content);
    }
}

#[test]
#[should_panic(expected = "window of 0 bits was never negotiated")]
fn compressing_for_a_peer_without_compression_is_our_bug() {
    Codec::new(Config::default()).compress(0, b"x", &mut Vec::new());
}
