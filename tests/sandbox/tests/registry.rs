//! The registry: Confluent's paths, codes and ids, its faults, and what it records.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used)]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;

use common::PATIENCE;
use common::http::{Http, TYPE};
use sandbox::{Gate, Registry, RegistryFault, RegistrySettings};
use serde_json::{Value, json};

const SHOE: &str = "syntax = \"proto3\";\nmessage Shoe { string id = 1; }\n";

fn start() -> Registry {
    Registry::start(&RegistrySettings::default()).unwrap()
}

fn protobuf(schema: &str) -> Value {
    json!({ "schemaType": "PROTOBUF", "schema": schema })
}

#[test]
fn the_same_schema_has_the_same_id_under_every_subject() {
    let registry = start();
    let mut http = Http::to(&registry);
    assert_eq!(http.get("/"), (200, json!({})));
    assert_eq!(http.get("/subjects"), (200, json!([])));
    let (status, first) = http.post("/subjects/a-value/versions?normalize=true", &protobuf(SHOE));
    assert_eq!(status, 200);
    let spaced = protobuf(&format!("// a shoe\n{}", SHOE.replace(' ', "  ")));
    assert_eq!(
        http.post("/subjects/a-value/versions?normalize=true", &spaced)
            .1,
        first
    );
    assert_eq!(
        http.post(
            "/subjects/b%2Fc%20d/versions?normalize=true",
            &protobuf(SHOE)
        )
        .1,
        first
    );
    assert_ne!(
        http.post("/subjects/a-value/versions", &spaced).1,
        first,
        "not normalised, not the same"
    );
    assert_eq!(http.get("/subjects").1, json!(["a-value", "b/c d"]));
    assert_eq!(registry.subjects(), ["a-value", "b/c d"]);
    assert_eq!(http.get("/subjects/a-value/versions").1, json!([1, 2]));
    let (status, schema) = http.get(&format!("/schemas/ids/{}", first["id"]));
    assert_eq!((status, &schema["schemaType"]), (200, &json!("PROTOBUF")));
    assert!(schema["schema"].as_str().unwrap().contains("message Shoe"));
}

#[test]
fn a_lookup_finds_what_is_registered_and_says_what_is_not() {
    let registry = start();
    let mut http = Http::to(&registry);
    let (status, error) = http.post("/subjects/a-value", &protobuf(SHOE));
    assert_eq!((status, &error["error_code"]), (404, &json!(40401)));
    let (_, registered) = http.post("/subjects/a-value/versions", &protobuf(SHOE));
    let (status, found) = http.post("/subjects/a-value", &protobuf(SHOE));
    assert_eq!(
        (status, &found["id"], &found["version"]),
        (200, &registered["id"], &json!(1))
    );
    let (status, error) = http.post("/subjects/a-value", &protobuf("message Other { }"));
    assert_eq!((status, &error["error_code"]), (404, &json!(40403)));
    assert_eq!(http.get("/schemas/ids/7").0, 404);
    assert_eq!(http.get("/nothing").0, 404);
}

#[test]
fn what_is_no_protobuf_schema_is_invalid() {
    let registry = start();
    let mut http = Http::to(&registry);
    for body in [
        json!({ "schema": SHOE }),
        protobuf("not a schema"),
        protobuf("message A {"),
        json!({}),
    ] {
        let (status, error) = http.post("/subjects/a/versions", &body);
        assert_eq!(
            (status, &error["error_code"]),
            (422, &json!(42201)),
            "{body}"
        );
    }
    http.send("POST", "/subjects/a/versions", TYPE, "{");
    assert_eq!(http.receive().0, 400);
    http.send(
        "POST",
        "/subjects/a/versions",
        "Content-Type: text/plain\r\n",
        &protobuf(SHOE).to_string(),
    );
    assert_eq!(http.receive().0, 415);
    http.send("DELETE", "/subjects/a", "", "");
    assert_eq!(http.receive().0, 405);
}

