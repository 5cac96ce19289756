//! A registry that lets not everybody in, and the endpoint that issues tokens for it and for a cluster.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::io::BufReader;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use common::PATIENCE;
use common::http::{Http, address};
use common::tls::{BOTH, Encrypted, config, config_with, handshake};
use sandbox::{
    HttpFault, Registry, RegistrySettings, ServerCertificate, Tls, TokenServer, TokenSettings,
    Tokens, certificates,
};
use serde_json::{Value, json};

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
const GRANT: &str = "grant_type=client_credentials&scope=shoes%3Awrite+all";

fn registry(settings: &RegistrySettings) -> Registry {
    Registry::start(settings).unwrap()
}

fn basic(id: &str, secret: &str) -> String {
    let encoded = BASE64_STANDARD.encode(format!("{id}:{secret}"));
    format!("Authorization: Basic {encoded}\r\n")
}

/// Status and body of the answer to a request for a token.
fn ask(server: &TokenServer, headers: &str, form: &str) -> (u16, Value) {
    let mut http = Http::at(&server.url());
    http.send("POST", "/token", &format!("{FORM}{headers}"), form);
    let (status, _, body) = http.receive();
    (status, serde_json::from_str(&body).unwrap())
}

fn over(url: &str, config: rustls::ClientConfig) -> Http<Encrypted> {
    let stream = handshake(address(url), "127.0.0.1", config).unwrap();
    Http(BufReader::new(stream))
}

#[test]
fn a_registry_speaks_https_and_demands_a_certificate_if_so_ordered() {
    let tls = Tls::default();
    let open = registry(&RegistrySettings {
        tls: Some(tls.clone()),
        ..RegistrySettings::default()
    });
    assert!(open.url().starts_with("https://127.0.0.1:"));
    let mut http = over(&open.url(), config(BOTH));
    assert_eq!(http.get("/subjects"), (200, json!([])));
    assert_eq!(open.handshakes()[0].error, None);

    let mutual = registry(&RegistrySettings {
        tls: Some(tls.client_certificate()),
        ..RegistrySettings::default()
    });
    let own = config_with(certificates::client(), certificates::client_key());
    assert_eq!(over(&mutual.url(), own).get("/").0, 200);
    let mut http = over(
        &mutual.url(),
        config_with(
            certificates::client_unknown_authority(),
            certificates::client_key(),
        ),
    );
    assert!(std::io::Read::read(&mut http.0, &mut [0]).is_err());

    let wrong = registry(&RegistrySettings {
        tls: Some(Tls::default().certificate(ServerCertificate::WrongName)),
        ..RegistrySettings::default()
    });
    assert!(handshake(address(&wrong.url()), "127.0.0.1", config(BOTH)).is_err());
    assert!(wrong.wait_handshakes(1, PATIENCE)[0].error.is_some());
}

#[test]
fn a_token_opens_a_registry_until_it_is_revoked_and_what_came_is_recorded() {
    let tokens = Tokens::new();
    let registry = registry(&RegistrySettings {
        tokens: Some(tokens.clone()),
        ..RegistrySettings::default()
    });
    let mut http = Http::to(&registry);
    let mut get = |headers: &str| {
        http.send("GET", "/subjects", headers, "");
        http.receive()
    };
    let (status, _, body) = get("");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["error_code"]), (401, &json!(401)));
    tokens.add("t", "somebody", Duration::from_secs(3600));
    let headers = "Authorization: Bearer t\r\ntarget-sr-cluster: lsrc-1\r\nConfluent-Identity-Pool-Id: pool-1\r\n";
    assert_eq!(get(headers).0, 200);
    let last = registry.requests().pop().unwrap();
    assert_eq!(last.header("target-sr-cluster"), Some("lsrc-1"));
    assert_eq!(last.header("confluent-identity-pool-id"), Some("pool-1"));
    assert_eq!(get("Authorization: Bearer u\r\n").0, 401);
    tokens.revoke_all();
    assert_eq!(get(headers).0, 401);
    assert_eq!(
        registry.authorizations(),
        ["Bearer t", "Bearer u", "Bearer t"]
    );
}

