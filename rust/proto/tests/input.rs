use hivewire_proto::frame::Opcode;
use hivewire_proto::{Codec, Config, Connection, Event, Input, Role};

use crate::driver::Frame;

#[test]
fn what_is_not_consumed_stays_as_it_arrived() {
    let (first, second) = (Frame::new(Opcode::Text, "one"), Frame::new(Opcode::Text, "two"));
    let mut bytes = [first.bytes(), second.bytes()].concat();
    let mut codec = Codec::new(Config::default());
    let mut connection = Connection::open(Role::Server, 0);

    let mut input = Input::new(&mut bytes);
    let event = connection.next_event(&mut codec, &mut input, 0);
    assert!(matches!(event, Ok(Some(Event::Message { payload: b"one", .. }))));
    assert_eq!(input.consumed(), first.bytes().len());
    assert_eq!(input.remaining(), second.bytes());

    // A caller that paused here goes on with a later input.
    let mut kept = input.remaining().to_vec();
    let mut input = Input::new(&mut kept);
    let event = connection.next_event(&mut codec, &mut input, 0);
    assert!(matches!(event, Ok(Some(Event::Message { payload: b"two", .. }))));
    assert!(input.remaining().is_empty());
}
