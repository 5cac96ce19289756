//! Every fault does what it says, to the requests that it is for, and to no other.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::io::Read;
use std::time::{Duration, Instant};

use common::{Client, PATIENCE, TOPIC, batch, fresh_producer, one_node, produce_request, stamped};
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, MetadataRequest, ProduceRequest};
use sandbox::{Fault, FaultRule, Gate, Sandbox};

fn order(sandbox: &Sandbox, fault: Fault) {
    sandbox.fault(FaultRule::new(ApiKey::Produce, fault));
}

#[test]
fn an_ordered_error_is_answered_k_times_and_nothing_is_appended() {
    let sandbox = one_node();
    sandbox.fail_next(ApiKey::Produce, 7, 2);
    let mut client = Client::to(&sandbox);
    let codes: Vec<i16> = (0..3)
        .map(|_| client.produce(0, &batch(1)).error_code)
        .collect();
    assert_eq!(codes, [7, 7, 0]);
    assert_eq!(sandbox.record_count(TOPIC), 1);
    assert_eq!(sandbox.violations(), Vec::<String>::new());
}

#[test]
fn an_error_afterwards_is_answered_although_the_batch_was_appended() {
    let sandbox = one_node();
    order(&sandbox, Fault::ErrorAfterwards(20));
    let mut client = Client::to(&sandbox);
    let id = client.producer_id();
    assert_eq!(client.produce(0, &stamped(2, id, 0, 0)).error_code, 20);
    assert_eq!(sandbox.record_count(TOPIC), 2);
    let again = client.produce(0, &stamped(2, id, 0, 0));
    assert_eq!((again.error_code, again.base_offset), (0, 0));
    assert_eq!(sandbox.record_count(TOPIC), 2);
}

#[test]
fn an_error_for_one_partition_leaves_the_others_alone() {
    let sandbox = one_node();
    sandbox.fault(FaultRule::new(ApiKey::Produce, Fault::Error(19)).partition(1));
    let mut client = Client::to(&sandbox);
    let mut request = produce_request(-1, 0, &batch(1));
    let second = produce_request(-1, 1, &batch(1)).topic_data[0].partition_data[0].clone();
    request.topic_data[0].partition_data.push(second);
    let response = client.call(9, &request).unwrap();
    let codes: Vec<i16> = response.responses[0]
        .partition_responses
        .iter()
        .map(|one| one.error_code)
        .collect();
    assert_eq!(codes, [0, 19]);
}

#[test]
fn record_errors_are_told_one_by_one() {
    let sandbox = one_node();
    order(
        &sandbox,
        Fault::RecordErrors(87, vec![(1, "bad".to_owned())]),
    );
    let answer = Client::to(&sandbox).produce(0, &batch(3));
    assert_eq!((answer.error_code, answer.record_errors.len()), (87, 1));
    assert_eq!(answer.record_errors[0].batch_index, 1);
}

#[test]
fn errors_reach_every_api() {
    let sandbox = one_node();
    for api in [
        ApiKey::Metadata,
        ApiKey::InitProducerId,
        ApiKey::ApiVersions,
    ] {
        sandbox.fail_next(api, 35, 1);
    }
    let mut client = Client::to(&sandbox);
    assert_eq!(client.call(4, &fresh_producer()).unwrap().error_code, 35);
    let metadata = client
        .call(9, &MetadataRequest::default().with_topics(None))
        .unwrap();
    assert_eq!(metadata.topics[0].error_code, 35);
    let versions = client.call(0, &ApiVersionsRequest::default()).unwrap();
    assert_eq!((versions.error_code, versions.api_keys.len()), (35, 0));
}

#[test]
fn throttling_is_said_and_nothing_else() {
    let sandbox = one_node();
    order(&sandbox, Fault::Throttle(250));
    let mut client = Client::to(&sandbox);
    let response = client.call(9, &produce_request(-1, 0, &batch(1))).unwrap();
    assert_eq!(
        (
            response.throttle_time_ms,
            common::only_partition(&response).error_code
        ),
        (250, 0)
    );
    assert_eq!(
        client
            .call(9, &produce_request(-1, 0, &batch(1)))
            .unwrap()
            .throttle_time_ms,
        0
    );
}

#[test]
fn connections_are_cut_before_or_after_appending() {
    for (fault, appended) in [(Fault::DropBefore, 0), (Fault::DropAfter, 1)] {
        let sandbox = one_node();
        order(&sandbox, fault);
        let mut client = Client::to(&sandbox);
        client.send(9, &produce_request(-1, 0, &batch(1)));
        assert!(client.is_closed());
        assert_eq!(sandbox.record_count(TOPIC), appended);
    }
}

