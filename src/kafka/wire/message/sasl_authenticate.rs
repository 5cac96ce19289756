//! `SaslAuthenticate` (36): one message of a SASL mechanism, and the server's next one (KIP-152).
//!
//! Invariant: what the client sends is a secret, and is never printed. Never looks into either message: that is the
//! mechanism's business.

use std::fmt;
use std::ops::RangeInclusive;

use super::{ApiKey, EncodeBody, Request};
use crate::kafka::wire::ErrorCode;
use crate::kafka::wire::codec::{DecodeError, Reader, Writer};

/// The client's next message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SaslAuthenticateRequest<'a> {
    /// As the mechanism says: a password, a token, or a proof of one.
    pub auth_bytes: &'a [u8],
}

impl fmt::Debug for SaslAuthenticateRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SaslAuthenticateRequest")
            .finish_non_exhaustive()
    }
}

/// The server's next message, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaslAuthenticateResponse {
    /// 58 when the authentication failed, …
    pub error: ErrorCode,
    /// The broker's own words.
    pub error_message: Option<String>,
    /// As the mechanism says.
    pub auth_bytes: Vec<u8>,
    /// How long the session lasts unless the client authenticates anew (KIP-368); 0 for ever, and before version 1.
    pub session_lifetime_ms: i64,
}

impl Request for SaslAuthenticateRequest<'_> {
    const API: ApiKey = ApiKey::SaslAuthenticate;
    const VERSIONS: RangeInclusive<i16> = 0..=2;
    const FLEXIBLE_SINCE: i16 = 2;
    type Response = SaslAuthenticateResponse;

    fn decode_body(
        r: &mut Reader<'_>,
        version: i16,
    ) -> Result<SaslAuthenticateResponse, DecodeError> {
        let response = SaslAuthenticateResponse {
            error: ErrorCode(r.i16("error_code")?),
            error_message: r.nullable_string("error_message")?.map(str::to_owned),
            auth_bytes: r.prefixed_bytes("auth_bytes")?.to_vec(),
            session_lifetime_ms: if version >= 1 {
                r.i64("session_lifetime_ms")?
            } else {
                0
            },
        };
        r.skip_tagged_fields()?;
        Ok(response)
    }
}

impl EncodeBody for SaslAuthenticateRequest<'_> {
    fn encode_body(&self, w: &mut Writer<'_>, _version: i16) {
        w.length(self.auth_bytes.len());
        w.raw(self.auth_bytes);
        w.no_tagged_fields();
    }
}
