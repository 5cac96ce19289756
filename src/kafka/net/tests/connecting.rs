//! The way to the connection: names, addresses, refusals, silence.

use std::net::SocketAddr;
use std::sync::Mutex;

use super::super::resolve::Lookup;
use super::*;

/// A port that nobody listens on.
fn dead_port() -> u16 {
    listener().1
}

/// A lookup that answers with addresses of our choice, whatever the name.
fn lookup(addresses: Vec<SocketAddr>) -> Lookup {
    Box::new(move |_| Ok(addresses))
}

/// The next event is the last one, and says why there is no connection.
fn connect_failed(link: Link, events: &Receiver<LinkEvent>) -> String {
    let LinkEvent::ConnectFailed { reason, .. } = next(events) else {
        panic!("not the end")
    };
    assert_eq!(join(link), Ok(()));
    nothing_follows(events);
    reason
}

#[test]
fn what_was_sent_before_the_connection_stood_is_written_after() {
    let (listener, port) = listener();
    let (release, released) = bounded::<()>(0);
    let (events, receiver) = unbounded();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let slow: Lookup = Box::new(move |_| {
        let _ = released.recv();
        Ok(vec![address])
    });
    let link = Link::open_with(config("broker.test", port), events, slow).unwrap();
    link.send(request(1, b"early")).unwrap();
    drop(release);
    let (mut peer, _) = listener.accept().unwrap();
    let mut received = [0; 5];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"early");
    assert_eq!(
        next(&receiver),
        LinkEvent::Connected {
            connection: CONNECTION
        }
    );
    assert_eq!(next(&receiver), written(1));
    link.close();
    assert_eq!(join(link), Ok(()));
}

#[test]
fn a_refused_connect_is_told_with_host_and_port() {
    let port = dead_port();
    let (events, receiver) = unbounded();
    let link = Link::open(config("127.0.0.1", port), events).unwrap();
    assert_eq!(
        connect_failed(link, &receiver),
        format!("connect to 127.0.0.1:{port} refused")
    );
}

#[test]
fn this_machine_is_reached_by_its_name() {
    let (listener, port) = listener();
    let (events, receiver) = unbounded();
    let link = Link::open(config("localhost", port), events).unwrap();
    listener.accept().unwrap();
    assert_eq!(
        next(&receiver),
        LinkEvent::Connected {
            connection: CONNECTION
        }
    );
    link.close();
    assert_eq!(join(link), Ok(()));
}

/// Scenario 29.
#[test]
fn each_link_asks_anew_where_its_host_is() {
    let addresses = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..2 {
        let (listener, port) = listener();
        *addresses.lock().unwrap() = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))];
        let asked = Arc::clone(&addresses);
        let lookup: Lookup = Box::new(move |_| Ok(asked.lock().unwrap().clone()));
        let (events, receiver) = unbounded();
        let link = Link::open_with(config("broker.test", 9092), events, lookup).unwrap();
        listener.accept().unwrap();
        assert_eq!(
            next(&receiver),
            LinkEvent::Connected {
                connection: CONNECTION
            }
        );
        link.close();
        assert_eq!(join(link), Ok(()));
    }
}

/// Scenario 29.
#[test]
fn the_second_address_is_used_when_the_first_refuses() {
    let (listener, port) = listener();
    let (events, receiver) = unbounded();
    let addresses = lookup(vec![
        SocketAddr::from((Ipv4Addr::LOCALHOST, dead_port())),
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
    ]);
    let link = Link::open_with(config("broker.test", port), events, addresses).unwrap();
    listener.accept().unwrap();
    assert_eq!(
        next(&receiver),
        LinkEvent::Connected {
            connection: CONNECTION
        }
    );
    link.close();
    assert_eq!(join(link), Ok(()));
}

#[test]
fn all_addresses_that_failed_are_named() {
    let (one, two) = (dead_port(), dead_port());
    let (events, receiver) = unbounded();
    let addresses = lookup(vec![
        SocketAddr::from((Ipv4Addr::LOCALHOST, one)),
        SocketAddr::from((Ipv4Addr::LOCALHOST, two)),
    ]);
    let link = Link::open_with(config("broker.test", 9092), events, addresses).unwrap();
    assert_eq!(
        connect_failed(link, &receiver),
        format!(
            "connect to broker.test:9092 failed: 127.0.0.1:{one} refused; 127.0.0.1:{two} refused"
        )
    );
}

