//! Every backend against a model: a plain map of what is registered, and one poll(2) for each
//! descriptor. The same random steps are done to both, and after each the answers are compared.

use fd_selectors::{Backend, EVENT_READ, EVENT_WRITE, EventMask, Selector};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

const SOCKETS: usize = 5;

#[derive(Clone, Debug)]
enum Step {
    Register(usize, EventMask, u32),
    Unregister(usize),
    Modify(usize, EventMask, u32),
    /// The other end sends a byte; takes what there is; fills the way back; leaves.
    PeerWrites(usize),
    Read(usize),
    Fill(usize),
    PeerReads(usize),
    PeerLeaves(usize),
}

fn mask() -> impl Strategy<Value = EventMask> {
    prop_oneof![Just(EVENT_READ), Just(EVENT_WRITE), Just(EVENT_READ | EVENT_WRITE)]
}

fn step() -> impl Strategy<Value = Step> {
    let socket = 0..SOCKETS;
    prop_oneof![
        4 => (socket.clone(), mask(), any::<u32>()).prop_map(|(n, m, d)| Step::Register(n, m, d)),
        2 => socket.clone().prop_map(Step::Unregister),
        4 => (socket.clone(), mask(), any::<u32>()).prop_map(|(n, m, d)| Step::Modify(n, m, d)),
        4 => socket.clone().prop_map(Step::PeerWrites),
        3 => socket.clone().prop_map(Step::Read),
        2 => socket.clone().prop_map(Step::Fill),
        2 => socket.clone().prop_map(Step::PeerReads),
        1 => socket.prop_map(Step::PeerLeaves),
    ]
}

struct World<B> {
    selector: Selector<Rc<UnixStream>, u32, B>,
    sockets: Vec<(Rc<UnixStream>, Option<UnixStream>)>,
    /// What is registered, by the place in `sockets`.
    model: BTreeMap<usize, (EventMask, u32)>,
}

impl<B: Backend> World<B> {
    fn new() -> Self {
        let pairs = (0..SOCKETS).map(|_| {
            let (ours, peers) = UnixStream::pair().expect("descriptors are free");
            for socket in [&ours, &peers] {
                socket.set_nonblocking(true).expect("an open socket");
            }
            (Rc::new(ours), Some(peers))
        });
        let sockets = pairs.collect();
        let selector = Selector::new().expect("descriptors are free");
        Self { selector, sockets, model: BTreeMap::new() }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Register(n, events, data) => {
                let result = self.selector.register(Rc::clone(&self.sockets[n].0), events, data);
                match self.model.entry(n) {
                    Entry::Occupied(_) => {
                        assert_eq!(result.expect_err("twice").kind(), ErrorKind::AlreadyExists);
                    }
                    Entry::Vacant(place) => {
                        assert_eq!(result.expect("a socket").data, data);
                        place.insert((events, data));
                    }
                }
            }
            Step::Unregister(n) => {
                let result = self.selector.unregister(&self.sockets[n].0);
                match self.model.remove(&n) {
                    Some((events, data)) => {
                        let key = result.expect("it is registered");
                        assert_eq!((key.events, key.data), (events, data));
                    }
                    None => {
                        assert_eq!(result.expect_err("unknown").kind(), ErrorKind::NotFound);
                    }
                }
            }
            Step::Modify(n, events, data) => {
                let result = self.selector.modify(&self.sockets[n].0, events, data);
                match self.model.get_mut(&n) {
                    Some(known) => {
                        *known = (events, data);
                        let key = result.expect("it is registered");
                        assert_eq!((key.events, key.data), (events, data));
                    }
                    None => {
                        assert_eq!(result.expect_err("unknown").kind(), ErrorKind::NotFound);
                    }
                }
            }
            // Whatever these say (no room, nothing there, nobody there): only readiness is judged.
            Step::PeerWrites(n) => {
                let _ = self.sockets[n].1.as_mut().map(|peer| peer.write(b"x"));
            }
            Step::Read(n) => while matches!((&*self.sockets[n].0).read(&mut [0; 64]), Ok(1..)) {},
            Step::Fill(n) => while matches!((&*self.sockets[n].0).write(&[0; 4096]), Ok(1..)) {},
            Step::PeerReads(n) => {
                if let Some(peer) = &mut self.sockets[n].1 {
                    while matches!(peer.read(&mut [0; 65536]), Ok(1..)) {}
                }
            }
            Step::PeerLeaves(n) => self.sockets[n].1 = None,
        }
    }

    /// What the model expects to be ready.
    fn expected(&self) -> BTreeMap<(usize, u32), EventMask> {
        let ready = self.model.iter().filter_map(|(&n, &(events, data))| {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::POLLIN, events.contains(EVENT_READ));
            flags.set(PollFlags::POLLOUT, events.contains(EVENT_WRITE));
            let mut entry = [PollFd::new(self.sockets[n].0.as_fd(), flags)];
            poll(&mut entry, PollTimeout::ZERO).expect("an open descriptor");
            let came = entry[0].revents().expect("known flags");
            let mut expected = EventMask::empty();
            expected.set(EVENT_READ, came.intersects(PollFlags::all() - PollFlags::POLLOUT));
            expected.set(EVENT_WRITE, came.intersects(PollFlags::all() - PollFlags::POLLIN));
            expected &= events;
            (!expected.is_empty()).then_some(((n, data), expected))
        });
        ready.collect()
    }

    fn reported(&mut self) -> BTreeMap<(usize, u32), EventMask> {
        let batch = self.selector.select(Some(Duration::ZERO)).expect("open descriptors");
        let count = batch.len();
        let place = |fd| self.sockets.iter().position(|(ours, _)| ours.as_raw_fd() == fd);
        let reported: BTreeMap<_, _> = batch
            .into_iter()
            .map(|(key, events)| ((place(key.fd).expect("one of ours"), key.data), events))
            .collect();
        assert_eq!(reported.len(), count, "each once");
        reported
    }
}

for_each_backend! {
    agrees_with_the_model
}

fn agrees_with_the_model<B: Backend>() {
    proptest!(|(steps in prop::collection::vec(step(), 1..60))| {
        let mut world = World::<B>::new();
        for step in &steps {
            world.take(step);
            assert_eq!(world.reported(), world.expected(), "after {step:?}");
            assert_eq!(world.selector.get_map().len(), world.model.len());
        }
    });
}
