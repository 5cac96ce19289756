//! Decompression of the five codecs, as strict as the strictest consumer.
//!
//! What a batch holds is one whole frame of its codec and nothing behind it. The output is bounded by
//! [`DECOMPRESSED_BYTES_MAX`], whatever the frame promises. Never compresses, never trusts a length.

use std::io::{self, Read};

use bytes::{Buf, Bytes};

/// The most that one batch may decompress to.
const DECOMPRESSED_BYTES_MAX: usize = 256 * 1024 * 1024;
/// snappy-java's stream header: magic, version 1, compatible since 1.
const XERIAL_HEADER: &[u8; 16] = b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01";
/// The flag of an LZ4 frame that says its blocks don't depend on each other.
const LZ4_BLOCKS_INDEPENDENT: u8 = 0x20;
/// Where that flag byte is: behind the magic number.
const LZ4_FLAGS_AT: usize = 4;

/// The codec's name by a batch's attribute bits 0–2.
pub(crate) fn codec_name(attributes: i16) -> &'static str {
    match attributes & 0x7 {
        0 => "none",
        1 => "gzip",
        2 => "snappy",
        3 => "lz4",
        4 => "zstd",
        _ => "unknown",
    }
}

/// The records' bytes behind a batch's header.
pub(crate) fn decompress(attributes: i16, compressed: &Bytes) -> Result<Bytes, String> {
    let plain = match codec_name(attributes) {
        "none" => return Ok(compressed.clone()),
        "gzip" => gzip(compressed),
        "snappy" => return snappy(compressed).map(Bytes::from),
        "lz4" => lz4(compressed),
        "zstd" => zstd(compressed),
        _ => {
            return Err(format!(
                "compression type {} does not exist",
                attributes & 0x7
            ));
        }
    };
    plain
        .map(Bytes::from)
        .map_err(|error| format!("{} data do not decompress: {error}", codec_name(attributes)))
}

fn gzip(mut compressed: &[u8]) -> io::Result<Vec<u8>> {
    let plain = read_bounded(flate2::bufread::GzDecoder::new(&mut compressed))?;
    no_leftovers(plain, compressed)
}

fn lz4(mut compressed: &[u8]) -> io::Result<Vec<u8>> {
    let flags = compressed.get(LZ4_FLAGS_AT).copied().unwrap_or_default();
    if flags & LZ4_BLOCKS_INDEPENDENT == 0 {
        return Err(io::Error::other(
            "blocks depend on each other, which Java's reader refuses",
        ));
    }
    let plain = read_bounded(lz4_flex::frame::FrameDecoder::new(&mut compressed))?;
    no_leftovers(plain, compressed)
}

fn zstd(mut compressed: &[u8]) -> io::Result<Vec<u8>> {
    let decoder =
        ruzstd::decoding::StreamingDecoder::new(&mut compressed).map_err(io::Error::other)?;
    let plain = read_bounded(decoder)?;
    no_leftovers(plain, compressed)
}

fn snappy(compressed: &[u8]) -> Result<Vec<u8>, String> {
    let Some(mut blocks) = compressed.strip_prefix(XERIAL_HEADER) else {
        let mut plain = Vec::new();
        snappy_block(compressed, &mut plain)?;
        return Ok(plain);
    };
    let mut plain = Vec::new();
    while !blocks.is_empty() {
        let length = blocks
            .try_get_u32()
            .map_err(|_| "snappy block without its length".to_owned())?;
        let block = usize::try_from(length)
            .ok()
            .and_then(|length| blocks.split_at_checked(length));
        let (block, rest) =
            block.ok_or_else(|| format!("snappy block of {length} bytes is cut short"))?;
        snappy_block(block, &mut plain)?;
        blocks = rest;
    }
    Ok(plain)
}

fn snappy_block(block: &[u8], plain: &mut Vec<u8>) -> Result<(), String> {
    let said = |error: snap::Error| format!("snappy data do not decompress: {error}");
    let length = snap::raw::decompress_len(block).map_err(said)?;
    if length > DECOMPRESSED_BYTES_MAX - plain.len() {
        return Err(format!("snappy block promises {length} bytes"));
    }
    plain.extend(
        snap::raw::Decoder::new()
            .decompress_vec(block)
            .map_err(said)?,
    );
    Ok(())
}

fn read_bounded(from: impl Read) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    let limit = DECOMPRESSED_BYTES_MAX as u64;
    from.take(limit + 1).read_to_end(&mut plain)?;
    if plain.len() > DECOMPRESSED_BYTES_MAX {
        return Err(io::Error::other("the data exceed every bound"));
    }
    Ok(plain)
}

fn no_leftovers(plain: Vec<u8>, rest: &[u8]) -> io::Result<Vec<u8>> {
    if rest.is_empty() {
        return Ok(plain);
    }
    Err(io::Error::other(format!(
        "{} bytes follow the frame",
        rest.len()
    )))
}
