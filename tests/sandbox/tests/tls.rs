//! Encrypted listeners: what they present and demand, what they record, and what they do amiss on request.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::io::{ErrorKind, Read};

use common::tls::{BOTH, config, config_with, connect, handshake};
use common::{Client, PATIENCE, batch, start};
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, MetadataRequest};
use rustls::version::{TLS12, TLS13};
use sandbox::{
    Config, Fault, FaultRule, Handshake, Sandbox, Security, ServerCertificate, Tls, TlsVersion,
    certificates,
};

fn with(tls: Tls) -> Sandbox {
    start(Config {
        security: Security::ssl().tls(tls),
        ..Config::default()
    })
}

/// The handshakes, once there are so many.
fn handshakes(sandbox: &Sandbox, count: usize) -> Vec<Handshake> {
    assert!(sandbox.wait_for(|state| state.handshakes().len() >= count, PATIENCE));
    sandbox.handshakes()
}

#[test]
fn both_versions_are_spoken_and_one_alone_if_so_ordered() {
    let sandbox = with(Tls::default());
    for (offered, agreed) in [
        (&[&TLS12][..], TlsVersion::V1_2),
        (&[&TLS13], TlsVersion::V1_3),
        (BOTH, TlsVersion::V1_3),
    ] {
        let address = sandbox.address(1).unwrap();
        let stream = handshake(address, "localhost", config(offered)).unwrap();
        assert_eq!(Client::over(stream).produce(0, &batch(500)).error_code, 0);
        let last = handshakes(&sandbox, 1).pop().unwrap();
        let expected = Handshake {
            server_name: Some("localhost".to_owned()),
            version: Some(agreed),
            ..Handshake::default()
        };
        assert_eq!(last, expected);
    }
    for (only, offered) in [(TlsVersion::V1_2, &TLS13), (TlsVersion::V1_3, &TLS12)] {
        let sandbox = with(Tls::default().only(only));
        let address = sandbox.address(1).unwrap();
        assert!(handshake(address, "localhost", config(&[offered])).is_err());
        assert!(handshakes(&sandbox, 1)[0].error.is_some());
        assert!(handshake(address, "localhost", config(BOTH)).is_ok());
        assert_eq!(handshakes(&sandbox, 2)[1].version, Some(only));
    }
}

#[test]
fn each_certificate_is_good_or_bad_in_its_own_way() {
    use ServerCertificate::{Chain, Expired, Good, Rsa, UnknownAuthority, WrongName};
    for (certificate, complaint) in [
        (Good, None),
        (Rsa, None),
        (Chain, None),
        (WrongName, Some("not valid for name")),
        (Expired, Some("expired")),
        (UnknownAuthority, Some("UnknownIssuer")),
    ] {
        let sandbox = with(Tls::default().certificate(certificate));
        let address = sandbox.address(1).unwrap();
        let done = handshake(address, "127.0.0.1", config(BOTH));
        let seen = handshakes(&sandbox, 1).remove(0);
        assert_eq!(seen.server_name, None, "an address is no server name");
        match complaint {
            None => assert_eq!((done.err().is_none(), seen.error), (true, None)),
            Some(complaint) => {
                let error = done.err().unwrap().to_string();
                assert!(error.contains(complaint), "{certificate:?}: {error}");
                let error = seen.error.unwrap();
                assert!(error.contains("fatal alert"), "{certificate:?}: {error}");
            }
        }
        assert_eq!(sandbox.violations(), Vec::<String>::new());
    }
}