#[test]
fn a_redirect_leads_where_it_says_and_shows_what_arrives_there() {
    let (first, second) = (
        registry(&RegistrySettings::default()),
        registry(&RegistrySettings::default()),
    );
    let there = format!("{}/subjects", second.url());
    first.fail_next(&HttpFault::RedirectAs(302, there.clone()), 1);
    let mut http = Http::to(&first);
    http.send("GET", "/subjects", "Authorization: Basic eDp5\r\n", "");
    let (status, head, _) = http.receive();
    assert_eq!(status, 302);
    assert!(head.contains(&format!("Location: {there}\r\n")), "{head}");
    // A client that keeps its secrets to itself.
    assert_eq!(Http::at(&there).get("/subjects").0, 200);
    assert_eq!(first.authorizations(), ["Basic eDp5"]);
    assert_eq!(second.authorizations(), Vec::<String>::new());
}

#[test]
fn a_token_is_issued_to_the_client_and_looks_like_a_jwt() {
    let server = TokenServer::start(&TokenSettings {
        lifetime: Duration::from_secs(600),
        ..TokenSettings::default()
    })
    .unwrap();
    let (status, first) = ask(&server, &basic("client", "client-secret"), GRANT);
    assert_eq!(
        (status, &first["token_type"], &first["expires_in"]),
        (200, &json!("Bearer"), &json!(600))
    );
    let token = first["access_token"].as_str().unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let claims = BASE64_URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!((parts.len(), &claims["sub"]), (3, &json!("client")));
    assert_eq!(claims["scope"], json!("shoes:write all"));
    let lasts = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert_eq!(lasts, 600);
    let (_, second) = ask(&server, &basic("client", "client-secret"), GRANT);
    assert_ne!(first["access_token"], second["access_token"]);
    assert_eq!((server.issued(), server.requests().len()), (2, 2));

    let registry = registry(&RegistrySettings {
        tokens: Some(server.tokens()),
        ..RegistrySettings::default()
    });
    let mut http = Http::to(&registry);
    http.send(
        "GET",
        "/subjects",
        &format!("Authorization: Bearer {token}\r\n"),
        "",
    );
    assert_eq!(http.receive().0, 200);
}

#[test]
fn whoever_asks_wrongly_for_a_token_gets_the_rfcs_error() {
    let server = TokenServer::start(&TokenSettings {
        client: ("id".to_owned(), "s:e%c r+et".to_owned()),
        scope: Some("shoes".to_owned()),
        ..TokenSettings::default()
    })
    .unwrap();
    let good = "grant_type=client_credentials&scope=shoes";
    let encoded = basic("id", "s%3Ae%25c+r%2Bet");
    assert_eq!(ask(&server, &encoded, good).0, 200);
    let plain = basic("id", "s:e%c r+et");
    assert_eq!(ask(&server, &plain, good).0, 200);
    for (headers, form, status, error) in [
        ("", good, 401, "invalid_client"),
        (&*basic("id", "guess"), good, 401, "invalid_client"),
        (&*plain, "scope=shoes", 400, "invalid_request"),
        (
            &*plain,
            "grant_type=password",
            400,
            "unsupported_grant_type",
        ),
        (
            &*plain,
            "grant_type=client_credentials",
            400,
            "invalid_scope",
        ),
        (&*plain, "grant_type=%zz", 400, "invalid_request"),
    ] {
        let (told, body) = ask(&server, headers, form);
        assert_eq!((told, &body["error"]), (status, &json!(error)), "{form}");
    }
    assert_eq!(server.issued(), 2);
    server.fail_next(&HttpFault::Status(500, "{}".to_owned()), 1);
    assert_eq!(ask(&server, &plain, good), (500, json!({})));
}

#[test]
fn tokens_are_issued_over_https_too() {
    let server = TokenServer::start(&TokenSettings {
        tls: Some(Tls::default()),
        ..TokenSettings::default()
    })
    .unwrap();
    assert!(server.url().starts_with("https://") && server.url().ends_with("/token"));
    let mut http = over(&server.url(), config(BOTH));
    let headers = format!("{FORM}{}", basic("client", "client-secret"));
    http.send("POST", "/token", &headers, GRANT);
    assert_eq!(http.receive().0, 200);
    assert_eq!(server.handshakes().len(), 1);
}
