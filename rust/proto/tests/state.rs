use hivewire_proto::state::{Action, Signal, State, diagram};

#[test]
fn closed_is_the_end() {
    for signal in Signal::ALL {
        assert_eq!(State::Closed.on(signal), (State::Closed, Action::Ignore));
    }
}

#[test]
fn messages_are_delivered_only_while_open() {
    for state in State::ALL {
        for signal in [Signal::Data, Signal::Control] {
            let delivered = state.on(signal).1 == Action::Deliver;
            assert_eq!(delivered, state == State::Open, "{state:?} {signal:?}");
        }
    }
}

#[test]
fn no_way_leads_back() {
    for state in State::ALL {
        for signal in Signal::ALL {
            let (next, _) = state.on(signal);
            assert!(next as u8 >= state as u8, "{state:?} → {next:?} by {signal:?}");
        }
    }
}

#[test]
fn every_live_state_ends_when_the_protocol_is_broken() {
    for state in [State::Request, State::Open, State::Closing] {
        assert_eq!(state.on(Signal::Broken), (State::Closed, Action::Deliver));
    }
}

#[test]
fn draws_every_move_once() {
    assert_eq!(
        diagram().lines().map(str::trim).collect::<Vec<_>>(),
        [
            "stateDiagram-v2",
            "[*] --> Request",
            "Request --> Open: Upgraded",
            "Request --> Closed: Broken",
            "Open --> Closed: PeerClose",
            "Open --> Closing: CloseSent",
            "Open --> Closed: Broken",
            "Closing --> Closed: PeerClose",
            "Closing --> Closed: Broken",
        ]
    );
}

/// `docs/states.md` shows the table as it is; on failure, put the drawing there.
#[test]
fn the_documented_diagram_is_the_table() {
    let page = include_str!("../../../docs/states.md");
    let drawing = format!("```mermaid\n{}\n```\n", diagram());
    assert!(page.contains(&drawing), "docs/states.md should have:\n{drawing}");
}