#[test]
fn a_client_certificate_is_demanded_and_must_be_by_the_known_authority() {
    let sandbox = with(Tls::default().client_certificate());
    let address = sandbox.address(1).unwrap();
    let call = |config| {
        let mut client = Client::over(handshake(address, "localhost", config).unwrap());
        // TLS 1.3 lets a client begin before the server has judged it.
        client.call(0, &ApiVersionsRequest::default()).is_ok()
    };
    assert!(!call(config(BOTH)));
    let (own, key) = (certificates::client(), certificates::client_key());
    for (certificate, key, good) in [
        (own, key, true),
        (own, certificates::client_key_sec1(), true),
        (certificates::client_chain(), key, true),
        (
            certificates::client_rsa(),
            certificates::client_rsa_key(),
            true,
        ),
        (
            certificates::client_rsa(),
            certificates::client_rsa_key_pkcs1(),
            true,
        ),
        (certificates::client_unknown_authority(), key, false),
    ] {
        assert_eq!(call(config_with(certificate, key)), good, "{certificate:?}");
    }
    let seen = handshakes(&sandbox, 7);
    let errors: Vec<bool> = seen.iter().map(|one| one.error.is_some()).collect();
    assert_eq!(errors, [true, false, false, false, false, false, true]);
    assert!(!seen[0].client_certificate && seen[1].client_certificate);
}

#[test]
fn keys_change_in_mid_connection_and_the_answers_go_on() {
    // In an encrypted record: type, length, "requested or not", the record's own type and its tag.
    const KEY_UPDATE_BYTES: usize = 5 + 4 + 1 + 1 + 16;
    let sandbox = with(Tls::default());
    let mut client = connect(&sandbox);
    let mut received = Vec::new();
    for _ in 0..4 {
        let before = client.stream.sock.received;
        client.call(1, &MetadataRequest::default()).unwrap();
        received.push(client.stream.sock.received - before);
        if received.len() == 2 {
            sandbox.fault(FaultRule::new(ApiKey::Metadata, Fault::UpdateKeys));
        }
    }
    assert_eq!(
        [received[2], received[3]],
        [received[1] + KEY_UPDATE_BYTES, received[1]]
    );
}

#[test]
fn a_connection_ends_with_a_close_notify_only_where_it_is_closed_in_order() {
    let sandbox = with(Tls::default());
    let end = |fault| {
        sandbox.fault(FaultRule::new(ApiKey::ApiVersions, fault));
        let mut client = connect(&sandbox);
        let answer = client.call(0, &ApiVersionsRequest::default());
        // Forged bytes are told of once: the client's alert may meet a connection that is gone, or not.
        if let Err(error) = &answer
            && error.kind() == ErrorKind::InvalidData
        {
            return (false, Err(ErrorKind::InvalidData));
        }
        let mut rest = Vec::new();
        let end = client.stream.read_to_end(&mut rest);
        (answer.is_ok(), end.map_err(|error| error.kind()))
    };
    assert_eq!(end(Fault::CloseAfter), (true, Ok(0)));
    assert_eq!(
        end(Fault::DropAfter),
        (false, Err(ErrorKind::UnexpectedEof))
    );
    let forged = vec![0x17, 3, 3, 0, 20];
    let forged = [forged, vec![0; 20]].concat();
    assert_eq!(
        end(Fault::RawBeneathTls(forged)),
        (false, Err(ErrorKind::InvalidData))
    );
}

#[test]
fn who_mixes_up_plaintext_and_tls_is_recorded_and_not_blamed() {
    let secured = with(Tls::default());
    let mut client = Client::to(&secured);
    client.send(0, &ApiVersionsRequest::default());
    // The alert, and then the end.
    let mut rest = Vec::new();
    client.stream.read_to_end(&mut rest).unwrap();
    assert_eq!(rest[0], 0x15);
    assert!(handshakes(&secured, 1)[0].error.is_some());

    let plain = start(Config::default());
    assert!(handshake(plain.address(1).unwrap(), "localhost", config(BOTH)).is_err());
    let error = handshakes(&plain, 1)[0].error.clone();
    assert_eq!(error.as_deref(), Some("TLS at a port without it"));
    for sandbox in [secured, plain] {
        assert_eq!(sandbox.violations(), Vec::<String>::new());
    }
}

#[test]
fn every_file_is_where_its_path_says() {
    for file in [certificates::ca(), certificates::client_key_encrypted()] {
        assert_eq!(std::fs::read(file.path()).unwrap(), file.bytes());
    }
}
