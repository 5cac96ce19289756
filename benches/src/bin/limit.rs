//! What this machine can do with the program's design and no Kafka: the hot path alone, from a shoe's number to a socket.
//!
//! One thread invents shoes and encodes each into a record batch; batches cross a bounded channel, empty buffers come back;
//! another thread stamps each batch (CRC-32C) and writes it. The other end is a process of its own, `limit --sink`, which
//! reads into one buffer and looks at nothing but the batches' headers. There are no keys to spread over partitions, no
//! requests, no answers but one count at the end, no statistics: whatever a Kafka producer costs beyond this shows as the
//! distance between the two.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use continuous_producer::kafka::wire::compression::Compression;
use continuous_producer::kafka::wire::record_batch::{BATCH_HEADER_BYTES, BatchBuilder, stamp};
use continuous_producer::registry::frame;
use continuous_producer::shoe::{MESSAGE_INDEXES, ShoeGenerator};
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
const RECORD_COUNT_AT: usize = 57;

/// A batch ready to be stamped, and how many records are in it.
type Filled = (Vec<u8>, u64);

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
        empty_in.send(Vec::with_capacity(BATCH_BYTES))?;
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
    let shoes = ShoeGenerator::new(SEED, 0);
    let prefix = frame::prefix(SCHEMA_ID, MESSAGE_INDEXES);
    let mut value = Vec::with_capacity(256);
    let mut n = 0;
    while !countdown.is_over() {
        let Ok(buffer) = empty.recv() else { break };
        let mut batch = BatchBuilder::new(buffer, BATCH_BYTES);
        let now_ms = now_ms();
        loop {
            let shoe = shoes.shoe(n);
            value.clear();
            value.extend_from_slice(&prefix);
            shoe.write_protobuf(&mut value);
            if batch
                .try_push(now_ms, Some(shoe.id().as_bytes()), &value)
                .is_err()
            {
                break;
            }
            n += 1;
            if countdown.is_over() {
                break;
            }
        }
        let records = batch.record_count() as u64;
        if records == 0 {
            break;
        }
        let sealed = batch.seal(Compression::None)?;
        if full.send((sealed.into_vec(), records)).is_err() {
            break;
        }
    }
    Ok(())
}

/// Returns how many records were written, when the last batch was.
fn write(
    socket: &mut TcpStream,
    full: &Receiver<Filled>,
    empty: &Sender<Vec<u8>>,
) -> io::Result<u64> {
    let mut sent = 0;
    for (mut batch, records) in full {
        stamp(&mut batch, None);
        socket.write_all(&batch)?;
        sent += records;
        // The generator may have ended.
        let _ = empty.send(batch);
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
    let mut have = socket.read(header)?;
    if have == 0 {
        return Ok(None);
    }
    socket.read_exact(header.get_mut(have..).unwrap_or_default())?;
    have = LENGTH_AT + 4;
    let number = |at: usize| -> Result<u32, Failure> {
        let bytes = header.get(at..at + 4).ok_or("no header")?;
        Ok(u32::from_be_bytes(bytes.try_into()?))
    };
    let whole = have + number(LENGTH_AT)? as usize;
    let rest = whole
        .checked_sub(BATCH_HEADER_BYTES)
        .ok_or("a batch smaller than its header")?;
    Ok(Some((rest, u64::from(number(RECORD_COUNT_AT)?))))
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or_default()
    })
}
