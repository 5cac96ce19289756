//! What a TLS failure means and what to do about it, in words that follow a peer's name and a colon.
//!
//! Nothing here decides anything; it only phrases. What a peer presents (the names in its certificate) is foreign: it is
//! shortened and freed of what cannot be shown.

use rustls::pki_types::UnixTime;
use rustls::{
    AlertDescription as Alert, CertificateError, Error, InconsistentKeys, InvalidMessage,
};

use crate::foreign::is_showable;

/// So many names of a certificate are shown.
const NAMES_SHOWN_MAX: usize = 4;
/// A name may have 253 characters (RFC 1035); more says nothing.
const NAME_CHARS_MAX: usize = 253;
/// What both sides may agree on here (`rustls_graviola`).
const OURS: &str =
    "AES-GCM or ChaCha20-Poly1305 with ephemeral X25519, P-256 or P-384; RSA, ECDSA or Ed25519";
const DAY_S: u64 = 86_400;

/// What the settings are called that a failure may be about.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    /// The file of trusted authorities.
    pub roots: &'static str,
    /// Where hosts are named.
    pub host: &'static str,
    /// What says whether there is to be TLS at all.
    pub protocol: &'static str,
}

impl Names {
    /// Of the connections to brokers.
    pub const KAFKA: Names = Names {
        roots: "KAFKA_SSL_CA_LOCATION",
        host: "KAFKA_BOOTSTRAP_SERVERS, or the brokers' advertised.listeners",
        protocol: "KAFKA_SECURITY_PROTOCOL",
    };
    /// Of the Schema Registry.
    pub const REGISTRY: Names = Names {
        roots: "SCHEMA_REGISTRY_SSL_CA_LOCATION (or KAFKA_SSL_CA_LOCATION)",
        host: "SCHEMA_REGISTRY_URL",
        protocol: "whether SCHEMA_REGISTRY_URL is to be http",
    };
    /// Of the endpoint that gives tokens.
    pub const TOKEN: Names = Names {
        roots: "KAFKA_SSL_CA_LOCATION",
        host: "KAFKA_OAUTH_TOKEN_ENDPOINT_URL",
        protocol: "whether KAFKA_OAUTH_TOKEN_ENDPOINT_URL is to be http",
    };
}

/// The client certificate's two settings, which all peers share.
const IDENTITY: &str = "KAFKA_SSL_CERTIFICATE_LOCATION and KAFKA_SSL_KEY_LOCATION";

/// Why a peer could not be spoken to, to follow its name and a colon: "its certificate …; do …". `has_identity`: a client certificate could
/// be shown.
pub fn explain(error: &Error, names: Names, has_identity: bool) -> String {
    match error {
        Error::InvalidCertificate(error) => of_certificate(error, names),
        Error::AlertReceived(alert) => of_alert(*alert, names, has_identity),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            format!(
                "it does not speak TLS; check the port, and {}",
                names.protocol
            )
        }
        Error::PeerIncompatible(_) => {
            format!("it has no version or cipher of TLS in common with us (1.2 and 1.3): {error}")
        }
        Error::UnsupportedNameType => {
            format!(
                "it has a name that no certificate can have; check {}",
                names.host
            )
        }
        other => format!("it broke the TLS protocol: {other}"),
    }
}

/// Whether one side does not accept the other's certificate, or lack of one: until something is changed, trying again is no use.
pub fn is_refusal(error: &Error) -> bool {
    match error {
        Error::InvalidCertificate(_) => true,
        Error::AlertReceived(alert) => {
            *alert == Alert::CertificateRequired || is_about_ours(*alert)
        }
        _ => false,
    }
}

/// Whether the peer says that it does not accept our certificate.
fn is_about_ours(alert: Alert) -> bool {
    matches!(
        alert,
        Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
    )
}

fn of_certificate(error: &CertificateError, names: Names) -> String {
    use CertificateError as E;
    match error {
        E::UnknownIssuer => format!(
            "its certificate is by an authority that is not trusted; set {} to a PEM file with that authority's certificate",
            names.roots
        ),
        E::NotValidForName => format!(
            "its certificate is not for this host name; check {}",
            names.host
        ),
        E::NotValidForNameContext {
            expected,
            presented,
        } => format!(
            "its certificate is for {}, not for {}; use a name that it has in {}, or have one issued for this name",
            presented_names(presented),
            expected.to_str(),
            names.host
        ),
        E::Expired => "its certificate has expired; have it renewed, or check this machine's clock".to_owned(),
        E::ExpiredContext { time, not_after } => format!(
            "its certificate expired {} ago; have it renewed, or check this machine's clock",
            days(*not_after, *time)
        ),
        E::NotValidYet => "its certificate is not valid yet; check this machine's clock".to_owned(),
        E::NotValidYetContext { time, not_before } => format!(
            "its certificate becomes valid in {}; check this machine's clock",
            days(*time, *not_before)
        ),
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
            "its certificate is not one for servers (extended key usage); have one issued with serverAuth".to_owned()
        }
        E::BadSignature => format!(
            "its certificate is not signed by the authority that it names; check {}",
            names.roots
        ),
        E::Other(other) if other.to_string().contains("UnsupportedCertVersion") => {
            "its certificate is not of X.509 version 3; have one issued that is".to_owned()
        }
        E::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "its certificate is an authority's, not a server's; have one issued for the server".to_owned()
        }
        other => format!("its certificate cannot be accepted: {other}"),
    }
}

