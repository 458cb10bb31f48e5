//! The table of what is registered.

use crate::key::SelectorKey;
use std::os::fd::RawFd;

/// The keys in the order in which they were registered, each found by its descriptor.
///
/// Select and poll report in this order, so removing a key must not reorder the others. It must not
/// move them either: when 19,000 clients leave at once, each would move thousands. So a removed key
/// leaves a gap, and when half of the list is gaps, all of them are closed in one go.
#[derive(Debug)]
pub(crate) struct Keys<F, D> {
    slots: Vec<Option<Slot<F, D>>>,
    /// Where in `slots` a descriptor's key is, by its number: [`NOWHERE`] if there is none. The
    /// system gives out the lowest number that is free, so the list is as long as the most
    /// descriptors that were open at a time.
    places: Vec<u32>,
    count: usize,
    /// How many were ever registered.
    serial: u64,
}

#[derive(Debug)]
struct Slot<F, D> {
    key: SelectorKey<F, D>,
    serial: u64,
}

const NOWHERE: u32 = u32::MAX;

impl<F, D> Default for Keys<F, D> {
    fn default() -> Self {
        Self { slots: Vec::new(), places: Vec::new(), count: 0, serial: 0 }
    }
}

impl<F, D> Keys<F, D> {
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Where a descriptor's key is: the later it was registered, the higher.
    pub(crate) fn place(&self, fd: RawFd) -> Option<usize> {
        let place = *self.places.get(usize::try_from(fd).ok()?)?;
        (place != NOWHERE).then_some(place as usize)
    }

    fn slot(&self, fd: RawFd) -> Option<&Slot<F, D>> {
        self.slots[self.place(fd)?].as_ref()
    }

    pub(crate) fn contains(&self, fd: RawFd) -> bool {
        self.place(fd).is_some()
    }

    pub(crate) fn get(&self, fd: RawFd) -> Option<&SelectorKey<F, D>> {
        Some(&self.slot(fd)?.key)
    }

    pub(crate) fn get_mut(&mut self, fd: RawFd) -> Option<&mut SelectorKey<F, D>> {
        let place = self.place(fd)?;
        Some(&mut self.slots[place].as_mut()?.key)
    }

    /// Which registration this is, counted from the first of all.
    pub(crate) fn serial(&self, fd: RawFd) -> Option<u64> {
        Some(self.slot(fd)?.serial)
    }

    /// Adds a key at the end. There must be none with its number, which is an open descriptor's.
    pub(crate) fn insert(&mut self, key: SelectorKey<F, D>) -> &SelectorKey<F, D> {
        let number = usize::try_from(key.fd).expect("an open descriptor is not negative");
        if self.places.len() <= number {
            self.places.resize(number + 1, NOWHERE);
        }
        self.places[number] = place_number(self.slots.len());
        self.count += 1;
        self.serial += 1;
        self.slots.push(None);
        let last = self.slots.last_mut().expect("it was pushed");
        &last.insert(Slot { key, serial: self.serial }).key
    }

    pub(crate) fn remove(&mut self, fd: RawFd) -> Option<SelectorKey<F, D>> {
        let place = self.place(fd)?;
        self.places[usize::try_from(fd).ok()?] = NOWHERE;
        self.count -= 1;
        let slot = self.slots[place].take();
        // A few gaps are not worth a pass over the list.
        const FEW: usize = 16;
        if self.slots.len() > 2 * self.len() + FEW {
            self.close_gaps();
        }
        Some(slot?.key)
    }

    fn close_gaps(&mut self) {
        self.slots.retain(Option::is_some);
        for (place, Slot { key, .. }) in self.slots.iter().flatten().enumerate() {
            self.places[usize::try_from(key.fd).expect("it was inserted")] = place_number(place);
        }
    }

    pub(crate) fn iter(&self) -> Iter<'_, F, D> {
        Iter { slots: self.slots.iter(), left: self.len() }
    }
}

/// There is a gap for each key at most, and no system has two thousand million descriptors.
fn place_number(place: usize) -> u32 {
    u32::try_from(place).expect("descriptor numbers end before")
}

/// The keys in order. It knows how many are left, which the gaps between them would hide.
#[derive(Debug)]
pub struct Iter<'a, F, D> {
    slots: std::slice::Iter<'a, Option<Slot<F, D>>>,
    left: usize,
}

impl<'a, F, D> Iterator for Iter<'a, F, D> {
    type Item = &'a SelectorKey<F, D>;

    fn next(&mut self) -> Option<Self::Item> {
        let slot = self.slots.by_ref().flatten().next()?;
        self.left -= 1;
        Some(&slot.key)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<F, D> ExactSizeIterator for Iter<'_, F, D> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EVENT_READ;

    fn keys(count: RawFd) -> Keys<(), ()> {
        let mut keys = Keys::default();
        for fd in 0..count {
            keys.insert(SelectorKey { fileobj: (), fd, events: EVENT_READ, data: () });
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
            let moved = |&(now, then): &(&u32, &u32)| *now != NOWHERE && now != then;
            moves += keys.places.iter().zip(&before).filter(moved).count();
        }
        assert!(moves <= 2 * COUNT as usize, "{moves} moves for {COUNT} keys");
    }

    /// A client that stays, and others that come and go beside it.
    #[test]
    fn gaps_are_closed_again() {
        let mut keys = keys(100);
        for fd in 100..10_000 {
            keys.remove(fd - 99).expect("it was inserted");
            keys.insert(SelectorKey { fileobj: (), fd, events: EVENT_READ, data: () });
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