#[test]
fn credentials_are_needed_if_there_are_any() {
    let credentials = Some(("user".to_owned(), "pass:word".to_owned()));
    let registry = Registry::start(&RegistrySettings {
        credentials,
        ..RegistrySettings::default()
    })
    .unwrap();
    let mut http = Http::to(&registry);
    assert_eq!(http.get("/subjects").0, 401);
    http.send(
        "GET",
        "/subjects",
        "Authorization: Basic dXNlcjpwYXNzOndvcmQ=\r\n",
        "",
    );
    assert_eq!(http.receive().0, 200);
    http.send(
        "GET",
        "/subjects",
        "Authorization: Basic dXNlcjpwYXNz\r\n",
        "",
    );
    assert_eq!(http.receive().0, 401);
}

#[test]
fn requests_are_recorded_as_they_came() {
    let registry = start();
    let mut http = Http::to(&registry);
    http.send("GET", "/subjects?x=%20", "X-Thing: 1\r\n", "");
    http.receive();
    assert!(registry.wait_for(|requests| requests.len() == 1, PATIENCE));
    let request = &registry.requests()[0];
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("GET", "/subjects?x=%20")
    );
    assert_eq!(
        (request.header("x-thing"), request.text().as_str()),
        (Some("1"), "")
    );
}

#[test]
fn chunked_bodies_are_read() {
    let registry = start();
    let mut http = Http::to(&registry);
    let body = protobuf(SHOE).to_string();
    let (first, second) = body.split_at(20);
    let request = format!(
        "POST /subjects/a/versions HTTP/1.1\r\n{TYPE}Transfer-Encoding: chunked\r\n\r\n14\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        second.len()
    );
    http.0.get_mut().write_all(request.as_bytes()).unwrap();
    assert_eq!(http.receive().0, 200);
    assert_eq!(http.get("/subjects").1, json!(["a"]));
}

#[test]
fn faults_meet_the_next_requests_in_order() {
    let registry = start();
    let busy = RegistryFault::Status(
        503,
        "{\"error_code\":50301,\"message\":\"busy\"}".to_owned(),
    );
    registry.fail_next(&busy, 2);
    registry.fail_next(
        &RegistryFault::Redirect("http://127.0.0.1:1/".to_owned()),
        1,
    );
    registry.fail_next(&RegistryFault::HugeBody(100_000), 1);
    let mut http = Http::to(&registry);
    assert_eq!(http.get("/subjects").0, 503);
    assert_eq!(http.get("/subjects").1["error_code"], 50301);
    http.send("GET", "/subjects", "", "");
    let (status, head, _) = http.receive();
    assert_eq!(status, 307);
    assert!(head.contains("Location: http://127.0.0.1:1/\r\n"));
    http.send("GET", "/subjects", "", "");
    assert_eq!(http.receive().2.len(), 100_000);
    assert_eq!(Http::to(&registry).get("/subjects").0, 200);
}

#[test]
fn connections_are_cut_garbled_or_left_hanging() {
    let registry = start();
    registry.fail_next(&RegistryFault::Close, 1);
    registry.fail_next(&RegistryFault::Garbage(b"\x15\x03\x01".to_vec()), 1);
    registry.fail_next(&RegistryFault::Hang, 1);
    let gate = Gate::new();
    registry.fail_next(&RegistryFault::Hold(gate.clone()), 1);
    let mut http = Http::to(&registry);
    http.send("GET", "/", "", "");
    assert!(http.is_closed());
    let mut http = Http::to(&registry);
    http.send("GET", "/", "", "");
    let mut received = Vec::new();
    http.0.read_to_end(&mut received).unwrap();
    assert_eq!(received, b"\x15\x03\x01");
    let mut hanging = Http::to(&registry);
    hanging.send("GET", "/", "", "");
    assert!(registry.wait_for(|requests| requests.len() == 3, PATIENCE));
    let mut held = Http::to(&registry);
    held.send("GET", "/", "", "");
    assert!(gate.wait_arrived(1, PATIENCE));
    gate.open();
    assert_eq!(held.receive().0, 200);
    registry.stop();
    assert!(hanging.is_closed());
}

#[test]
fn a_stopped_registry_refuses_and_keeps_what_it_has() {
    let registry = start();
    Http::to(&registry).post("/subjects/a/versions", &protobuf(SHOE));
    registry.stop();
    assert!(TcpStream::connect(registry.url().strip_prefix("http://").unwrap()).is_err());
    registry.restart().unwrap();
    assert_eq!(Http::to(&registry).get("/subjects").1, json!(["a"]));
}