fn of_alert(alert: Alert, names: Names, has_identity: bool) -> String {
    match alert {
        Alert::CertificateRequired => format!("it {}", demands_certificate()),
        // What brokers in Java send when TLS 1.2 brings no certificate.
        Alert::BadCertificate | Alert::NoCertificate if !has_identity => {
            format!(
                "it broke off ({}), and probably {}",
                name(alert),
                demands_certificate()
            )
        }
        // What servers say too when they know none of our ciphers, groups and signatures.
        Alert::HandshakeFailure if has_identity => format!(
            "it broke off (HandshakeFailure): it has no cipher, group or signature in common with us ({OURS}), or does not accept \
             the client certificate"
        ),
        Alert::HandshakeFailure => format!(
            "it broke off (HandshakeFailure): it has no cipher, group or signature in common with us ({OURS}), or {}",
            demands_certificate()
        ),
        alert if has_identity && (is_about_ours(alert) || alert == Alert::DecryptError) => {
            format!(
                "it does not accept the client certificate ({}); check {IDENTITY}, and that the peer trusts its authority",
                name(alert)
            )
        }
        Alert::ProtocolVersion => {
            "it has no version of TLS in common with us (1.2 and 1.3)".to_owned()
        }
        Alert::UnrecognisedName => {
            format!("it does not know itself by this name; check {}", names.host)
        }
        other => format!(
            "it broke off TLS with the alert {}; see its log, and check {}",
            name(other),
            names.protocol
        ),
    }
}

fn demands_certificate() -> String {
    format!("demands a client certificate; set {IDENTITY}")
}

fn name(alert: Alert) -> String {
    format!("{alert:?}")
}

/// Why the key of a client certificate cannot be used.
pub(super) fn of_key(error: &Error) -> String {
    match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            "is not the key of the certificate".to_owned()
        }
        _ => "holds a key that cannot be used; RSA (2048 bits and more), EC (P-256, P-384) and Ed25519 can"
            .to_owned(),
    }
}

/// `DnsName("a"), IpAddress(127.0.0.1)` in rustls's words.
fn presented_names(presented: &[String]) -> String {
    let bare = |name: &String| -> String {
        let is_ip = name.starts_with("IpAddress(");
        let name = name
            .strip_prefix("DnsName(")
            .or_else(|| name.strip_prefix("IpAddress("))
            .and_then(|name| name.strip_suffix(')'))
            .unwrap_or(name);
        let shown = name.chars().filter(|&c| is_showable(c) && c != '"');
        let shown: String = shown.take(NAME_CHARS_MAX).collect();
        // An address is compared with addresses only (RFC 6125, section 1.7.2).
        if !is_ip && shown.parse::<std::net::IpAddr>().is_ok() {
            return format!("a host named {shown}");
        }
        shown
    };
    let mut shown: Vec<String> = presented.iter().take(NAMES_SHOWN_MAX).map(bare).collect();
    match presented.len().saturating_sub(NAMES_SHOWN_MAX) {
        0 if shown.is_empty() => return "no name at all".to_owned(),
        0 => {}
        more => shown.push(format!("{more} more")),
    }
    shown.join(", ")
}

fn days(from: UnixTime, to: UnixTime) -> String {
    match to.as_secs().saturating_sub(from.as_secs()) / DAY_S {
        0 => "less than a day".to_owned(),
        1 => "a day".to_owned(),
        days => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn of(error: &CertificateError) -> String {
        explain(
            &Error::InvalidCertificate(error.clone()),
            Names::KAFKA,
            false,
        )
    }

    #[test]
    fn a_wrong_name_is_told_with_those_of_the_certificate() {
        let names = ["a.example", "b\u{1b}[31m\n", "c", "d", "e", "f"];
        let presented = names.map(|name| format!("DnsName(\"{name}\")")).to_vec();
        let expected = "k".try_into().unwrap();
        let words = of(&CertificateError::NotValidForNameContext {
            expected,
            presented,
        });
        assert!(
            words.starts_with("its certificate is for a.example, b[31m, c, d, 2 more, not for k;"),
            "{words}"
        );
    }

    #[test]
    fn an_address_that_stands_among_the_names_of_hosts_is_called_that() {
        let presented = vec![
            "DnsName(\"127.0.0.1\")".to_owned(),
            "IpAddress(::1)".to_owned(),
        ];
        assert_eq!(presented_names(&presented), "a host named 127.0.0.1, ::1");
    }

    #[test]
    fn a_handshake_that_comes_to_nothing_is_not_blamed_on_one_cause() {
        for has_identity in [false, true] {
            let error = Error::AlertReceived(Alert::HandshakeFailure);
            let words = explain(&error, Names::KAFKA, has_identity);
            assert!(words.contains("no cipher, group or signature"), "{words}");
            assert!(words.contains("certificate"), "{words}");
        }
    }

    #[test]
    fn an_expired_certificate_is_told_with_since_when() {
        let at = |days: u64| UnixTime::since_unix_epoch(Duration::from_secs(days * DAY_S));
        let words = of(&CertificateError::ExpiredContext {
            time: at(30),
            not_after: at(18),
        });
        assert!(
            words.starts_with("its certificate expired 12 days ago"),
            "{words}"
        );
    }

    #[test]
    fn a_missing_client_certificate_is_not_taken_for_a_wrong_one() {
        for alert in [Alert::CertificateRequired, Alert::BadCertificate] {
            let words = |has| explain(&Error::AlertReceived(alert), Names::KAFKA, has);
            assert!(words(false).contains("demands a client certificate"));
        }
        let refused = explain(&Error::AlertReceived(Alert::UnknownCA), Names::KAFKA, true);
        assert!(refused.starts_with("it does not accept the client certificate (UnknownCA)"));
    }
}
