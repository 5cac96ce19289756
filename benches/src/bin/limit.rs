//! What this machine can do with the program's design and no Kafka: the hot path alone, from a shoe's number to a socket.
//!
//! One thread invents shoes and encodes each where it lies in the record batch, which a producer that learns of partitions
//! and leaders elsewhere cannot do; batches cross a bounded channel, empty buffers come back; another thread stamps each
//! batch (CRC-32C) and writes it. The other end is a process of its own, `limit --sink`, which reads into one buffer and
//! looks at nothing but the batches' headers. There are no keys to spread over partitions, no
//! requests, no answers but one count at the end, no statistics: whatever a Kafka producer costs beyond this shows as the
//! distance between the two.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use continuous_producer::kafka::wire::codec::{Room, Varint};
use continuous_producer::kafka::wire::record_batch::{
    BATCH_HEADER_BYTES, encoded_record_bytes_max, stamp,
};
use continuous_producer::registry::frame;
use continuous_producer::shoe::{ID_BYTES, MESSAGE_INDEXES, ROOM_BYTES, ShoeGenerator};
use continuous_producer_benches::{Countdown, Done, Failure, Job, contend};
use crossbeam_channel::{Receiver, Sender, bounded};

/// As the program's default `KAFKA_BATCH_SIZE`.
const BATCH_BYTES: usize = 1_000_000;
/// Enough that neither thread waits for the other's hiccups.
const BUFFERS: usize = 8;
const SEED: u64 = 42;
const SCHEMA_ID: u32 = 1;
/// Where a batch's header says how many bytes follow (counted from behind it), and how many records there are.
const LENGTH_AT: usize = 8;
const UNCOUNTED_BYTES: usize = 12;
const RECORD_COUNT_AT: usize = 57;
/// What a record may write over, itself included.
const RECORD_ROOM_BYTES: usize =
    encoded_record_bytes_max(ID_BYTES, 8 + ROOM_BYTES) + Room::SLACK_BYTES;
/// Varints of 64 to 8,191 have two bytes: the lengths of records and of their values.
const LENGTH_BYTES: usize = 2;

/// A batch ready to be stamped, and how many records are in it.
struct Filled {
    buffer: Vec<u8>,
    bytes: usize,
    records: u32,
}

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--sink") {
        return match sink() {
            Ok(taken) => {
                eprintln!("sink: took {taken} records");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("sink: {error}");
                ExitCode::FAILURE
            }
        };
    }
    contend(send)
}

fn send(job: &Job) -> Result<Done, Failure> {
    let mut socket = TcpStream::connect(&job.bootstrap)?;
    socket.set_nodelay(true)?;
    let (full_in, full_out) = bounded(BUFFERS);
    let (empty_in, empty_out) = bounded(BUFFERS);
    for _ in 0..BUFFERS {
        empty_in.send(vec![0; BATCH_BYTES])?;
    }
    let begun = Instant::now();
    let countdown = Countdown::new(job.duration);
    let generator = thread::spawn(move || generate(countdown, &full_in, &empty_out));
    let sent = write(&mut socket, &full_out, &empty_in);
    // The generator ends once nobody takes its batches.
    drop(full_out);
    generator.join().map_err(|_| "the generator panicked")??;
    let acknowledged = finish(&mut socket)?;
    let elapsed = begun.elapsed();
    if acknowledged != sent? {
        return Err(format!("the sink took {acknowledged} records and not all").into());
    }
    Ok(Done {
        acknowledged,
        elapsed,
    })
}

fn generate(
    mut countdown: Countdown,
    full: &Sender<Filled>,
    empty: &Receiver<Vec<u8>>,
) -> Result<(), Failure> {
    let records = RecordWriter {
        shoes: ShoeGenerator::new(SEED, 0),
        prefix: frame::prefix(SCHEMA_ID, MESSAGE_INDEXES),
    };
    let mut n = 0;
    while !countdown.is_over() {
        let Ok(mut buffer) = empty.recv() else { break };
        let (mut bytes, mut count) = (BATCH_HEADER_BYTES, 0);
        while bytes + RECORD_ROOM_BYTES <= buffer.len() && !countdown.is_over() {
            bytes = records.write(n, count, &mut buffer, bytes)?;
            count += 1;
            n += 1;
        }
        if count == 0 {
            break;
        }
        let records = count.cast_unsigned();
        let length = u32::try_from(bytes - UNCOUNTED_BYTES)?;
        for (at, number) in [(LENGTH_AT, length), (RECORD_COUNT_AT, records)] {
            let field = buffer.get_mut(at..at + 4).ok_or("no header")?;
            field.copy_from_slice(&number.to_be_bytes());
        }
        let filled = Filled {
            buffer,
            bytes,
            records,
        };
        if full.send(filled).is_err() {
            break;
        }
    }
    Ok(())
}

