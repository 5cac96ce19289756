//! What is asked on a session: each request is written, and noted until it is answered.
//!
//! Invariant: nothing is asked that the broker does not speak, and every request has a correlation id of its own. What may be a
//! password leaves no copy behind.

use std::time::Instant;

use zeroize::Zeroizing;

use super::{Asked, InFlight, SentBatch, Session};
use crate::kafka::wire::frame::RequestFrame;
use crate::kafka::wire::message::{
    CreateTopicsRequest, EncodeBody, InitProducerIdRequest, MetadataRequest, ProduceRequest,
    encode_produce, encode_request,
};

impl Session {
    /// Asks for the topic's partitions and their leaders. `None` before the session is ready, as for all requests.
    pub(in super::super) fn ask_metadata(
        &mut self,
        topic: &str,
        now: Instant,
    ) -> Option<RequestFrame> {
        let version = self.spoken()?.metadata;
        let request = MetadataRequest {
            topics: &[topic],
            allow_auto_topic_creation: false,
        };
        Some(self.ask(Asked::Metadata, version, &request, now))
    }

    pub(in super::super) fn ask_producer_id(&mut self, now: Instant) -> Option<RequestFrame> {
        let version = self.spoken()?.init_producer_id?;
        let request = InitProducerIdRequest {
            producer_id: -1,
            producer_epoch: -1,
        };
        Some(self.ask(Asked::ProducerId, version, &request, now))
    }

    pub(in super::super) fn ask_create_topic(
        &mut self,
        request: &CreateTopicsRequest<'_>,
        now: Instant,
    ) -> Option<RequestFrame> {
        let version = self.spoken()?.create_topics?;
        Some(self.ask(Asked::CreateTopic, version, request, now))
    }

    /// A Produce request around `batches`, which are inserted by reference. With acks=0 no answer will come.
    pub(in super::super) fn produce(
        &mut self,
        request: &ProduceRequest<'_>,
        sent: Vec<SentBatch>,
        batches: Vec<std::sync::Arc<Vec<u8>>>,
        now: Instant,
    ) -> Option<RequestFrame> {
        let version = self.spoken()?.produce;
        let correlation_id = self.take_correlation_id();
        let (mut skeleton, mut cuts) = (Vec::new(), Vec::with_capacity(batches.len()));
        encode_produce(
            &mut skeleton,
            &mut cuts,
            correlation_id,
            &self.client_id,
            version,
            request,
        );
        self.note(
            Asked::Produce(sent),
            correlation_id,
            version,
            request.acks != 0,
            now,
        );
        Some(RequestFrame {
            correlation_id,
            skeleton: skeleton.into(),
            cuts,
            batches,
        })
    }

    pub(super) fn ask<R: EncodeBody>(
        &mut self,
        asked: Asked,
        version: i16,
        request: &R,
        now: Instant,
    ) -> RequestFrame {
        self.ask_in(Vec::new(), asked, version, request, now)
    }

    /// Writes the request into `buffer`: one with enough room is not left behind for a larger one with a secret in it.
    pub(super) fn ask_in<R: EncodeBody>(
        &mut self,
        buffer: Vec<u8>,
        asked: Asked,
        version: i16,
        request: &R,
        now: Instant,
    ) -> RequestFrame {
        let correlation_id = self.take_correlation_id();
        let mut skeleton = Zeroizing::new(buffer);
        encode_request(
            &mut skeleton,
            correlation_id,
            &self.client_id,
            version,
            request,
        );
        self.note(asked, correlation_id, version, true, now);
        RequestFrame {
            correlation_id,
            skeleton,
            cuts: Vec::new(),
            batches: Vec::new(),
        }
    }

    fn take_correlation_id(&mut self) -> i32 {
        let id = self.next_correlation_id;
        self.next_correlation_id = id.wrapping_add(1) & i32::MAX;
        id
    }

    pub(super) fn note(
        &mut self,
        asked: Asked,
        correlation_id: i32,
        version: i16,
        answered: bool,
        now: Instant,
    ) {
        self.touch(now);
        self.in_flight.push_back(InFlight {
            correlation_id,
            version,
            sent_at: now,
            answered,
            asked,
        });
    }
}
