//! The first answer on every connection: which versions both sides speak.
//!
//! A broker that does not know the version of the question hints at one that it knows, and is asked again. Invariant: a hint
//! strictly decreases, so that this ends.

use std::fmt;
use std::time::Instant;

use super::super::credentials::Credentials;
use super::{Answer, Asked, Session, SessionError, Stage};
use crate::kafka::wire::ErrorCode;
use crate::kafka::wire::compression::Compression;
use crate::kafka::wire::frame::RequestFrame;
use crate::kafka::wire::message::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, CreateTopicsRequest, InitProducerIdRequest,
    MetadataRequest, ProduceRequest, Request, SaslAuthenticateRequest, SaslHandshakeRequest,
    negotiate,
};

/// Where negotiation starts: what every broker since 2.4 speaks; version 4 says nothing that a producer needs.
const API_VERSIONS_FIRST: i16 = 3;
/// Software name and version that brokers show in their metrics (KIP-511).
const SOFTWARE_NAME: &str = env!("CARGO_PKG_NAME");
const SOFTWARE_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The first version of Produce that may hold batches compressed with zstd (KIP-110).
const PRODUCE_WITH_ZSTD: i16 = 7;

/// The highest versions that both sides speak.
#[derive(Debug, Clone, Copy)]
pub(super) struct Versions {
    pub(super) metadata: i16,
    pub(super) produce: i16,
    pub(super) init_producer_id: Option<i16>,
    pub(super) create_topics: Option<i16>,
    /// Only where it is needed.
    pub(super) sasl_authenticate: Option<i16>,
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Produce {}, Metadata {}", self.produce, self.metadata)?;
        let others = [
            ("InitProducerId", self.init_producer_id),
            ("CreateTopics", self.create_topics),
            ("SaslAuthenticate", self.sasl_authenticate),
        ];
        for (name, version) in others {
            version.map_or(Ok(()), |version| write!(f, ", {name} {version}"))?;
        }
        Ok(())
    }
}

impl Session {
    /// The versions that both sides speak, for people.
    pub(in super::super) fn versions_spoken(&self) -> String {
        self.versions
            .map_or_else(String::new, |versions| versions.to_string())
    }

    /// Asks which versions the broker speaks.
    pub(super) fn negotiate(&mut self, now: Instant) -> RequestFrame {
        self.api_versions(API_VERSIONS_FIRST, now)
    }

    fn api_versions(&mut self, version: i16, now: Instant) -> RequestFrame {
        let request = ApiVersionsRequest {
            client_software_name: SOFTWARE_NAME,
            client_software_version: SOFTWARE_VERSION,
        };
        self.ask(Asked::ApiVersions, version, &request, now)
    }

    pub(super) fn handle_versions(
        &mut self,
        asked_version: i16,
        response: &ApiVersionsResponse,
        credentials: &mut Credentials,
        now: Instant,
    ) -> Result<Answer, SessionError> {
        if response.error == ErrorCode::UNSUPPORTED_VERSION {
            let hinted = response
                .api_versions
                .iter()
                .find(|range| range.api_key == ApiKey::ApiVersions as i16);
            let next = hinted.map_or(0, |range| range.max_version);
            if next >= asked_version || next < 0 {
                return Err(SessionError::Broken(format!(
                    "refused version {asked_version} of ApiVersions and offered {next}"
                )));
            }
            return Ok(Answer::Next(self.api_versions(next, now)));
        }
        if !response.error.is_ok() {
            return Err(SessionError::Broken(format!(
                "ApiVersions answered with {}",
                response.error
            )));
        }
        let sasl_authenticate = if credentials.mechanism().is_some() {
            needed::<SaslHandshakeRequest<'_>>(response, "SaslHandshake")?;
            let version = needed::<SaslAuthenticateRequest<'_>>(response, "SaslAuthenticate")?;
            Some(version)
        } else {
            None
        };
        let produce = needed::<ProduceRequest<'_>>(response, "Produce")?;
        // Such a broker would only say that something unknown is wrong (-1).
        if self.compression == Compression::Zstd && produce < PRODUCE_WITH_ZSTD {
            return Err(SessionError::TooOld(
                "is too old for zstd: Kafka 2.1 or later is needed, or another KAFKA_COMPRESSION_TYPE".to_owned(),
            ));
        }
        self.versions = Some(Versions {
            metadata: needed::<MetadataRequest<'_>>(response, "Metadata")?,
            produce,
            init_producer_id: offered::<InitProducerIdRequest>(response),
            create_topics: offered::<CreateTopicsRequest<'_>>(response),
            sasl_authenticate,
        });
        self.throttle(response.throttle_time_ms, asked_version >= 2, now);
        if let Some(begun) = self.authenticate(credentials, now) {
            let begun = begun.map(Answer::Next);
            return begun.map_err(SessionError::Unauthenticated);
        }
        self.stage = Stage::Ready;
        Ok(Answer::Negotiated)
    }
}

fn offered<R: Request>(response: &ApiVersionsResponse) -> Option<i16> {
    let range = response
        .api_versions
        .iter()
        .find(|range| range.api_key == R::API as i16)?;
    negotiate::<R>(range.min_version, range.max_version)
}

fn needed<R: Request>(response: &ApiVersionsResponse, name: &str) -> Result<i16, SessionError> {
    offered::<R>(response).ok_or_else(|| {
        let (ours_min, ours_max) = (R::VERSIONS.start(), R::VERSIONS.end());
        let theirs = response.api_versions.iter().find(|range| range.api_key == R::API as i16).map_or_else(
            || "none".to_owned(),
            |range| format!("{} to {}", range.min_version, range.max_version),
        );
        SessionError::TooOld(format!(
            "speaks {theirs} of {name}, we speak {ours_min} to {ours_max}: Kafka 0.11 or later is needed, with SASL 1.0"
        ))
    })
}
