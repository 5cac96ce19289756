//! The five codecs of record batches, all in pure Rust.
//!
//! What is written is what the Java client's decoders read, because every broker and consumer was written against those:
//! gzip at zlib's default level; Snappy in the framing of xerial's snappy-java; LZ4 as independent 64 KiB blocks without
//! checksums or sizes (`Lz4BlockOutputStream`); Zstandard as one frame. Decompression stops at a bound that the caller gives.
//!
//! Never decides which codec is used, and never touches a batch's header.

use std::fmt;
use std::io::{self, Read, Write};

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

/// A codec, with the number that a batch's attributes carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As it is.
    None = 0,
    /// RFC 1952.
    Gzip = 1,
    /// Snappy, in xerial's framing.
    Snappy = 2,
    /// LZ4 frames.
    Lz4 = 3,
    /// Zstandard (RFC 8878); needs Kafka 2.1.
    Zstd = 4,
}

impl Compression {
    /// Every codec.
    pub const ALL: [Compression; 5] = [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];

    /// As Kafka's `compression.type` spells it.
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Snappy => "snappy",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }

    /// The inverse of [`Compression::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }

    /// The lowest three bits of a batch's attributes.
    pub fn code(self) -> i16 {
        self as i16
    }

    /// The inverse of [`Compression::code`].
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.code() == code)
    }

    /// Appends the compressed form of `raw` to `out`.
    ///
    /// # Errors
    /// What the codec says. None of them fails on bytes in memory, as far as their documentation goes.
    pub fn compress(self, raw: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionError> {
        let result = match self {
            Compression::None => {
                out.extend_from_slice(raw);
                Ok(())
            }
            Compression::Gzip => compress_gzip(raw, out),
            Compression::Snappy => compress_xerial(raw, out),
            Compression::Lz4 => compress_lz4(raw, out),
            Compression::Zstd => {
                // The only level of ruzstd that compresses; about zstd's level 1.
                let level = ruzstd::encoding::CompressionLevel::Fastest;
                ruzstd::encoding::compress(raw, out, level);
                Ok(())
            }
        };
        result.map_err(|error| self.error(&error))
    }

    /// The original of `packed`, which may be at most `bytes_max` long.
    ///
    /// # Errors
    /// Malformed data, or more than `bytes_max`.
    pub fn decompress(self, packed: &[u8], bytes_max: usize) -> Result<Vec<u8>, CompressionError> {
        let result = match self {
            Compression::None => read_at_most(packed, bytes_max),
            Compression::Gzip => read_at_most(flate2::read::MultiGzDecoder::new(packed), bytes_max),
            Compression::Snappy => decompress_snappy(packed, bytes_max),
            Compression::Lz4 => read_at_most(FrameDecoder::new(packed), bytes_max),
            Compression::Zstd => ruzstd::decoding::StreamingDecoder::new(packed)
                .map_err(|error| malformed(&error.to_string()))
                .and_then(|decoder| read_at_most(decoder, bytes_max)),
        };
        result.map_err(|error| self.error(&error))
    }

    fn error(self, error: &io::Error) -> CompressionError {
        CompressionError {
            codec: self,
            words: error.to_string(),
        }
    }
}

/// A codec that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompressionError {
    /// Which.
    pub codec: Compression,
    /// Its own words.
    pub words: String,
}

impl fmt::Display for CompressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.codec.name(), self.words)
    }
}

impl std::error::Error for CompressionError {}

fn compress_gzip(raw: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::default());
    encoder.write_all(raw)?;
    encoder.finish()?;
    Ok(())
}

/// Java's `Lz4BlockInputStream` refuses dependent blocks, and librdkafka and Java both write 64 KiB.
fn compress_lz4(raw: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let info = FrameInfo::new()
        .block_size(BlockSize::Max64KB)
        .block_mode(BlockMode::Independent);
    let mut encoder = FrameEncoder::with_frame_info(info, out);
    encoder.write_all(raw)?;
    encoder.finish()?;
    Ok(())
}

/// Magic, version 1, compatible with version 1 (`SnappyCodec.java` of snappy-java).
const XERIAL_HEADER: &[u8; 16] = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
/// What snappy-java compresses at a time.
const XERIAL_BLOCK_BYTES: usize = 32 << 10;

/// xerial's framing rather than one raw block: the Java client writes it, so there is no consumer that does not read it.
fn compress_xerial(raw: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let mut encoder = snap::raw::Encoder::new();
    out.extend_from_slice(XERIAL_HEADER);
    let mut packed = vec![0; snap::raw::max_compress_len(XERIAL_BLOCK_BYTES.min(raw.len()))];
    for block in raw.chunks(XERIAL_BLOCK_BYTES) {
        let len = encoder.compress(block, &mut packed)?;
        let length = u32::try_from(len).map_err(io::Error::other)?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(packed.get(..len).unwrap_or_default());
    }
    Ok(())
}

