//! The table of what is registered.

use crate::key::SelectorKey;
use rustc_hash::FxHashMap;
use std::os::fd::RawFd;

/// The keys in the order in which they were registered, each found by its descriptor.
///
/// Select and poll report in this order, so removing a key must not reorder the others. It must not
/// move them either: when 19,000 clients leave at once, each would move thousands. So a removed key
/// leaves a gap, and when half of the list is gaps, all of them are closed in one go.
#[derive(Debug)]
pub(crate) struct Keys<F: ?Sized, D> {
    slots: Vec<Option<SelectorKey<F, D>>>,
    /// Where in `slots` a descriptor's key is. Nobody chooses descriptor numbers in order to
    /// collide, so a simple hash will do.
    places: FxHashMap<RawFd, usize>,
}

impl<F: ?Sized, D> Default for Keys<F, D> {
    fn default() -> Self {
        Self { slots: Vec::new(), places: FxHashMap::default() }
    }
}

impl<F: ?Sized, D> Keys<F, D> {
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn contains(&self, fd: RawFd) -> bool {
        self.places.contains_key(&fd)
    }

    pub(crate) fn get(&self, fd: RawFd) -> Option<&SelectorKey<F, D>> {
        self.slots[*self.places.get(&fd)?].as_ref()
    }

    pub(crate) fn get_mut(&mut self, fd: RawFd) -> Option<&mut SelectorKey<F, D>> {
        self.slots[*self.places.get(&fd)?].as_mut()
    }

    /// Adds a key at the end. There must be none with its number.
    pub(crate) fn insert(&mut self, key: SelectorKey<F, D>) {
        self.places.insert(key.fd, self.slots.len());
        self.slots.push(Some(key));
    }

    pub(crate) fn remove(&mut self, fd: RawFd) -> Option<SelectorKey<F, D>> {
        let place = self.places.remove(&fd)?;
        let key = self.slots[place].take();
        // A few gaps are not worth a pass over the list.
        const FEW: usize = 16;
        if self.slots.len() > 2 * self.len() + FEW {
            self.close_gaps();
        }
        key
    }

    fn close_gaps(&mut self) {
        self.slots.retain(Option::is_some);
        for (place, key) in self.slots.iter().flatten().enumerate() {
            self.places.insert(key.fd, place);
        }
    }

    pub(crate) fn iter(&self) -> Iter<'_, F, D> {
        Iter { slots: self.slots.iter(), left: self.len() }
    }
}

/// The keys in order. It knows how many are left, which the gaps between them would hide.
#[derive(Debug)]
pub(crate) struct Iter<'a, F: ?Sized, D> {
    slots: std::slice::Iter<'a, Option<SelectorKey<F, D>>>,
    left: usize,
}

// A derive would ask the objects and the data to be cloned, too.
impl<F: ?Sized, D> Clone for Iter<'_, F, D> {
    fn clone(&self) -> Self {
        Self { slots: self.slots.clone(), left: self.left }
    }
}

impl<'a, F: ?Sized, D> Iterator for Iter<'a, F, D> {
    type Item = &'a SelectorKey<F, D>;

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.slots.by_ref().flatten().next()?;
        self.left -= 1;
        Some(key)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<F: ?Sized, D> ExactSizeIterator for Iter<'_, F, D> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EVENT_READ;
    use std::rc::Rc;

    fn keys(count: RawFd) -> Keys<(), ()> {
        let mut keys = Keys::default();
        for fd in 0..count {
            keys.insert(SelectorKey { fileobj: Rc::new(()), fd, events: EVENT_READ, data: () });
        }
        keys
    }

    fn numbers(keys: &Keys<(), ()>) -> Vec<RawFd> {
        keys.iter().map(|key| key.fd).collect()
    }

    /// Clients that leave in the order in which they came: the first one's place is in front of
    /// everybody. Moves are counted and not timed, so that a busy machine changes nothing.
    #[test]
    fn removing_all_moves_each_key_a_few_times_at_most() {
        const COUNT: RawFd = 1000;
        let mut keys = keys(COUNT);
        let mut moves = 0;
        for fd in 0..COUNT {
            let before = keys.places.clone();
            keys.remove(fd).expect("it was inserted");
            moves += keys.places.iter().filter(|&(fd, place)| before[fd] != *place).count();
        }
        assert!(moves <= 2 * COUNT as usize, "{moves} moves for {COUNT} keys");
    }

    /// A client that stays, and others that come and go beside it.
    #[test]
    fn gaps_are_closed_again() {
        let mut keys = keys(100);
        for fd in 100..10_000 {
            keys.remove(fd - 99).expect("it was inserted");
            let fileobj = Rc::new(());
            keys.insert(SelectorKey { fileobj, fd, events: EVENT_READ, data: () });
        }
        assert_eq!((keys.len(), numbers(&keys)[0]), (100, 0));
        assert!(keys.slots.len() < 300, "{} slots for 100 keys", keys.slots.len());
    }

    #[test]
    fn the_order_is_that_of_insertion_whoever_leaves() {
        let mut keys = keys(200);
        let mut expected: Vec<_> = (0..200).collect();
        for fd in (0..200).map(|turn| turn * 77 % 200).take(150) {
            assert_eq!(keys.remove(fd).expect("it was inserted").fd, fd);
            expected.retain(|&other| other != fd);
            assert_eq!(numbers(&keys), expected);
            assert_eq!((keys.len(), keys.iter().len()), (expected.len(), expected.len()));
            assert!(keys.get(fd).is_none() && !keys.contains(fd));
            assert!(expected.iter().all(|&fd| keys.get(fd).is_some_and(|key| key.fd == fd)));
        }
    }
}