#[test]
fn a_hanging_connection_stays_open_and_silent_and_the_others_go_on() {
    for (fault, appended) in [(Fault::HangBefore, 0), (Fault::HangAfter, 1)] {
        let sandbox = one_node();
        order(&sandbox, fault);
        let mut silent = Client::to(&sandbox);
        silent.send(9, &produce_request(-1, 0, &batch(1)));
        assert!(sandbox.wait_for(|state| state.requests(ApiKey::Produce) == 1, PATIENCE));
        assert!(sandbox.wait_for(|state| state.record_count(TOPIC) == appended, PATIENCE));
        assert!(sandbox.wait_for(|state| state.pending_faults(ApiKey::Produce) == 0, PATIENCE));
        assert_eq!(Client::to(&sandbox).produce(1, &batch(1)).error_code, 0);
        silent
            .stream
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        let error = silent.stream.read(&mut [0; 1]).unwrap_err();
        assert!(
            matches!(
                error.kind(),
                std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
            ),
            "{error}"
        );
        assert_eq!(sandbox.record_count(TOPIC), appended + 1);
    }
}

#[test]
fn a_truncated_answer_ends_where_it_says() {
    let sandbox = one_node();
    order(&sandbox, Fault::Truncate(9));
    let mut client = Client::to(&sandbox);
    client.send(9, &produce_request(-1, 0, &batch(1)));
    let mut received = Vec::new();
    client.stream.read_to_end(&mut received).unwrap();
    assert_eq!(received.len(), 9);
    assert_eq!(sandbox.record_count(TOPIC), 1);
}

#[test]
fn a_wrong_correlation_id_and_raw_bytes_come_as_ordered() {
    let sandbox = one_node();
    order(&sandbox, Fault::WrongCorrelationId);
    order(
        &sandbox,
        Fault::Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
    );
    let mut client = Client::to(&sandbox);
    let id = client.send(9, &produce_request(-1, 0, &batch(1)));
    let frame = client.read_frame().unwrap();
    assert_ne!(frame[..4], id.to_be_bytes());
    client.send(9, &produce_request(-1, 0, &batch(1)));
    let mut received = Vec::new();
    client.stream.read_to_end(&mut received).unwrap();
    assert!(received.starts_with(b"HTTP/1.1"));
    assert_eq!(sandbox.record_count(TOPIC), 1);
}

#[test]
fn an_overwritten_answer_is_whole_but_for_those_bytes() {
    let sandbox = one_node();
    order(&sandbox, Fault::Overwrite(8, vec![0xff; 5]));
    order(&sandbox, Fault::Overwrite(1_000_000, vec![0xff; 5]));
    let mut client = Client::to(&sandbox);
    let frames: Vec<_> = (0..2)
        .map(|_| {
            let id = client.send(3, &produce_request(-1, 0, &batch(1)));
            let frame = client.read_frame().unwrap();
            assert_eq!(frame[..4], id.to_be_bytes());
            frame
        })
        .collect();
    assert_eq!(frames[0][4..9], [0xff; 5]);
    assert_eq!(frames[1][4..8], 1_u32.to_be_bytes(), "one topic");
    assert_eq!(frames[0].len(), frames[1].len());
    assert_eq!(sandbox.record_count(TOPIC), 2);
}

#[test]
fn a_gate_holds_a_request_or_its_answer_until_it_is_opened() {
    let sandbox = one_node();
    let request = sandbox.hold_next(ApiKey::Produce);
    let answer = Gate::new();
    order(&sandbox, Fault::HoldAnswer(answer.clone()));
    let mut client = Client::to(&sandbox);
    let first = client.send(9, &produce_request(-1, 0, &batch(1)));
    assert!(request.wait_arrived(1, PATIENCE));
    assert_eq!(sandbox.record_count(TOPIC), 0);
    request.open();
    client.receive::<ProduceRequest>(9, first).unwrap();
    let second = client.send(9, &produce_request(-1, 0, &batch(1)));
    assert!(answer.wait_arrived(1, PATIENCE));
    assert_eq!(sandbox.record_count(TOPIC), 2);
    answer.open();
    client.receive::<ProduceRequest>(9, second).unwrap();
}

#[test]
fn a_held_request_of_a_killed_node_is_never_appended() {
    let sandbox = one_node();
    let gate = sandbox.hold_next(ApiKey::Produce);
    let mut client = Client::to(&sandbox);
    client.send(9, &produce_request(-1, 0, &batch(1)));
    assert!(gate.wait_arrived(1, PATIENCE));
    sandbox.kill_node(1);
    sandbox.restart_node(1).unwrap();
    gate.open();
    assert!(sandbox.wait_for(|state| state.connections() == 0, PATIENCE));
    assert_eq!(sandbox.record_count(TOPIC), 0);
}

#[test]
fn a_delay_delays() {
    let sandbox = one_node();
    let time = Duration::from_millis(60);
    order(&sandbox, Fault::Delay(time));
    let start = Instant::now();
    assert_eq!(Client::to(&sandbox).produce(0, &batch(1)).error_code, 0);
    assert!(start.elapsed() >= time);
}

#[test]
fn cleared_faults_do_not_happen() {
    let sandbox = one_node();
    sandbox.fail_next(ApiKey::Produce, 7, 5);
    sandbox.clear_faults();
    assert_eq!(Client::to(&sandbox).produce(0, &batch(1)).error_code, 0);
}
