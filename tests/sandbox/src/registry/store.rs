//! Subjects, versions and schema ids, and the answers of a Confluent Schema Registry about them.
//!
//! The same schema has the same id under every subject; a subject's versions count from 1. Only Protobuf schemas are
//! taken, and only ones that look like Protobuf: the sandbox does not compile them. Does no I/O.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::http::{HttpRequest, query_is_true, segments};

/// What the registry's documentation and servers call its content.
const CONTENT_TYPES: [&str; 3] = [
    "application/vnd.schemaregistry.v1+json",
    "application/vnd.schemaregistry+json",
    "application/json",
];
/// The first id handed out; not 1, so that an id is not mistaken for a version.
const FIRST_ID: usize = 100_001;

/// What is registered.
#[derive(Debug, Default)]
pub(crate) struct Store {
    /// In the order of their ids.
    schemas: Vec<String>,
    /// Each subject's ids in the order of its versions.
    subjects: BTreeMap<String, Vec<usize>>,
}

/// Status and body.
pub(crate) type Answered = (u16, Value);

impl Store {
    /// Does a request.
    pub(crate) fn answer(&mut self, request: &HttpRequest) -> Answered {
        let Some(path) = segments(&request.target) else {
            return error(404, 404, "HTTP 404 Not Found");
        };
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match (request.method.as_str(), path.as_slice()) {
            ("GET", []) => (200, json!({})),
            ("GET", ["subjects"]) => (200, json!(self.subjects.keys().collect::<Vec<_>>())),
            ("GET", ["subjects", subject, "versions"]) => self.versions(subject),
            ("GET", ["schemas", "ids", id]) => self.schema(id),
            ("POST", ["subjects", subject, "versions"]) => {
                self.with_schema(request, |store, schema| store.register(subject, schema))
            }
            ("POST", ["subjects", subject]) => {
                self.with_schema(request, |store, schema| store.look_up(subject, &schema))
            }
            (_, [] | ["subjects" | "schemas", ..]) => {
                error(405, 405, "HTTP 405 Method Not Allowed")
            }
            _ => error(404, 404, "HTTP 404 Not Found"),
        }
    }

    /// The subjects that have a schema.
    pub(crate) fn subjects(&self) -> Vec<String> {
        self.subjects.keys().cloned().collect()
    }

    fn with_schema(
        &mut self,
        request: &HttpRequest,
        then: impl FnOnce(&mut Self, String) -> Answered,
    ) -> Answered {
        match read_schema(request) {
            Ok(schema) => then(self, schema),
            Err(answered) => answered,
        }
    }

    fn versions(&self, subject: &str) -> Answered {
        match self.subjects.get(subject) {
            Some(ids) => (200, json!((1..=ids.len()).collect::<Vec<_>>())),
            None => no_subject(subject),
        }
    }

    fn schema(&self, id: &str) -> Answered {
        let schema = id
            .parse::<usize>()
            .ok()
            .and_then(|id| self.schemas.get(id.checked_sub(FIRST_ID)?));
        match schema {
            Some(schema) => (200, json!({ "schemaType": "PROTOBUF", "schema": schema })),
            None => error(404, 40403, &format!("Schema {id} not found")),
        }
    }

    fn register(&mut self, subject: &str, schema: String) -> Answered {
        let known = self.schemas.iter().position(|known| *known == schema);
        let index = known.unwrap_or_else(|| {
            self.schemas.push(schema);
            self.schemas.len() - 1
        });
        let id = FIRST_ID + index;
        let ids = self.subjects.entry(subject.to_owned()).or_default();
        if !ids.contains(&id) {
            ids.push(id);
        }
        (200, json!({ "id": id }))
    }

    fn look_up(&self, subject: &str, schema: &str) -> Answered {
        let Some(ids) = self.subjects.get(subject) else {
            return no_subject(subject);
        };
        let found = self
            .schemas
            .iter()
            .position(|known| known == schema)
            .map(|index| index + FIRST_ID);
        let version = found.and_then(|found| ids.iter().position(|&id| id == found));
        match (found, version) {
            (Some(id), Some(version)) => {
                let body = json!({
                    "subject": subject, "id": id, "version": version + 1, "schemaType": "PROTOBUF", "schema": schema,
                });
                (200, body)
            }
            _ => error(404, 40403, "Schema not found"),
        }
    }
}

/// The schema of a request, normalised if the request asks for that.
fn read_schema(request: &HttpRequest) -> Result<String, Answered> {
    let content_type = request.header("content-type").unwrap_or_default();
    let content_type = content_type.split(';').next().unwrap_or_default().trim();
    if !CONTENT_TYPES.contains(&content_type) {
        return Err(error(415, 415, "HTTP 415 Unsupported Media Type"));
    }
    let body: Value = serde_json::from_slice(&request.body)
        .map_err(|problem| error(400, 400, &format!("Unable to process JSON: {problem}")))?;
    let Some(schema) = body.get("schema").and_then(Value::as_str) else {
        return Err(error(422, 42201, "Empty schema"));
    };
    // Without a type the registry takes the schema for Avro, which a .proto file is not.
    let schema_type = body
        .get("schemaType")
        .and_then(Value::as_str)
        .unwrap_or("AVRO");
    if schema_type != "PROTOBUF" || !looks_like_protobuf(schema) {
        let message = format!("Invalid schema of type {schema_type}, details: it does not parse");
        return Err(error(422, 42201, &message));
    }
    if query_is_true(&request.target, "normalize") {
        Ok(normalise(schema))
    } else {
        Ok(schema.to_owned())
    }
}

fn looks_like_protobuf(schema: &str) -> bool {
    let braces = |brace| schema.matches(brace).count();
    schema.contains("message ") && braces('{') > 0 && braces('{') == braces('}')
}

/// Leaves one blank where there was white space, and no comments.
fn normalise(schema: &str) -> String {
    let lines = schema
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    words.join(" ")
}

fn no_subject(subject: &str) -> Answered {
    error(404, 40401, &format!("Subject '{subject}' not found."))
}

pub(crate) fn error(status: u16, code: u32, message: &str) -> Answered {
    (status, json!({ "error_code": code, "message": message }))
}
