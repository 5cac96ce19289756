//! Many at once, slow ones, and the end while some are still there.

use super::*;

const REQUEST: &[u8] = b"GET /metrics HTTP/1.1\r\n\r\n";

/// They trickle in, so that each would keep its place for long.
fn slow_clients(rig: &Rig, count: usize) -> Vec<TcpStream> {
    let clients: Vec<TcpStream> = (0..count).map(|_| rig.connect()).collect();
    for mut client in &clients {
        // One that was shut down by now may refuse it.
        let _ = client.write_all(b"GET /metrics HTTP/1.1\r\nA:");
    }
    clients
}

#[test]
fn slow_clients_in_all_places_keep_nobody_out() {
    let rig = Rig::new();
    let slow = slow_clients(&rig, CONNECTIONS_MAX);
    for _ in 0..CONNECTIONS_MAX / 2 {
        assert_eq!(body_of(&rig.get("/metrics")), METRICS);
    }
    // Who has been there longest has made room, and was told nothing.
    assert_eq!(until_cut(&slow[0]), b"");
    // Who came last has not.
    let mut last = slow.last().unwrap();
    last.write_all(b"\r\n\r\n").unwrap();
    assert_eq!(body_of(&rest(last)), METRICS);
    rig.end();
}

#[test]
fn more_slow_clients_than_places_keep_nobody_out_either() {
    let rig = Rig::new();
    let slow = slow_clients(&rig, 3 * CONNECTIONS_MAX);
    assert_eq!(body_of(&rig.get("/healthz")), "well\n");
    rig.end();
    for client in &slow {
        assert_eq!(until_cut(client), b"");
    }
}

#[test]
fn clients_that_take_nothing_of_long_answers_keep_nobody_out() {
    let rig = Rig::new();
    rig.fake.long.store(true, Ordering::SeqCst);
    let slow: Vec<TcpStream> = (0..CONNECTIONS_MAX).map(|_| rig.connect()).collect();
    for mut client in &slow {
        client.write_all(REQUEST).unwrap();
    }
    assert_eq!(body_of(&rig.get("/healthz")), "well\n");
    rig.end();
}

#[test]
fn of_200_connections_at_once_so_many_are_served_at_a_time_and_all_end() {
    let rig = Rig::new();
    let address = rig.server.address();
    let clients: Vec<_> = (0..200)
        .map(|_| {
            std::thread::spawn(move || {
                let mut stream = connect(address);
                // A machine that is busy elsewhere may take longer than a newcomer waits for its place.
                let _ = stream.write_all(REQUEST);
                until_cut(&stream)
            })
        })
        .collect();
    let mut served = 0;
    for client in clients {
        let answer = String::from_utf8(client.join().unwrap()).unwrap();
        if answer.is_empty() {
            continue;
        }
        assert_eq!(body_of(&answer), METRICS);
        served += 1;
    }
    assert!(served > 0);
    assert!(rig.fake.inside_max.load(Ordering::SeqCst) <= CONNECTIONS_MAX);
    assert_eq!(body_of(&rig.get("/metrics")), METRICS);
    rig.end();
}

#[test]
fn the_end_waits_for_no_client() {
    let rig = Rig::new();
    let silent: Vec<TcpStream> = (0..3).map(|_| rig.connect()).collect();
    let halfway = slow_clients(&rig, 3);
    rig.fake.long.store(true, Ordering::SeqCst);
    let mut not_reading = rig.connect();
    not_reading.write_all(REQUEST).unwrap();
    let kept = rig.connect();
    assert_eq!(
        body_of(&exchange(&kept, b"HEAD /status HTTP/1.1\r\n\r\n")),
        ""
    );
    rig.end();
    for client in silent.iter().chain(&halfway).chain([&kept]) {
        assert_eq!(until_cut(client), b"");
    }
    assert!(until_cut(&not_reading).len() < METRICS.len() * 1_000_000);
}

#[test]
fn the_end_comes_while_newcomers_wait_for_a_place() {
    for _ in 0..20 {
        let rig = Rig::new();
        let slow = slow_clients(&rig, 2 * CONNECTIONS_MAX);
        rig.end();
        for client in &slow {
            until_cut(client);
        }
    }
}

#[test]
fn a_server_that_is_dropped_ends_by_itself() {
    let rig = Rig::new();
    let client = rig.connect();
    let Rig { server, fake } = rig;
    drop(server);
    until_cut(&client);
    while Arc::strong_count(&fake) > 1 {
        std::thread::yield_now();
    }
}
