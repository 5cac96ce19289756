//! What is answered to whom.

use super::*;

#[test]
fn each_path_answers_with_its_kind_of_text_and_its_exact_length() {
    let rig = Rig::new();
    for (path, content_type, body) in [
        (
            "/metrics",
            "text/plain; version=0.0.4; charset=utf-8",
            METRICS,
        ),
        (
            "/metrics?from=prometheus",
            "text/plain; version=0.0.4; charset=utf-8",
            METRICS,
        ),
        ("/status", "application/json", STATUS),
        ("/healthz", "text/plain; charset=utf-8", "well\n"),
        ("/readyz", "text/plain; charset=utf-8", "well\n"),
        ("/", "text/html; charset=utf-8", page::HTML),
    ] {
        let answer = rig.get(path);
        assert_eq!(status_of(&answer), "HTTP/1.1 200 OK", "{path}");
        assert_eq!(body_of(&answer), body, "{path}");
        let length = body.len().to_string();
        for (name, value) in [
            ("Content-Type", content_type),
            ("Content-Length", length.as_str()),
            ("Connection", "close"),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ] {
            assert_eq!(header_of(&answer, name), Some(value), "{path} {name}");
        }
        let policy = (path == "/").then_some(page::POLICY);
        assert_eq!(header_of(&answer, "Content-Security-Policy"), policy);
    }
    rig.end();
}

#[test]
fn head_tells_of_the_body_and_keeps_it() {
    let rig = Rig::new();
    for path in ["/", "/metrics", "/status", "/healthz", "/readyz", "/none"] {
        let got = rig.get(path);
        let (head, body) = got.split_once("\r\n\r\n").unwrap();
        assert!(!body.is_empty(), "{path}");
        let told = rig.send(format!("HEAD {path} HTTP/1.1\r\n\r\n").as_bytes());
        assert_eq!(told, format!("{head}\r\n\r\n"), "{path}");
    }
    rig.end();
}

#[test]
fn what_is_not_well_is_unavailable_and_says_why() {
    let rig = Rig::new();
    rig.fake.is_bad.store(true, Ordering::SeqCst);
    for path in ["/healthz", "/readyz"] {
        let answer = rig.get(path);
        assert_eq!(status_of(&answer), "HTTP/1.1 503 Service Unavailable");
        assert_eq!(body_of(&answer), "not well\n");
    }
    assert_eq!(status_of(&rig.get("/metrics")), "HTTP/1.1 200 OK");
    rig.end();
}

