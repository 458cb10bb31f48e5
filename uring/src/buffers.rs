//! A ring of buffers that the kernel picks from when something has come.
//!
//! With recv, each waiting client would need a buffer of its own, lent to the kernel for as long as
//! it has nothing to say. Here a few are lent for all clients together, and the completion says
//! which one was used. It is ours then, until we put it back into the ring.
#![allow(unsafe_code)]

use io_uring::Submitter;
use io_uring::types::BufRingEntry;
use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

/// The name of our only group of buffers.
pub const GROUP: u16 = 0;

/// How much memory for all that are ever used, and how many those may be at least and at most.
const MEMORY: usize = 8 << 20;
const COUNT: std::ops::RangeInclusive<usize> = 16..=1024;

/// How many are used at first; twice as many each time when the kernel finds none. It takes them in
/// turn, so that all of them pass through the processor's cache, and a few are enough for a few
/// clients, however much those send.
const AT_FIRST: u16 = 4;

/// Buffers that are shared with the kernel.
pub struct Buffers {
    /// What is lent: an address, a length and a number each. The kernel takes from the front, we
    /// put in at the back, so neither has to wait for the other.
    ring: *mut BufRingEntry,
    /// Where the next one goes. The kernel reads a copy of it, in the ring itself.
    tail: u16,
    /// All the buffers, one behind the other.
    memory: *mut u8,
    count: u16,
    /// So many of them are used: lent to the kernel, or ours until they are put back.
    used: u16,
    size: usize,
}

/// The kernel wants the ring to begin on a page; some systems have pages of 64 KiB.
#[repr(C, align(65536))]
struct Page([u8; 65536]);

impl Buffers {
    /// Buffers of `size` bytes, some of them lent to the kernel.
    pub fn new(submitter: &Submitter<'_>, size: usize) -> io::Result<Self> {
        let count = (MEMORY / size).clamp(*COUNT.start(), *COUNT.end());
        let count = 1_u16 << count.ilog2();
        // Never freed. Closing the ring does not wait until the kernel has finished with it, so
        // only the end of the process can say that nobody writes here any more.
        let ring: *mut BufRingEntry =
            std::ptr::from_mut(Box::leak(Box::new(Page([0; 65536])))).cast();
        let memory = vec![0; usize::from(count) * size].leak().as_mut_ptr();
        // SAFETY: the ring has room for 4096 entries of 16 bytes, begins on a page, and lives as
        // long as the process.
        unsafe { submitter.register_buf_ring_with_flags(ring as u64, count, GROUP, 0)? };
        let mut buffers = Self { ring, tail: 0, memory, count, used: AT_FIRST, size };
        (0..AT_FIRST).for_each(|number| buffers.put_back(number));
        Ok(buffers)
    }

    /// For a kernel that found none (ENOBUFS): twice as many from now on, if there are so many.
    pub fn lend_more(&mut self) {
        let before = self.used;
        self.used = self.count.min(2 * before);
        (before..self.used).for_each(|number| self.put_back(number));
    }

    /// How much one of them holds.
    pub fn size(&self) -> usize {
        self.size
    }

    /// What a completion brought: ours to read until the buffer is put back.
    pub fn get(&self, number: u16, length: usize) -> &[u8] {
        assert!(number < self.count && length <= self.size, "the kernel said so");
        // The kernel does not have this buffer until `put_back`, which wants the ring as `&mut`: no
        // slice is left by then. SAFETY: within the memory, by the assertion; the memory lives as
        // long as the process.
        unsafe {
            std::slice::from_raw_parts(self.memory.add(usize::from(number) * self.size), length)
        }
    }

    /// Lends a buffer to the kernel again.
    pub fn put_back(&mut self, number: u16) {
        assert!(number < self.count, "one of ours");
        // SAFETY: the place is within the ring (`count` is a power of two), and the kernel does not
        // read it before the tail has moved beyond it. There are never more buffers than places.
        let place = unsafe { &mut *self.ring.add(usize::from(self.tail & (self.count - 1))) };
        place.set_addr(self.memory.wrapping_add(usize::from(number) * self.size) as u64);
        place.set_len(self.size.try_into().expect("--chunk is at most a mebibyte"));
        place.set_bid(number);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the tail is two bytes of the first entry that entries do not use. The kernel only
        // reads it; and it sees what we wrote above before it sees the new tail (Release).
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.ring).cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}
