//! Who is asking, and what is found out without changing anything.

use super::client as client_of;
use super::*;
use crate::registry::config::Bearer;
use crate::registry::standing::SchemaStanding;

#[test]
fn a_token_is_shown_where_that_is_configured_and_nowhere_else() {
    let token = Secret::new("t0ken".to_owned());
    let server = Server::start(vec![
        Status(200, "[]"),
        Status(401, r#"{"error_code":401,"message":"W0rds"}"#),
    ]);
    let mut with_bearer = config(&[&server]);
    with_bearer.bearer = Some(Bearer {
        logical_cluster: Some("lsrc-1".to_owned()),
        identity_pool: Some("pool-2".to_owned()),
    });
    let mut client = client_of(with_bearer);
    client.set_token(&token);
    assert_eq!(client.check(&never()), Ok(()));
    let error = client.schema_id(SCHEMA, &never()).unwrap_err().to_string();
    assert!(error.contains("does not accept the token (401)"), "{error}");
    assert!(!format!("{error} {client:?}").contains("t0ken"));
    for request in server.finish() {
        for header in [
            "authorization: Bearer t0ken\r\n",
            "target-sr-cluster: lsrc-1\r\n",
            "confluent-identity-pool-id: pool-2\r\n",
        ] {
            assert!(request.contains(header), "{request}");
        }
    }

    let server = Server::start(vec![Status(200, "[]")]);
    let mut client = client_of(config(&[&server]));
    client.set_token(&token);
    assert_eq!(client.check(&never()), Ok(()));
    assert!(!server.finish()[0].contains("authorization"));
}

#[test]
fn how_a_schema_stands_is_found_out_without_registering_it() {
    let unknown_subject = || Status(404, r#"{"error_code":40401,"message":"m"}"#);
    let unknown_schema = || Status(404, r#"{"error_code":40403,"message":"m"}"#);
    let cases = [
        (
            vec![Status(200, r#"{"subject":"s","version":1,"id":7}"#)],
            SchemaStanding::Registered { id: 7 },
        ),
        (vec![unknown_subject()], SchemaStanding::NewSubject),
        (
            vec![unknown_schema(), Status(200, r#"{"is_compatible":true}"#)],
            SchemaStanding::Compatible,
        ),
        (
            vec![
                unknown_schema(),
                Status(404, r#"{"error_code":40402,"message":"m"}"#),
            ],
            SchemaStanding::NewSubject,
        ),
        (
            vec![
                unknown_schema(),
                Status(200, r#"{"is_compatible":false,"messages":["a\nb",7,"c"]}"#),
            ],
            SchemaStanding::Incompatible {
                messages: vec!["a b".to_owned(), "c".to_owned()],
            },
        ),
        (
            vec![
                unknown_schema(),
                Status(200, r#"{"is_compatible":false,"reason":"not\nso"}"#),
            ],
            SchemaStanding::Incompatible {
                messages: vec!["not so".to_owned()],
            },
        ),
    ];
    for (script, standing) in cases {
        let server = Server::start(script);
        let client = client_of(config(&[&server]));
        assert_eq!(client.standing(SCHEMA, &never()), Ok(standing));
        for request in server.finish() {
            let target = request.lines().next().unwrap();
            assert!(
                [
                    "POST /subjects/js_shoe-value?normalize=true HTTP/1.1",
                    "POST /compatibility/subjects/js_shoe-value/versions/latest?normalize=true&verbose=true HTTP/1.1",
                ]
                .contains(&target),
                "{target}"
            );
        }
    }
}

#[test]
fn a_single_look_asks_each_url_once() {
    let first = Server::start(vec![Status(503, "")]);
    let second = Server::start(vec![Status(503, "W0rds")]);
    let client = client_of(config(&[&first, &second]));
    let error = client.check_once(&never()).unwrap_err().to_string();
    assert!(error.contains("(503): W0rds"), "{error}");
    assert_eq!((first.finish().len(), second.finish().len()), (1, 1));
}
