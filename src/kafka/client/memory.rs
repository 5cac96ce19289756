//! The memory that records may take on their way, and what goes round in it.
//!
//! Invariant: what is charged is within `buffer.memory`, and no buffer is laid by that would not be within it too; the next
//! batches take those first. Buffers and lists of finished batches are used again: in steady state a batch takes neither from
//! the allocator. Otherwise musl's would ask the system for each, and each would cost as many page faults as it has pages.
//! Knows nothing of records.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::accumulator::DueTimes;

/// How many buffers, or lists, are kept for the next batches.
const POOLED_MAX: usize = 64;
/// So many finished batches' buffers are remembered while a writer holds them.
const LENT_MAX: usize = 8;
/// After so long, what no batch has needed meanwhile is freed: a burst's memory is not kept for ever.
const REVIEW_EVERY: Duration = Duration::from_secs(10);
/// A new batch's first buffer: enough for a few records, so that a slow producer with many partitions stays small.
const FIRST_BUFFER_BYTES: usize = 4 * 1024;
/// A list that has room for more runs is not kept.
const POOLED_RUNS_MAX: usize = 1024;

/// The `buffer.memory` bound, and the buffers that go round within it.
#[derive(Debug)]
pub(super) struct Memory {
    limit: usize,
    used: usize,
    buffers: Pool<Vec<u8>>,
    /// Buffers of finished batches that a writer had not let go of: it had written them, and the answer was quicker than it.
    lent: Vec<Arc<Vec<u8>>>,
    /// Bytes of those buffers, whoever holds them.
    laid_by: usize,
    due_times: Pool<DueTimes>,
    reviewed: Option<Instant>,
}

impl Memory {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            used: 0,
            buffers: Pool::new(),
            lent: Vec::new(),
            laid_by: 0,
            due_times: Pool::new(),
            reviewed: None,
        }
    }

    /// Whether `bytes` more fit. An empty client takes a record of any size: waiting would not help it.
    pub(super) fn fits(&self, bytes: usize) -> bool {
        self.used == 0 || self.used.saturating_add(bytes) <= self.limit
    }

    pub(super) fn used(&self) -> usize {
        self.used
    }

    pub(super) fn charge(&mut self, bytes: usize) {
        self.used += bytes;
    }

    pub(super) fn release(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.used, "released {bytes} of {}", self.used);
        self.used = self.used.saturating_sub(bytes);
    }

    /// A buffer for a batch that is to be filled.
    pub(super) fn take_buffer(&mut self, now: Instant) -> Vec<u8> {
        self.collect();
        let buffer = match self.buffers.take() {
            Some(buffer) => {
                self.laid_by -= buffer.capacity();
                buffer
            }
            None => Vec::with_capacity(FIRST_BUFFER_BYTES),
        };
        let reviewed = *self.reviewed.get_or_insert(now);
        if now.saturating_duration_since(reviewed) >= REVIEW_EVERY {
            self.reviewed = Some(now);
            self.review();
        }
        buffer
    }

    /// Buffers that the writers have let go of by now.
    fn collect(&mut self) {
        let is_free = |bytes: &Arc<Vec<u8>>| Arc::strong_count(bytes) == 1;
        while let Some(at) = self.lent.iter().position(is_free) {
            let bytes = self.lent.swap_remove(at);
            self.laid_by -= bytes.capacity();
            self.recycle(bytes);
        }
    }

    fn review(&mut self) {
        let freed: usize = self
            .buffers
            .unneeded()
            .map(|buffer| buffer.capacity())
            .sum();
        self.laid_by -= freed;
        drop(self.due_times.unneeded());
    }

    /// An empty list for a batch that is to be filled.
    pub(super) fn take_due_times(&mut self) -> DueTimes {
        self.due_times.take().unwrap_or_default()
    }

    /// Takes a list back that nobody reads any more.
    pub(super) fn give_due_times(&mut self, mut due: DueTimes) {
        if due.capacity() <= POOLED_RUNS_MAX {
            due.clear();
            self.due_times.give(due);
        }
    }

    /// Takes a finished batch's buffer back, now or once the writer has let go of it. One of exactly its size is too small for
    /// the next batch, which would have to move again and again as it grows.
    pub(super) fn recycle(&mut self, bytes: Arc<Vec<u8>>) {
        if bytes.len() == bytes.capacity() {
            return;
        }
        match Arc::try_unwrap(bytes) {
            Ok(buffer) => self.give_buffer(buffer),
            Err(bytes) => self.remember(bytes),
        }
    }

    fn remember(&mut self, bytes: Arc<Vec<u8>>) {
        if self.lent.len() < LENT_MAX && self.has_room_for(bytes.capacity()) {
            self.laid_by += bytes.capacity();
            self.lent.push(bytes);
        }
    }

    /// A batch that compression or a short linger left small may wait as long as brokers are away, and only its bytes are
    /// charged: it moves out of a buffer that is far too large, and the next batch gets that. To shrink the buffer where it is
    /// would leave holes in the heap, each as large as a full batch, and an allocator that cannot return them.
    pub(super) fn trimmed(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        if bytes.len() >= bytes.capacity() / 2 {
            return bytes;
        }
        let exact = bytes.as_slice().to_vec();
        self.give_buffer(bytes);
        exact
    }

    /// Keeps it for another batch, if there is room within the limit.
    fn give_buffer(&mut self, buffer: Vec<u8>) {
        let bytes = buffer.capacity();
        if self.has_room_for(bytes) && self.buffers.give(buffer) {
            self.laid_by += bytes;
        }
    }

    fn has_room_for(&self, bytes: usize) -> bool {
        self.used + self.laid_by + bytes <= self.limit
    }
}