/// xerial's framing, or one raw block where its magic is missing: so does snappy-java.
fn decompress_snappy(packed: &[u8], bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut raw = Vec::new();
    let Some(mut rest) = packed.strip_prefix(XERIAL_HEADER) else {
        append_snappy_block(packed, bytes_max, &mut raw)?;
        return Ok(raw);
    };
    while !rest.is_empty() {
        let (length, after) = rest
            .split_first_chunk::<4>()
            .ok_or_else(|| malformed("a block's length is cut"))?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(io::Error::other)?;
        let (block, after) = after
            .split_at_checked(length)
            .ok_or_else(|| malformed("a block is cut"))?;
        append_snappy_block(block, bytes_max, &mut raw)?;
        rest = after;
    }
    Ok(raw)
}

fn append_snappy_block(block: &[u8], bytes_max: usize, raw: &mut Vec<u8>) -> io::Result<()> {
    let begin = raw.len();
    let len = snap::raw::decompress_len(block)?;
    if len > bytes_max.saturating_sub(begin) {
        return Err(too_long(bytes_max));
    }
    raw.resize(begin + len, 0);
    snap::raw::Decoder::new().decompress(block, raw.get_mut(begin..).unwrap_or_default())?;
    Ok(())
}

fn read_at_most(decoder: impl Read, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut raw = Vec::new();
    // One byte more than allowed tells "exactly at the bound" from "beyond it".
    decoder
        .take((bytes_max as u64).saturating_add(1))
        .read_to_end(&mut raw)?;
    if raw.len() > bytes_max {
        return Err(too_long(bytes_max));
    }
    Ok(raw)
}

fn too_long(bytes_max: usize) -> io::Error {
    malformed(&format!("decompresses to more than {bytes_max} bytes"))
}

fn malformed(words: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing, noise, one byte over and over, text: around every block size that a codec has.
    fn samples() -> Vec<Vec<u8>> {
        let mut random = fastrand::Rng::with_seed(1);
        let mut samples = vec![Vec::new(), vec![42]];
        for len in [
            100,
            32 << 10,
            (64 << 10) + 1,
            128 << 10,
            (128 << 10) + 1,
            400_000,
        ] {
            samples.push((0..len).map(|_| random.u8(..)).collect());
            samples.push(vec![7; len]);
            samples.push(
                (0..len)
                    .map(|n| b"shoes and socks, "[n % 17] ^ u8::from(random.u8(..) == 0))
                    .collect(),
            );
        }
        samples
    }

    #[test]
    fn what_was_compressed_comes_back() {
        for codec in Compression::ALL {
            for sample in samples() {
                let mut packed = b"before".to_vec();
                codec.compress(&sample, &mut packed).unwrap();
                let packed = packed.strip_prefix(b"before").unwrap();
                assert_eq!(
                    codec.decompress(packed, sample.len()).unwrap(),
                    sample,
                    "{codec:?} {}",
                    sample.len()
                );
            }
        }
    }

    #[test]
    fn decompression_stops_at_its_bound() {
        for codec in Compression::ALL {
            let mut packed = Vec::new();
            codec.compress(&vec![0; 100_000], &mut packed).unwrap();
            let error = codec.decompress(&packed, 99_999).unwrap_err();
            assert!(error.words.contains("more than 99999 bytes"), "{error}");
        }
    }

    #[test]
    fn cut_data_is_an_error() {
        let raw = samples().swap_remove(4);
        for codec in Compression::ALL
            .into_iter()
            .filter(|codec| *codec != Compression::None)
        {
            let mut packed = Vec::new();
            codec.compress(&raw, &mut packed).unwrap();
            for cut in [1, packed.len() / 2] {
                assert!(
                    codec
                        .decompress(&packed[..cut], raw.len())
                        .is_err_and(|error| error.codec == codec)
                );
            }
        }
    }

    #[test]
    fn a_raw_snappy_block_is_read_too() {
        let raw = b"shoes shoes shoes";
        let packed = snap::raw::Encoder::new().compress_vec(raw).unwrap();
        assert_eq!(Compression::Snappy.decompress(&packed, 100).unwrap(), raw);
    }

    #[test]
    fn lz4_frames_have_the_header_that_java_writes() {
        let mut packed = Vec::new();
        Compression::Lz4.compress(b"shoes", &mut packed).unwrap();
        // Magic, then version 1 with independent blocks and nothing else, then 64 KiB (lz4_Frame_format.md).
        assert_eq!(packed[..6], [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40]);
    }

    #[test]
    fn names_and_codes_are_those_of_kafka() {
        for (code, codec) in (0..).zip(Compression::ALL) {
            assert_eq!(codec.code(), code);
            assert_eq!(Compression::from_code(code), Some(codec));
            assert_eq!(Compression::from_name(codec.name()), Some(codec));
        }
        assert_eq!(Compression::from_code(5), None);
        assert_eq!(Compression::from_name("brotli"), None);
    }
}