#[test]
fn a_name_that_nobody_knows_is_told_without_error_numbers() {
    let (events, receiver) = unbounded();
    // An empty label makes the system refuse the name without asking anybody.
    let link = Link::open(config("broker..test", 9092), events).unwrap();
    let reason = connect_failed(link, &receiver);
    assert!(
        reason.starts_with("cannot resolve host broker..test: "),
        "{reason}"
    );
    assert!(!reason.contains("os error") && !reason.contains("failed to lookup"));
}

#[test]
fn closing_does_not_wait_for_a_resolver_that_hangs() {
    let (release, released) = bounded::<()>(0);
    let (events, receiver) = unbounded();
    let hang: Lookup = Box::new(move |_| {
        let _ = released.recv();
        Ok(Vec::new())
    });
    let mut config = config("broker.test", 9092);
    config.connect_timeout = NEVER;
    let link = Link::open_with(config, events, hang).unwrap();
    link.close();
    assert_eq!(join(link), Ok(()));
    nothing_follows(&receiver);
    drop(release);
}

/// A listener whose queue is full drops every SYN, on Linux: a connect to it stays pending.
#[cfg(target_os = "linux")]
mod unanswered {
    use super::*;
    use socket2::{Domain, Socket, Type};

    struct FullListener {
        address: SocketAddr,
        _listener: Socket,
        _queued: Vec<Socket>,
    }

    fn full_listener() -> FullListener {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        listener.bind(&any_port.into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        loop {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            let full = socket
                .connect_timeout(&address, Duration::from_millis(200))
                .is_err();
            queued.push(socket);
            if full {
                break;
            }
            assert!(queued.len() < 16, "the queue never fills");
        }
        FullListener {
            address: address.as_socket().unwrap(),
            _listener: listener,
            _queued: queued,
        }
    }

    #[test]
    fn closing_aborts_a_pending_connect() {
        let unanswered = full_listener();
        let (events, receiver) = unbounded();
        let mut config = config("127.0.0.1", unanswered.address.port());
        config.connect_timeout = NEVER;
        let link = Link::open(config, events).unwrap();
        // Time to get to the connect itself; an earlier close would be no less right.
        assert_eq!(
            receiver.recv_timeout(Duration::from_millis(200)),
            Err(RecvTimeoutError::Timeout)
        );
        link.close();
        link.close();
        assert_eq!(join(link), Ok(()));
        nothing_follows(&receiver);
    }

    #[test]
    fn an_unanswered_connect_times_out() {
        let unanswered = full_listener();
        let (events, receiver) = unbounded();
        let port = unanswered.address.port();
        let mut config = config("127.0.0.1", port);
        config.connect_timeout = Duration::from_millis(300);
        let link = Link::open(config, events).unwrap();
        assert_eq!(
            connect_failed(link, &receiver),
            format!("connect to 127.0.0.1:{port} timed out after 0.3 s")
        );
    }

    /// Scenario 29.
    #[test]
    fn an_unanswered_address_leaves_time_for_the_next() {
        let unanswered = full_listener();
        let (listener, port) = listener();
        let (events, receiver) = unbounded();
        let addresses = lookup(vec![
            unanswered.address,
            SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        ]);
        let mut config = config("broker.test", port);
        config.connect_timeout = Duration::from_secs(1);
        let link = Link::open_with(config, events, addresses).unwrap();
        listener.accept().unwrap();
        assert_eq!(
            next(&receiver),
            LinkEvent::Connected {
                connection: CONNECTION
            }
        );
        link.close();
        assert_eq!(join(link), Ok(()));
    }

    #[test]
    fn a_full_queue_gives_the_frame_back() {
        let unanswered = full_listener();
        let (events, _receiver) = unbounded();
        let mut config = config("127.0.0.1", unanswered.address.port());
        config.requests_max = 2;
        let link = Link::open(config, events).unwrap();
        link.send(request(1, b"one")).unwrap();
        link.send(request(2, b"two")).unwrap();
        let given_back = link.send(request(3, b"three")).unwrap_err();
        assert_eq!(given_back.correlation_id, 3);
        link.close();
        assert_eq!(join(link), Ok(()));
    }
}

#[test]
fn a_panic_ends_the_link_and_is_handed_out_by_join() {
    let (events, receiver) = unbounded();
    let panicking: Lookup = Box::new(|_| panic!("on purpose"));
    let link = Link::open_with(config("broker.test", 9092), events, panicking).unwrap();
    assert_eq!(
        next(&receiver),
        LinkEvent::ConnectFailed {
            connection: CONNECTION,
            reason: "broker-1 (broker.test:9092): internal error".to_owned(),
            is_refusal: false
        }
    );
    let panic = join(link).unwrap_err();
    assert_eq!(panic.thread, "broker-1-write");
    assert_eq!(panic.message, "on purpose");
    nothing_follows(&receiver);
}