/// Things to be used again.
#[derive(Debug)]
struct Pool<T> {
    /// Used from its end, so that what is not needed lies at its beginning.
    things: Vec<T>,
    /// How few lay in it since the last review.
    fewest: usize,
}

impl<T> Pool<T> {
    fn new() -> Self {
        Self {
            things: Vec::new(),
            fewest: 0,
        }
    }

    fn take(&mut self) -> Option<T> {
        let thing = self.things.pop();
        self.fewest = self.fewest.min(self.things.len());
        thing
    }

    /// Whether there was room for it.
    fn give(&mut self, thing: T) -> bool {
        let has_room = self.things.len() < POOLED_MAX;
        if has_room {
            self.things.push(thing);
        }
        has_room
    }

    /// What nobody has needed since this was asked last, to be freed.
    fn unneeded(&mut self) -> impl Iterator<Item = T> {
        let unneeded = self.fewest;
        self.fewest = self.things.len() - unneeded;
        self.things.drain(..unneeded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1 << 20;
    const LARGE: usize = LIMIT / 20;

    fn large() -> Arc<Vec<u8>> {
        let mut buffer = Vec::with_capacity(LARGE);
        buffer.push(7);
        Arc::new(buffer)
    }

    /// How many buffers are free, after a look at the books.
    fn pooled(memory: &Memory) -> usize {
        let free: usize = memory.buffers.things.iter().map(Vec::capacity).sum();
        let lent: usize = memory.lent.iter().map(|bytes| bytes.capacity()).sum();
        assert_eq!(memory.laid_by, free + lent);
        memory.buffers.things.len()
    }

    #[test]
    fn a_full_memory_takes_nothing_but_an_empty_one_takes_any_record() {
        let mut memory = Memory::new(100);
        assert!(memory.fits(1000));
        memory.charge(60);
        assert!(memory.fits(40));
        assert!(!memory.fits(41));
    }

    #[test]
    fn a_finished_batchs_buffer_is_used_again_once_the_writer_has_let_go_of_it() {
        let (mut memory, now) = (Memory::new(LIMIT), Instant::now());
        let bytes = large();
        let (address, held) = (bytes.as_ptr(), Arc::clone(&bytes));
        memory.recycle(bytes);
        let another = memory.take_buffer(now);
        assert_ne!(another.as_ptr(), address);
        drop(held);
        let again = memory.take_buffer(now);
        assert_eq!(again.as_ptr(), address);
    }

    #[test]
    fn of_buffers_that_writers_hold_only_some_are_remembered() {
        let (mut memory, now) = (Memory::new(LIMIT), Instant::now());
        let held: Vec<Arc<Vec<u8>>> = (0..LENT_MAX + 5).map(|_| large()).collect();
        for bytes in &held {
            memory.recycle(Arc::new(vec![7; 10]));
            memory.recycle(Arc::clone(bytes));
        }
        assert_eq!(pooled(&memory), 0);
        drop(held);
        memory.take_buffer(now);
        assert_eq!(pooled(&memory), LENT_MAX - 1);
    }

    #[test]
    fn a_small_batch_moves_out_of_a_large_buffer_and_the_next_batch_uses_that() {
        let (mut memory, now) = (Memory::new(LIMIT), Instant::now());
        memory.recycle(large());
        let mut buffer = memory.take_buffer(now);
        let address = buffer.as_ptr();
        buffer.resize(LARGE / 2 - 1, 7);
        let trimmed = memory.trimmed(buffer);
        assert_eq!(trimmed.capacity(), trimmed.len());
        let mut buffer = memory.take_buffer(now);
        assert_eq!(buffer.as_ptr(), address);
        buffer.resize(LARGE / 2, 7);
        let kept = memory.trimmed(buffer);
        assert_eq!(kept.as_ptr(), address);
    }

    #[test]
    fn what_lies_unused_is_within_the_limit_with_what_is_used() {
        let mut memory = Memory::new(LIMIT);
        memory.charge(LIMIT - 3 * LARGE);
        let held = large();
        memory.recycle(Arc::clone(&held));
        for _ in 0..10 {
            memory.recycle(large());
        }
        assert_eq!(pooled(&memory), 2);
        let held_beyond = large();
        memory.recycle(Arc::clone(&held_beyond));
        assert_eq!(memory.lent.len(), 1);
    }

    #[test]
    fn what_a_burst_needed_is_freed_once_nobody_needs_it_and_the_rest_stays() {
        let mut memory = Memory::new(10 * LIMIT);
        let mut now = Instant::now();
        let mut at_once = |memory: &mut Memory, batches: usize| {
            now += REVIEW_EVERY / 2;
            let taken: Vec<_> = (0..batches)
                .map(|_| (memory.take_buffer(now), memory.take_due_times()))
                .collect();
            for (mut buffer, mut due) in taken {
                buffer.reserve(LARGE);
                memory.recycle(Arc::new(buffer));
                due.push((now, 1));
                memory.give_due_times(due);
            }
        };
        at_once(&mut memory, 40);
        assert_eq!((pooled(&memory), memory.due_times.things.len()), (40, 40));
        for _ in 0..5 {
            at_once(&mut memory, 3);
        }
        assert_eq!((pooled(&memory), memory.due_times.things.len()), (3, 3));
    }

    #[test]
    fn a_list_comes_back_empty_and_one_that_has_become_large_not_at_all() {
        let (mut memory, now) = (Memory::new(LIMIT), Instant::now());
        memory.give_due_times(vec![(now, 1); POOLED_RUNS_MAX]);
        let list = memory.take_due_times();
        assert!(list.is_empty() && list.capacity() == POOLED_RUNS_MAX);
        memory.give_due_times(vec![(now, 1); POOLED_RUNS_MAX + 1]);
        assert_eq!(memory.take_due_times().capacity(), 0);
    }
}
