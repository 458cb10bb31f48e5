//! What a server still owes a client, and when it owes too much.

use std::mem;
use std::sync::Mutex;

/// A queue this long stops us reading from its client: the high-water mark, in bytes.
///
/// A queue can pass it by the answer to one chunk, because a chunk that was received must be
/// answered. Without a mark, a client that sends and never reads decides how much memory the
/// server takes; the notes' servers gave one client 126 MB in 3 seconds.
pub const HIGH_WATER: usize = 64 * 1024;

/// A queue that drained down to this is read for again: the low-water mark, in bytes.
///
/// Two marks rather than one, so that a connection near the limit does not switch at every send.
pub const LOW_WATER: usize = 16 * 1024;

/// Large buffers that no queue needs at the moment. A large message takes one from here.
///
/// An idle client must not hold the memory of its worst moment. But a buffer that is given back to
/// the allocator at every message has to be asked for at the next: the kernel then unmaps its pages
/// and maps them anew, and every page costs a fault. So it goes to whichever queue is filled next.
static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// All spare buffers together are no larger: enough for 64 clients whose queues are full.
const SPARE_BYTES: usize = 64 * 2 * HIGH_WATER;

/// Bytes waiting to be sent, in order, with the position already sent.
///
/// A send may take only part of what it was offered (send(2)): what was not taken stays in front
/// of the queue. The notes keep one such queue for each client, `message_queues[connection]`.
#[derive(Debug, Default)]
pub struct MessageQueue {
    /// What was queued. The borders between messages are gone, as they are in TCP itself.
    bytes: Vec<u8>,
    /// How much of the front of `bytes` the kernel has taken. Moving this number is cheaper than
    /// moving the bytes after every send.
    sent: usize,
    /// Above the high-water mark and not yet down to the low one.
    full: bool,
}

impl MessageQueue {
    /// Adds `message` behind what is still waiting.
    pub fn push(&mut self, message: &[u8]) {
        self.push_with(|bytes| bytes.extend_from_slice(message));
    }

    /// Lets `write` append a message in place, for one that is made and not copied.
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        // What was sent is dropped once it is most of the buffer: each byte is moved at most once
        // on average, and a client that never quite catches up does not grow the buffer for ever.
        if self.sent > self.bytes.len() / 2 {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
        if self.bytes.capacity() == 0 {
            self.bytes = spare().unwrap_or_default();
        }
        write(&mut self.bytes);
        self.full |= self.len() >= HIGH_WATER;
    }

    /// What a send may be offered now.
    #[must_use]
    pub fn waiting(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// The kernel took `count` bytes of [`waiting`](Self::waiting).
    ///
    /// # Panics
    ///
    /// If `count` is more than was waiting: no kernel says that.
    pub fn advance(&mut self, count: usize) {
        assert!(count <= self.len(), "more was sent than was waiting");
        self.sent += count;
        if self.is_empty() {
            self.sent = 0;
            self.bytes.clear();
            // A small buffer is kept for the next message.
            if self.bytes.capacity() > LOW_WATER {
                keep_spare(mem::take(&mut self.bytes));
            }
        }
        self.full &= self.len() > LOW_WATER;
    }

    /// Forgets what is waiting: the connection broke, nobody will read it.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// How many bytes are waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Nothing is waiting: there is no reason to ask whether the socket is writable.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// The client does not read as fast as it sends: do not receive more from it for now.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.full
    }
}

/// A buffer that another queue needs no more. None while another thread looks for one: to allocate
/// is as quick as to wait. (`cold`: small messages do not come here, and should not pay for it.)
#[cold]
fn spare() -> Option<Vec<u8>> {
    SPARE.try_lock().ok()?.pop()
}

/// Keeps an empty buffer for the next queue, if there is room for it.
#[cold]
fn keep_spare(buffer: Vec<u8>) {
    let Ok(mut spare) = SPARE.try_lock() else { return };
    if spare.iter().map(Vec::capacity).sum::<usize>() + buffer.capacity() <= SPARE_BYTES {
        spare.push(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_partial_send_leaves_the_rest_in_front() {
        let mut queue = MessageQueue::default();
        queue.push(b"hello ");
        queue.advance(2);
        queue.push(b"world");
        assert_eq!(queue.waiting(), b"llo world");
        queue.advance(9);
        assert!(queue.is_empty());
    }

    #[test]
    fn reading_stops_at_the_high_mark_and_goes_on_at_the_low_one() {
        let mut queue = MessageQueue::default();
        queue.push(&[0; HIGH_WATER - 1]);
        assert!(!queue.is_full());
        queue.push(&[0]);
        assert!(queue.is_full());
        queue.advance(HIGH_WATER - LOW_WATER - 1);
        assert!(queue.is_full(), "between the marks nothing changes");
        queue.advance(1);
        assert!(!queue.is_full());
        queue.push(&[0; LOW_WATER]);
        assert!(!queue.is_full(), "between the marks nothing changes");
    }

    #[test]
    fn an_empty_queue_gives_a_large_buffer_back() {
        let mut queue = MessageQueue::default();
        queue.push(&[0; 4 * HIGH_WATER]);
        queue.advance(4 * HIGH_WATER);
        assert!(queue.bytes.capacity() <= LOW_WATER);
    }

    #[test]
    fn many_large_buffers_are_not_all_kept() {
        let mut queues: Vec<_> = (0..300).map(|_| MessageQueue::default()).collect();
        queues.iter_mut().for_each(|queue| queue.push(&[0; HIGH_WATER]));
        queues.iter_mut().for_each(|queue| queue.advance(HIGH_WATER));
        let spare = SPARE.lock().expect("no test panics here");
        assert!(spare.iter().map(Vec::capacity).sum::<usize>() <= SPARE_BYTES);
    }

    proptest! {
        /// Whatever the pieces, the bytes come out once, in order, and the buffer stays within
        /// twice what is waiting and one message.
        #[test]
        fn bytes_leave_in_the_order_they_came(
            steps in prop::collection::vec(
                (prop::collection::vec(any::<u8>(), 0..300), 0..400usize),
                0..60,
            ),
        ) {
            let (mut queue, mut given, mut taken) = (MessageQueue::default(), vec![], vec![]);
            for (message, count) in steps {
                queue.push(&message);
                given.extend_from_slice(&message);
                prop_assert!(queue.bytes.len() <= 2 * queue.len() + message.len());
                let count = count.min(queue.len());
                taken.extend_from_slice(&queue.waiting()[..count]);
                queue.advance(count);
            }
            taken.extend_from_slice(queue.waiting());
            prop_assert_eq!(given, taken);
        }
    }
}
