use hivewire_proto::Origins;

fn same(origin: &str, host: &str) -> bool {
    Origins::SameHost.allow(origin.as_bytes(), host.as_bytes())
}

#[test]
fn same_host_compares_host_and_port() {
    assert!(same("https://chat.example.com", "chat.example.com"));
    assert!(same("HTTPS://Chat.Example.com", "chat.example.COM"));
    assert!(same("https://chat.example.com", "chat.example.com:443"));
    assert!(same("http://chat.example.com:80", "chat.example.com"));
    assert!(same("http://localhost:8000", "localhost:8000"));
    assert!(same("http://[::1]:8000", "[::1]:8000"));
    assert!(!same("https://evil.example.com", "chat.example.com"));
    assert!(!same("https://chat.example.com.evil.com", "chat.example.com"));
    assert!(!same("http://localhost:3000", "localhost:8000"));
    assert!(!same("http://chat.example.com", "chat.example.com:443"));
}

#[test]
fn same_host_refuses_what_is_no_page_of_a_host() {
    for origin in ["null", "", "file://", "https://", "chat.example.com", "ws://chat.example.com"] {
        assert!(!same(origin, "chat.example.com"), "{origin}");
        assert!(!same(origin, ""), "{origin}");
    }
}

#[test]
fn a_list_compares_whole_origins() {
    let origins = Origins::List(vec!["https://a.example".to_owned(), "http://b:1".to_owned()]);
    assert!(origins.allow(b"https://A.example", b"anything"));
    assert!(origins.allow(b"http://b:1", b"anything"));
    assert!(!origins.allow(b"http://a.example", b"a.example"));
    assert!(!origins.allow(b"null", b"a.example"));
    assert!(!Origins::List(Vec::new()).allow(b"https://a.example", b"a.example"));
}

#[test]
fn any_allows_every_page() {
    assert!(Origins::Any.allow(b"null", b"a"));
}
