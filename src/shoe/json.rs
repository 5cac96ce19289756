//! A shoe as a line of JSON, for people and `jq`. Never on the way to Kafka, so it may allocate.
//!
//! Fields are named and ordered as in the schema. Unlike in Protobuf's own JSON mapping, which writes 64-bit
//! integers as strings, all numbers are numbers.

use serde_json::Value;

use super::proto;

/// Appends the message as one line, line feed included.
pub(super) fn write_line(shoe: &proto::Shoe<'_>, out: &mut Vec<u8>) {
    let fields = [
        ("id", Value::from(&*shoe.id)),
        ("brand", Value::from(&*shoe.brand)),
        ("name", Value::from(&*shoe.name)),
        ("sale_price", Value::from(shoe.sale_price)),
        ("rating", Value::from(shoe.rating)),
        ("colour", Value::from(&*shoe.colour)),
        ("size_eu", Value::from(shoe.size_eu)),
        ("category", Value::from(&*shoe.category)),
        ("stock", Value::from(shoe.stock)),
        ("created_at", Value::from(shoe.created_at)),
    ];
    let mut separator = "{";
    for (name, value) in fields {
        out.extend_from_slice(format!("{separator}\"{name}\":{value}").as_bytes());
        separator = ",";
    }
    out.extend_from_slice(b"}\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shoe::SCHEMA;
    use std::borrow::Cow;

    fn line(shoe: &proto::Shoe<'_>) -> String {
        let mut out = Vec::new();
        write_line(shoe, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_field_of_the_schema_is_there_in_its_order() {
        let line = line(&proto::Shoe::default());
        let mut place = 0;
        let fields = SCHEMA
            .lines()
            .filter(|line| line.starts_with("  ") && line.ends_with(';'));
        let mut count = 0;
        for field in fields {
            let name = field.split_whitespace().nth(1).unwrap();
            let found = line.find(&format!("\"{name}\":")).unwrap();
            assert!(found > place || count == 0, "{name}");
            place = found;
            count += 1;
        }
        let object: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(object.as_object().unwrap().len(), count);
    }

    #[test]
    fn awkward_texts_stay_on_one_line_and_read_back() {
        let awkward = "a \"quoted\" \\ name\nwith\ttabs, \u{1}, é and 👟";
        let line = line(&proto::Shoe {
            name: Cow::Borrowed(awkward),
            rating: 4.5,
            size_eu: 42.0,
            ..proto::Shoe::default()
        });
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.ends_with("}\n"));
        let object: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(object["name"], awkward);
        assert_eq!(object["rating"], 4.5);
    }
}
