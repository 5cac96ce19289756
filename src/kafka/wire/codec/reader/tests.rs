//! The reader against bytes that are sound, cut short and lying.

use super::*;

fn problem<T: std::fmt::Debug>(result: Result<T, DecodeError>) -> Problem {
    result.unwrap_err().problem().clone()
}

#[test]
fn a_count_beyond_the_bytes_is_refused_before_anything_is_read() {
    for (bytes, flexible) in [
        (&[0x7f, 0xff, 0xff, 0xff, 1][..], false),
        (&[0xff, 0xff, 0xff, 0xff, 0x0f, 1], true),
    ] {
        let result =
            Reader::new(bytes, flexible).array("topics", |_| -> Result<(), _> { unreachable!() });
        assert!(matches!(
            problem(result),
            Problem::TooManyElements { left: 1, .. }
        ));
    }
}

#[test]
fn lengths_below_minus_one_are_refused() {
    let string = Reader::new(&[0xff, 0xfe, 0, 0], false)
        .nullable_string("name")
        .map(drop);
    assert_eq!(problem(string), Problem::NegativeLength { length: -2 });
    let array = Reader::new(&[0x80, 0, 0, 0], false).nullable_array("topics", |r| r.i8("topic"));
    assert_eq!(problem(array), Problem::NegativeLength { length: i32::MIN });
}

#[test]
fn null_is_only_where_the_protocol_has_null() {
    for (bytes, flexible) in [(&[0xff; 4][..], false), (&[0], true)] {
        assert_eq!(
            Reader::new(bytes, flexible).nullable_string("rack"),
            Ok(None)
        );
        assert_eq!(
            problem(Reader::new(bytes, flexible).string("host")),
            Problem::UnexpectedNull
        );
        let array = Reader::new(bytes, flexible).array("topics", |r| r.i8("topic"));
        assert_eq!(problem(array), Problem::UnexpectedNull);
    }
}

#[test]
fn strings_are_utf8() {
    assert_eq!(
        Reader::new(&[0, 2, 0xc3, 0xa9], false).string("host"),
        Ok("é")
    );
    assert_eq!(
        problem(Reader::new(&[0, 1, 0xc3], false).string("host")),
        Problem::NotUtf8
    );
}

#[test]
fn varints_with_too_many_bits_are_refused() {
    let too_long = |bytes: &[u8]| {
        let mut reader = Reader::new(bytes, true);
        problem(reader.unsigned_varint("length")) == Problem::VarintTooLong
    };
    assert!(too_long(&[0xff, 0xff, 0xff, 0xff, 0x1f]));
    assert!(too_long(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x01]));
    let nine = [0xff; 9];
    let largest = [&nine[..], &[1]].concat();
    assert_eq!(Reader::new(&largest, false).varlong("delta"), Ok(i64::MIN));
    let beyond = [&nine[..], &[2]].concat();
    assert_eq!(
        problem(Reader::new(&beyond, false).varlong("delta")),
        Problem::VarintTooLong
    );
}

#[test]
fn unknown_tags_are_skipped_and_known_ones_read_within_their_bounds() {
    let mut seen = None;
    let mut reader = Reader::new(&[2, 0, 2, 1, 2, 9, 1, 7, 42], true);
    reader
        .tagged_fields(|tag, r| {
            if tag == 0 {
                seen = Some(r.i16("leader")?);
            }
            Ok(tag == 0)
        })
        .unwrap();
    assert_eq!((seen, reader.left()), (Some(0x0102), 1));

    let longer_than_known =
        Reader::new(&[1, 0, 2, 1, 2], true).tagged_fields(|_, r| r.i8("leader").map(|_| true));
    assert_eq!(
        problem(longer_than_known),
        Problem::LeftoverBytes { left: 1 }
    );
    let shorter_than_known =
        Reader::new(&[1, 0, 1, 1, 2], true).tagged_fields(|_, r| r.i16("leader").map(|_| true));
    assert_eq!(
        problem(shorter_than_known),
        Problem::Truncated { needed: 2, left: 1 }
    );
    let beyond_the_end = Reader::new(&[1, 9, 3, 1, 2], true).skip_tagged_fields();
    assert_eq!(
        problem(beyond_the_end),
        Problem::Truncated { needed: 3, left: 2 }
    );
}

#[test]
fn tags_must_ascend() {
    for twice in [[2, 5, 0, 5, 0], [2, 5, 0, 4, 0]] {
        assert_eq!(
            problem(Reader::new(&twice, true).skip_tagged_fields()),
            Problem::TagsOutOfOrder
        );
    }
}

#[test]
fn an_error_names_response_field_and_byte() {
    let mut reader = Reader::new(&[0, 0, 1], false);
    reader.i16("error_code").unwrap();
    let error = reader
        .i32("throttle_time_ms")
        .unwrap_err()
        .in_response("Metadata", 12);
    assert_eq!(
        error.to_string(),
        "malformed Metadata response (version 12): throttle_time_ms at byte 2: needs 4 bytes, 1 are left"
    );
}

#[test]
fn the_elements_of_all_arrays_together_have_a_bound_in_memory() {
    /// Takes a byte on the wire; 1024 of them are the bound.
    type Element = [u8; ELEMENT_BYTES_MAX / 1024];
    let array = |r: &mut Reader<'_>| -> Result<usize, DecodeError> {
        let element = |r: &mut Reader<'_>| -> Result<Element, _> {
            r.i8("element").map(|_| [0; ELEMENT_BYTES_MAX / 1024])
        };
        r.array("elements", element).map(|elements| elements.len())
    };
    let whole = [&[0x81, 8][..], &[0; 1024]].concat();
    assert_eq!(array(&mut Reader::new(&whole, true)), Ok(1024));

    let some = [&[0x91, 3][..], &[0; 400]].concat();
    let bytes = some.repeat(3);
    let mut r = Reader::new(&bytes, true);
    assert_eq!((array(&mut r), array(&mut r)), (Ok(400), Ok(400)));
    let too_much = Problem::TooMuchMemory {
        bytes_max: ELEMENT_BYTES_MAX,
    };
    assert_eq!(problem(array(&mut r)), too_much);

    // The one in the middle in a tagged field: a count, a tag, a size.
    let bytes = [&some[..], &[1, 0, 0x92, 3], &some, &some].concat();
    let mut r = Reader::new(&bytes, true);
    assert_eq!(array(&mut r), Ok(400));
    let known = r.tagged_fields(|_, r| array(r).map(|_| true));
    assert_eq!(known, Ok(()));
    assert_eq!(problem(array(&mut r)), too_much);
}
