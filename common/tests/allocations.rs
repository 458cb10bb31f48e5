//! What a stream costs in memory: nothing is allocated for a message, however large the pieces.

use common::{LOW_WATER, MessageQueue};

/// What a queue server does in a turn: it receives from all clients, a piece or several, until
/// their queues are full; and then it sends.
fn turn(queues: &mut [MessageQueue], piece: &[u8], pieces: usize) {
    for queue in &mut *queues {
        for _ in 0..pieces {
            if !queue.is_full() {
                queue.push(piece);
            }
        }
    }
    for queue in queues {
        queue.advance(queue.len());
    }
}

/// One test and not several: queues share their spare buffers, and tests run side by side.
#[test]
fn a_stream_that_is_under_way_allocates_nothing() {
    for streams in [1, 4] {
        for size in [1, 64, 1024, 10_000, LOW_WATER, LOW_WATER + 1, 64 << 10, 100_000, 1 << 20] {
            for pieces in [1, 2, 7] {
                let piece = vec![b'x'; size];
                let mut queues: Vec<_> = (0..streams).map(|_| MessageQueue::default()).collect();
                turn(&mut queues, &piece, pieces);
                let used = allocation_counter::measure(|| {
                    for _ in 0..10 {
                        turn(&mut queues, &piece, pieces);
                    }
                });
                assert_eq!(used.count_total, 0, "{streams} streams, {pieces} pieces of {size}");
            }
        }
    }
}