/// Writes records where they lie in their batch.
struct RecordWriter {
    shoes: ShoeGenerator,
    prefix: Vec<u8>,
}

impl RecordWriter {
    /// The record of shoe `n`, the `offset`-th of its batch, at `at`; where it ends. What lies behind its length is written
    /// first, and the numbers before it over what they store too much.
    #[inline]
    fn write(&self, n: u64, offset: i32, out: &mut [u8], at: usize) -> Result<usize, &'static str> {
        let shoe = self.shoes.shoe(n);
        let (zero, offset) = (Varint::new(0), Varint::new(offset));
        let key_len = Varint::new(36);
        let head = LENGTH_BYTES + 2 * zero.len() + offset.len() + key_len.len();
        let shoe_at = at + head + ID_BYTES + LENGTH_BYTES + self.prefix.len();
        let room = out.get_mut(shoe_at..).and_then(<[u8]>::first_chunk_mut);
        let shoe_len = shoe
            .write_protobuf(room.ok_or("no room for a shoe")?)
            .map_err(|_| "a shoe too long")?;
        let value_len = self.prefix.len() + shoe_len;
        let record_len = head + ID_BYTES + value_len + zero.len();
        let [record_len, value_len] = [record_len, value_len].map(small);
        if record_len.len() != LENGTH_BYTES || value_len.len() != LENGTH_BYTES {
            return Err("a record of another size than shoes have");
        }
        let mut room = Room::new(out, at);
        room.varints([record_len, zero, zero, offset, key_len]);
        room.raw(&shoe.id_bytes());
        room.varints([value_len]);
        room.raw(&self.prefix);
        let mut room = Room::new(out, shoe_at + shoe_len);
        room.varints([zero]);
        Ok(room.position())
    }
}

/// The length of what is far shorter than 2 GiB.
fn small(length: usize) -> Varint {
    Varint::new(i32::try_from(length).unwrap_or(i32::MAX))
}

/// Returns how many records were written, when the last batch was.
fn write(
    socket: &mut TcpStream,
    full: &Receiver<Filled>,
    empty: &Sender<Vec<u8>>,
) -> io::Result<u64> {
    let mut sent = 0;
    for mut filled in full {
        let batch = filled.buffer.get_mut(..filled.bytes).unwrap_or_default();
        stamp(batch, None);
        socket.write_all(batch)?;
        sent += u64::from(filled.records);
        // The generator may have ended.
        let _ = empty.send(filled.buffer);
    }
    Ok(sent)
}

/// What the sink says that it took in all.
fn finish(socket: &mut TcpStream) -> io::Result<u64> {
    socket.shutdown(std::net::Shutdown::Write)?;
    let mut count = [0; 8];
    socket.read_exact(&mut count)?;
    Ok(u64::from_be_bytes(count))
}

/// Serves one connection, to its end, and returns how many records came.
fn sink() -> Result<u64, Failure> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    eprintln!("sink: on {}", listener.local_addr()?);
    let (mut socket, _) = listener.accept()?;
    let mut buffer = vec![0; BATCH_BYTES];
    let mut taken = 0;
    while let Some((rest, records)) = read_header(&mut socket, &mut buffer)? {
        taken += records;
        let rest = buffer
            .get_mut(..rest)
            .ok_or("a batch larger than batches are")?;
        socket.read_exact(rest)?;
    }
    socket.write_all(&taken.to_be_bytes())?;
    Ok(taken)
}

/// How many bytes of the batch are still to come, and how many records it has; nothing at the end.
fn read_header(socket: &mut TcpStream, buffer: &mut [u8]) -> Result<Option<(usize, u64)>, Failure> {
    let header = buffer.get_mut(..BATCH_HEADER_BYTES).ok_or("no room")?;
    let have = socket.read(header)?;
    if have == 0 {
        return Ok(None);
    }
    socket.read_exact(header.get_mut(have..).unwrap_or_default())?;
    let number = |at: usize| -> Result<u32, Failure> {
        let bytes = header.get(at..at + 4).ok_or("no header")?;
        Ok(u32::from_be_bytes(bytes.try_into()?))
    };
    let whole = UNCOUNTED_BYTES + number(LENGTH_AT)? as usize;
    let rest = whole
        .checked_sub(BATCH_HEADER_BYTES)
        .ok_or("a batch smaller than its header")?;
    Ok(Some((rest, u64::from(number(RECORD_COUNT_AT)?))))
}
