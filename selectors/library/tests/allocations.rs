//! What a select costs in memory: one allocation for its result, none when the result is reused.

use fd_selectors::{Backend, EVENT_READ, EVENT_WRITE, PollBackend, SelectBackend, Selector};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

fn allocations<B: Backend>() {
    let mut selector = Selector::<Rc<UnixStream>, u32, B>::new().expect("descriptors are free");
    let sockets: Vec<_> =
        (0..20).map(|_| UnixStream::pair().expect("descriptors are free")).collect();
    for (number, (a, b)) in (0..).zip(sockets) {
        selector.register(Rc::new(a), EVENT_READ, number).expect("a socket");
        selector.register(Rc::new(b), EVENT_WRITE, number).expect("a socket");
    }
    let at_once = Some(Duration::ZERO);
    let mut batch = selector.select(at_once).expect("open descriptors");
    assert_eq!(batch.len(), 20, "the first fills what is kept from then on");

    let one = allocation_counter::measure(|| {
        assert_eq!(selector.select(at_once).expect("open descriptors").len(), 20);
    });
    assert_eq!(one.count_total, 1, "{}: {one:?}", B::new().expect("descriptors are free").name());
    let reused = allocation_counter::measure(|| {
        for _ in 0..100 {
            selector.select_into(at_once, &mut batch).expect("open descriptors");
        }
    });
    assert_eq!(
        reused.count_total,
        0,
        "{}: {reused:?}",
        B::new().expect("descriptors are free").name()
    );
    assert_eq!(batch.len(), 20);
}

#[test]
fn select() {
    allocations::<SelectBackend>();
}

#[test]
fn poll() {
    allocations::<PollBackend>();
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn epoll() {
    allocations::<fd_selectors::EpollBackend>();
}