#[test]
fn what_cannot_be_answered_is_refused_by_its_number() {
    let rig = Rig::new();
    let long = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "b".repeat(9000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(101));
    for (request, status) in [
        ("GET /favicon.ico HTTP/1.1\r\n\r\n", "404 Not Found"),
        ("GET /metrics/ HTTP/1.1\r\n\r\n", "404 Not Found"),
        ("GET /%6detrics HTTP/1.1\r\n\r\n", "404 Not Found"),
        ("GET //metrics HTTP/1.1\r\n\r\n", "404 Not Found"),
        (
            "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
            "405 Method Not Allowed",
        ),
        ("get / HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
        ("GET / HTTP/3.0\r\n\r\n", "400 Bad Request"),
        ("\u{16}\u{3}\u{1}", "400 Bad Request"),
        (&long, "431 Request Header Fields Too Large"),
        (&many, "431 Request Header Fields Too Large"),
    ] {
        let answer = rig.send(request.as_bytes());
        assert_eq!(
            status_of(&answer),
            format!("HTTP/1.1 {status}"),
            "{request}"
        );
        assert_eq!(header_of(&answer, "Connection"), Some("close"));
        let length = body_of(&answer).len().to_string();
        assert_eq!(header_of(&answer, "Content-Length"), Some(length.as_str()));
        let allow = status.starts_with("405").then_some("GET, HEAD");
        assert_eq!(header_of(&answer, "Allow"), allow);
    }
    rig.end();
}

#[test]
fn a_request_that_ends_halfway_is_bad_and_one_that_never_began_gets_nothing() {
    let rig = Rig::new();
    for (begun, status) in [("GET /metr", "HTTP/1.1 400 Bad Request"), ("", "")] {
        let mut stream = rig.connect();
        stream.write_all(begun.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(status_of(&rest(&stream)), status);
    }
    rig.end();
}

#[test]
fn a_request_in_pieces_is_one_and_of_two_at_once_the_first_counts() {
    let rig = Rig::new();
    let mut stream = rig.connect();
    stream.set_nodelay(true).unwrap();
    for byte in b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n" {
        stream.write_all(&[*byte]).unwrap();
    }
    assert_eq!(body_of(&rest(&stream)), "well\n");
    let two = "GET /status HTTP/1.1\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n";
    assert_eq!(body_of(&rig.send(two.as_bytes())), STATUS);
    rig.end();
}

#[test]
fn an_answer_survives_whatever_else_its_client_sends() {
    let rig = Rig::new();
    let post = format!("POST /status HTTP/1.1\r\n\r\n{}", "x".repeat(32 * 1024));
    let answer = rig.send(post.as_bytes());
    assert_eq!(status_of(&answer), "HTTP/1.1 405 Method Not Allowed");
    rig.end();
}

#[test]
fn who_asks_nothing_is_told_so_at_the_deadline() {
    let rig = Rig::with(Patience {
        request: Duration::from_millis(50),
        ..Patience::default()
    });
    for begun in ["", "GET / HTTP/1.1\r\n"] {
        let answer = rig.send(begun.as_bytes());
        assert_eq!(status_of(&answer), "HTTP/1.1 408 Request Timeout");
    }
    rig.end();
}

/// Each piece comes in time for a timeout that begins anew with it; the deadline does not.
#[test]
fn a_request_that_trickles_in_does_not_outlast_the_deadline() {
    let rig = Rig::with(Patience {
        request: Duration::from_millis(200),
        ..Patience::default()
    });
    let stream = rig.connect();
    let trickling = stream.try_clone().unwrap();
    let (stop, stopped) = bounded::<()>(0);
    let trickle = std::thread::spawn(move || {
        let pause = Duration::from_millis(20);
        while stopped.recv_timeout(pause).is_err() {
            if (&trickling).write_all(b"\r\n").is_err() {
                break;
            }
        }
    });
    assert_eq!(status_of(&rest(&stream)), "HTTP/1.1 408 Request Timeout");
    let _ = stop.try_send(());
    drop(stop);
    drop(stream);
    trickle.join().unwrap();
    rig.end();
}

#[test]
fn who_does_not_take_the_answer_is_cut_off_at_the_deadline() {
    let rig = Rig::with(Patience {
        answer: Duration::from_millis(100),
        ..Patience::default()
    });
    rig.fake.long.store(true, Ordering::SeqCst);
    let mut stream = rig.connect();
    stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
    // Its thread has come, and has gone once the room in the sockets' buffers is used up and the deadline over.
    while rig.fake.inside_max.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    while Arc::strong_count(&rig.fake) > 2 {
        std::thread::yield_now();
    }
    assert!(until_cut(&stream).len() < METRICS.len() * 1_000_000);
    rig.end();
}

#[test]
fn a_panic_of_what_is_shown_costs_one_answer() {
    let rig = Rig::new();
    rig.fake.panics.store(true, Ordering::SeqCst);
    for _ in 0..2 * CONNECTIONS_MAX {
        let answer = rig.get("/status");
        assert_eq!(status_of(&answer), "HTTP/1.1 500 Internal Server Error");
        assert!(!answer.contains("as ordered"));
    }
    rig.fake.panics.store(false, Ordering::SeqCst);
    assert_eq!(body_of(&rig.get("/status")), STATUS);
    rig.end();
}

#[test]
fn port_0_is_any_and_a_port_that_is_taken_an_error() {
    let fake: Arc<dyn Shown> = Arc::new(Fake::default());
    let server = Server::start(&loopback(), Arc::clone(&fake)).unwrap();
    let taken = HostPort {
        port: server.address().port(),
        ..loopback()
    };
    assert_ne!(taken.port, 0);
    let refused = Server::start(&taken, Arc::clone(&fake)).unwrap_err();
    let NotStarted::Listening(refused) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
    let tried = try_out(&taken).unwrap_err();
    assert_eq!(tried.kind(), io::ErrorKind::AddrInUse);
    server.join();
    // And free again, however often it is tried.
    for _ in 0..2 {
        assert_eq!(try_out(&taken).unwrap().port(), taken.port);
    }
    Server::start(&taken, fake).unwrap().join();
}

#[test]
fn localhost_is_the_address_that_everybody_has() {
    // The second is in nobody's hosts file.
    for name in ["localhost", "metrics.LocalHost."] {
        let localhost = HostPort {
            host: name.to_owned(),
            port: 0,
        };
        let server = Server::start(&localhost, Arc::new(Fake::default())).unwrap();
        assert!(server.address().is_ipv4() && server.address().ip().is_loopback());
        server.join();
    }
}
