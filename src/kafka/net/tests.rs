//! Links against peers on loopback, each as ill-behaved as its test needs.

mod connecting;
mod tls;
mod tls_session;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::spawn;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded, unbounded};

use super::{FRAMES_WAITING_MAX, Link, LinkConfig, LinkEvent, LinkPanic, ReceivedFrame};
use crate::kafka::config::HostPort;
use crate::kafka::wire::frame::RequestFrame;

/// Whatever is awaited here takes milliseconds; longer means never.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longer than any test waits: an end that comes before it was not brought about by the timeout.
const NEVER: Duration = Duration::from_secs(3600);
const CONNECTION: u64 = 7;

fn config(host: &str, port: u16) -> LinkConfig {
    LinkConfig {
        connection: CONNECTION,
        name: "broker-1".to_owned(),
        address: HostPort {
            host: host.to_owned(),
            port,
        },
        tls: None,
        connect_timeout: PATIENCE,
        requests_max: 4,
    }
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// A link that is connected, its peer, and its events.
fn connected() -> (Link, TcpStream, Receiver<LinkEvent>, u16) {
    let (listener, port) = listener();
    let (events, receiver) = unbounded();
    let link = Link::open(config("127.0.0.1", port), events).unwrap();
    let (peer, _) = listener.accept().unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(
        next(&receiver),
        LinkEvent::Connected {
            connection: CONNECTION
        }
    );
    (link, peer, receiver, port)
}

fn next(events: &Receiver<LinkEvent>) -> LinkEvent {
    events.recv_timeout(PATIENCE).unwrap()
}

/// The next event is the last one, and says why the link ended.
fn closed(link: Link, events: &Receiver<LinkEvent>) -> String {
    let LinkEvent::Closed { reason, .. } = next(events) else {
        panic!("not the end")
    };
    assert_eq!(join(link), Ok(()));
    nothing_follows(events);
    reason
}

/// The threads hold the sender: when it is gone, so are they.
fn nothing_follows(events: &Receiver<LinkEvent>) {
    assert_eq!(
        events.recv_timeout(PATIENCE),
        Err(RecvTimeoutError::Disconnected)
    );
}

fn join(link: Link) -> Result<(), LinkPanic> {
    let (done, joined) = bounded(1);
    spawn(move || done.send(link.join()));
    joined.recv_timeout(PATIENCE).expect("the link never ends")
}

fn request(correlation_id: i32, body: &[u8]) -> RequestFrame {
    RequestFrame {
        correlation_id,
        skeleton: body.to_vec().into(),
        cuts: Vec::new(),
        batches: Vec::new(),
    }
}

/// A frame far beyond what socket buffers hold.
fn huge_request(correlation_id: i32) -> RequestFrame {
    let mebibyte = Arc::new(vec![b'x'; 1 << 20]);
    RequestFrame {
        correlation_id,
        skeleton: b"huge".to_vec().into(),
        cuts: vec![4; 64],
        batches: vec![mebibyte; 64],
    }
}

fn framed(body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(body.len()).unwrap();
    [&length.to_be_bytes(), body].concat()
}

/// The next event is a frame.
fn frame(events: &Receiver<LinkEvent>) -> ReceivedFrame {
    let LinkEvent::Frame { frame, .. } = next(events) else {
        panic!("not a frame")
    };
    frame
}

fn written(correlation_id: i32) -> LinkEvent {
    LinkEvent::Written {
        connection: CONNECTION,
        correlation_id,
    }
}

#[test]
fn a_request_arrives_with_its_batches_in_place_and_is_reported_written() {
    let (link, mut peer, events, _) = connected();
    let produce = RequestFrame {
        correlation_id: 1,
        skeleton: b"head..tail".to_vec().into(),
        cuts: vec![4, 6],
        batches: vec![Arc::new(b"<one>".to_vec()), Arc::new(vec![b'2'; 300_000])],
    };
    link.send(produce).unwrap();
    link.send(request(2, b"next")).unwrap();
    let expected = [
        b"head<one>..".as_slice(),
        &b"2".repeat(300_000),
        b"tailnext",
    ]
    .concat();
    let mut received = vec![0; expected.len()];
    peer.read_exact(&mut received).unwrap();
    assert!(received == expected);
    assert_eq!(next(&events), written(1));
    assert_eq!(next(&events), written(2));
    link.close();
    assert_eq!(join(link), Ok(()));
    nothing_follows(&events);
}

#[test]
fn frames_arrive_whole_however_they_were_cut() {
    let (link, mut peer, events, port) = connected();
    let large = vec![b'L'; 200_000];
    let stream = [framed(b"first"), framed(&large), framed(b"last")].concat();
    peer.set_nodelay(true).unwrap();
    let (one_by_one, rest) = stream.split_at(20);
    for byte in one_by_one {
        peer.write_all(&[*byte]).unwrap();
    }
    peer.write_all(rest).unwrap();
    assert_eq!(frame(&events)[..], b"first"[..]);
    assert_eq!(frame(&events)[..], large[..]);
    assert_eq!(frame(&events)[..], b"last"[..]);
    drop(peer);
    assert_eq!(
        closed(link, &events),
        format!("broker-1 (127.0.0.1:{port}) closed the connection")
    );
}

/// Scenario 11.
#[test]
fn an_end_in_the_middle_of_a_frame_is_told_as_such() {
    let (link, mut peer, events, port) = connected();
    peer.write_all(&framed(b"whole")).unwrap();
    peer.write_all(&framed(b"half of it")[..7]).unwrap();
    drop(peer);
    assert_eq!(frame(&events)[..], b"whole"[..]);
    assert_eq!(
        closed(link, &events),
        format!("broker-1 (127.0.0.1:{port}) closed the connection in the middle of a response")
    );
}

/// Scenario 37.
#[test]
fn a_frame_of_absurd_size_ends_the_link() {
    let (link, mut peer, events, port) = connected();
    peer.write_all(&i32::MAX.to_be_bytes()).unwrap();
    let reason = closed(link, &events);
    assert!(
        reason.starts_with(&format!("broker-1 (127.0.0.1:{port}): ")),
        "{reason}"
    );
    // The peer sees the end as well.
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
}

#[test]
fn an_answer_in_http_is_recognised() {
    let (link, mut peer, events, _) = connected();
    peer.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    let reason = closed(link, &events);
    assert!(reason.contains("HTTP"), "{reason}");
}

#[test]
fn an_alert_in_tls_is_recognised() {
    let (link, mut peer, events, _) = connected();
    peer.write_all(&[0x15, 3, 3, 0, 2, 2, 80]).unwrap();
    let reason = closed(link, &events);
    assert!(reason.contains("TLS"), "{reason}");
}

#[test]
fn a_peer_that_never_reads_stalls_neither_its_sender_nor_its_end() {
    let (link, peer, events, _) = connected();
    link.send(huge_request(1)).unwrap();
    let mut taken = 0;
    while link.send(huge_request(2)).is_ok() {
        taken += 1;
        assert!(taken < 10, "the queue takes more than it should");
    }
    assert_eq!(
        events.recv_timeout(Duration::from_millis(100)),
        Err(RecvTimeoutError::Timeout)
    );
    link.close();
    assert_eq!(join(link), Ok(()));
    nothing_follows(&events);
    drop(peer);
}

#[test]
fn a_peer_that_vanishes_under_a_blocked_write_ends_the_link_once() {
    let (link, peer, events, _) = connected();
    link.send(huge_request(1)).unwrap();
    let mut first = [0; 4];
    (&peer).read_exact(&mut first).unwrap();
    drop(peer);
    let reason = closed(link, &events);
    assert!(
        reason.ends_with("reset the connection") || reason.ends_with("closed the connection"),
        "{reason}"
    );
}

#[test]
fn an_answer_that_came_before_the_end_is_delivered_before_it() {
    let (link, mut peer, events, _) = connected();
    for answer in 0..100_u8 {
        peer.write_all(&framed(&[answer; 1000])).unwrap();
    }
    peer.shutdown(Shutdown::Both).unwrap();
    for answer in 0..100_u8 {
        assert_eq!(frame(&events)[..], [answer; 1000][..]);
    }
    closed(link, &events);
}

/// A link of whose frames the owner holds as many as it may, and its peer, which has sent more of them.
fn flooded() -> (
    Link,
    Vec<ReceivedFrame>,
    (TcpStream, Receiver<LinkEvent>, u16),
) {
    let (link, mut peer, events, port) = connected();
    let unasked = framed(b"unasked").repeat(FRAMES_WAITING_MAX + 2);
    peer.write_all(&unasked).unwrap();
    let held = (0..FRAMES_WAITING_MAX).map(|_| frame(&events)).collect();
    assert_eq!(
        events.recv_timeout(Duration::from_millis(100)),
        Err(RecvTimeoutError::Timeout)
    );
    (link, held, (peer, events, port))
}

#[test]
fn a_peer_that_sends_more_frames_than_are_taken_waits_until_one_is() {
    let (link, mut held, (peer, events, port)) = flooded();
    // Its own waiting is all that it brings about.
    let (_other, mut other_peer, other_events, _) = connected();
    other_peer.write_all(&framed(b"heard")).unwrap();
    assert_eq!(frame(&other_events)[..], b"heard"[..]);
    drop(held.pop());
    held.push(frame(&events));
    drop(held);
    frame(&events);
    drop(peer);
    assert_eq!(
        closed(link, &events),
        format!("broker-1 (127.0.0.1:{port}) closed the connection")
    );
}

#[test]
fn closing_ends_a_link_that_waits_for_a_frame_to_be_taken() {
    let (link, held, (_peer, events, _)) = flooded();
    link.close();
    assert_eq!(join(link), Ok(()));
    nothing_follows(&events);
    drop(held);
}

#[test]
fn closing_ends_a_link_whose_events_nobody_takes() {
    let (listener, port) = listener();
    let (events, receiver) = bounded(1);
    let link = Link::open(config("127.0.0.1", port), events).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    peer.write_all(&framed(b"unheard").repeat(10)).unwrap();
    link.send(request(1, b"unheard")).unwrap();
    // `Connected` fills the channel. The request arrives, so it is its report that the writer waits with, as the
    // reader does with its frames.
    let mut received = [0; 7];
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer.read_exact(&mut received).unwrap();
    link.close();
    assert_eq!(join(link), Ok(()));
    drop(receiver);
}

#[test]
fn a_link_whose_owner_stopped_listening_ends() {
    let (link, mut peer, events, _) = connected();
    drop(events);
    peer.write_all(&framed(b"unheard")).unwrap();
    assert_eq!(join(link), Ok(()));
}

#[test]
fn a_dropped_link_ends() {
    let (link, mut peer, events, _) = connected();
    drop(link);
    nothing_follows(&events);
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_link_that_ended_gives_frames_back() {
    let (link, peer, events, _) = connected();
    drop(peer);
    assert!(matches!(next(&events), LinkEvent::Closed { .. }));
    assert_eq!(
        link.send(request(1, b"late")).unwrap_err().correlation_id,
        1
    );
    link.close();
    assert!(link.send(request(2, b"later")).is_err());
    assert_eq!(join(link), Ok(()));
    nothing_follows(&events);
}
