//! A bare client for the sandbox's own tests, built on `kafka-protocol`: frames, batches, and nothing that recovers.
//!
//! Every call is one request and its answer, checked to the last byte. It never retries, so that what a test sees is
//! what the sandbox did.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub(crate) mod http;
pub(crate) mod scram;
pub(crate) mod tls;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    ApiKey, InitProducerIdRequest, ProduceRequest, ProduceResponse, ProducerId, RequestHeader,
    ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, Request, StrBytes};
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use sandbox::{Config, Sandbox};

/// No wait in these tests is longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const TOPIC: &str = "js_shoe";

/// A connection that sends and receives.
pub(crate) struct Client<S = TcpStream> {
    pub(crate) stream: S,
    pub(crate) name: &'static str,
    next_id: i32,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self::over(stream)
    }

    /// To the first node of a sandbox.
    pub(crate) fn to(sandbox: &Sandbox) -> Self {
        Self::connect(sandbox.address(1).unwrap())
    }
}

impl<S: Read + Write> Client<S> {
    /// Over a connection that is there already.
    pub(crate) fn over(stream: S) -> Self {
        Self {
            stream,
            name: "test",
            next_id: 1,
        }
    }

    /// Sends a request; returns its correlation id.
    pub(crate) fn send<R: Request>(&mut self, version: i16, request: &R) -> i32 {
        let mut body = BytesMut::new();
        request.encode(&mut body, version).unwrap();
        self.send_raw(R::KEY, version, &body)
    }

    pub(crate) fn send_raw(&mut self, key: i16, version: i16, body: &[u8]) -> i32 {
        let id = self.next_id;
        self.next_id += 1;
        let header = RequestHeader::default()
            .with_request_api_key(key)
            .with_request_api_version(version)
            .with_correlation_id(id)
            .with_client_id(Some(StrBytes::from_static_str(self.name)));
        let mut frame = BytesMut::new();
        let header_version = ApiKey::try_from(key)
            .unwrap()
            .request_header_version(version);
        header.encode(&mut frame, header_version).unwrap();
        frame.put_slice(body);
        let length = i32::try_from(frame.len()).unwrap();
        self.stream.write_all(&length.to_be_bytes()).unwrap();
        self.stream.write_all(&frame).unwrap();
        id
    }

    /// The next frame without its length.
    pub(crate) fn read_frame(&mut self) -> io::Result<Bytes> {
        let mut prefix = [0; 4];
        self.stream.read_exact(&mut prefix)?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(prefix)).unwrap()];
        self.stream.read_exact(&mut frame)?;
        Ok(frame.into())
    }

    pub(crate) fn receive<R: Request>(&mut self, version: i16, id: i32) -> io::Result<R::Response> {
        let mut frame = self.read_frame()?;
        let key = ApiKey::try_from(R::KEY).unwrap();
        let header =
            ResponseHeader::decode(&mut frame, key.response_header_version(version)).unwrap();
        assert_eq!(header.correlation_id, id, "correlation id");
        let response = R::Response::decode(&mut frame, version).unwrap();
        assert!(!frame.has_remaining(), "{} bytes too many", frame.len());
        Ok(response)
    }

    pub(crate) fn call<R: Request>(
        &mut self,
        version: i16,
        request: &R,
    ) -> io::Result<R::Response> {
        let id = self.send(version, request);
        self.receive::<R>(version, id)
    }

    /// Whether the other side closes the connection without another byte.
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.stream.read(&mut [0; 1]) {
            Ok(read) => read == 0,
            // It had not read all that was sent, or TLS was not closed in order.
            Err(error) => matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof
            ),
        }
    }

    pub(crate) fn producer_id(&mut self) -> i64 {
        let response = self.call(4, &fresh_producer()).unwrap();
        assert_eq!(response.error_code, 0);
        response.producer_id.0
    }

    /// Produces one batch; returns the partition's answer.
    pub(crate) fn produce(&mut self, partition: i32, batch: &[u8]) -> PartitionProduceResponse {
        self.try_produce(9, partition, batch).unwrap()
    }

    pub(crate) fn try_produce(
        &mut self,
        version: i16,
        index: i32,
        batch: &[u8],
    ) -> io::Result<PartitionProduceResponse> {
        let response = self.call(version, &produce_request(-1, index, batch))?;
        Ok(only_partition(&response))
    }
}

pub(crate) fn fresh_producer() -> InitProducerIdRequest {
    InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(i32::MAX)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1)
}

pub(crate) fn produce_request(acks: i16, partition: i32, batch: &[u8]) -> ProduceRequest {
    let data = PartitionProduceData::default()
        .with_index(partition)
        .with_records(Some(Bytes::copy_from_slice(batch)));
    let topic = TopicProduceData::default()
        .with_name(TopicName(StrBytes::from_static_str(TOPIC)))
        .with_partition_data(vec![data]);
    ProduceRequest::default()
        .with_acks(acks)
        .with_timeout_ms(1000)
        .with_topic_data(vec![topic])
}

pub(crate) fn only_partition(response: &ProduceResponse) -> PartitionProduceResponse {
    assert_eq!(response.responses.len(), 1);
    assert_eq!(response.responses[0].partition_responses.len(), 1);
    response.responses[0].partition_responses[0].clone()
}

/// A batch without a producer id.
pub(crate) fn batch(records: usize) -> Vec<u8> {
    stamped(records, -1, -1, -1)
}

/// A batch of an idempotent producer.
pub(crate) fn stamped(records: usize, producer_id: i64, epoch: i16, sequence: i32) -> Vec<u8> {
    encode(
        records,
        producer_id,
        epoch,
        sequence,
        Compression::None,
        <[u8]>::to_vec,
    )
}

pub(crate) fn encode(
    records: usize,
    producer_id: i64,
    producer_epoch: i16,
    sequence: i32,
    compression: Compression,
    compress: impl Fn(&[u8]) -> Vec<u8>,
) -> Vec<u8> {
    let records: Vec<Record> = (0..i32::try_from(records).unwrap())
        .map(|place| Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: -1,
            producer_id,
            producer_epoch,
            timestamp_type: TimestampType::Creation,
            offset: i64::from(place),
            sequence: if sequence < 0 {
                place - 1
            } else {
                sequence + place
            },
            timestamp: 1_700_000_000_000 + i64::from(place),
            key: Some(format!("key-{place}").into()),
            value: Some(format!("value-{place}").into()),
            headers: [(StrBytes::from_static_str("h"), None)]
                .into_iter()
                .collect(),
        })
        .collect();
    let mut out = BytesMut::new();
    let options = RecordEncodeOptions {
        version: 2,
        compression,
    };
    let compressor = |plain: &mut BytesMut, out: &mut BytesMut, _| {
        out.put_slice(&compress(plain));
        Ok(())
    };
    RecordBatchEncoder::encode_with_custom_compression(
        &mut out,
        &records,
        &options,
        Some(compressor),
    )
    .unwrap();
    out.to_vec()
}

/// Changes a batch and makes its checksum right again.
pub(crate) fn altered(mut batch: Vec<u8>, alter: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    alter(&mut batch);
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

pub(crate) fn start(config: Config) -> Sandbox {
    Sandbox::start(config).unwrap()
}

pub(crate) fn one_node() -> Sandbox {
    start(Config::default())
}

pub(crate) fn nodes(nodes: usize) -> Sandbox {
    start(Config {
        nodes,
        ..Config::default()
    })
}
