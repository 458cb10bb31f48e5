//! The two queues that a program shares with the kernel, as `uring` uses them.
//!
//! Into the submission queue go requests, each with a number that we choose; out of the completion
//! queue come results with that number. Both are memory that the two sides see: to write a request
//! is no system call. One call, io_uring_enter, says "look into the queue" and "wake me when
//! something is done", for any number of requests.
#![allow(unsafe_code)]

use crate::buffers::{Buffers, GROUP};
use crate::refusal::refused;
use io_uring::types::Fd;
use io_uring::{IoUring, cqueue, opcode, squeue};
use libc::{MSG_DONTWAIT, MSG_NOSIGNAL, MSG_WAITALL, SOCK_CLOEXEC};
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

/// What was asked of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Accept clients, one after the other.
    Accept,
    /// Receive from a client, again and again.
    Receive,
    /// Send at once what there is room for.
    Send,
    /// Send all of it, however long that takes.
    Lend,
    /// Give one of the others up.
    Cancel,
}

/// What came of it.
#[derive(Debug)]
pub struct Completion {
    /// Which request it was.
    pub operation: Operation,
    /// The client's place, as it was told when the request was made.
    pub client: usize,
    /// A number of bytes, a descriptor, or minus an errno: what the system call would have
    /// returned.
    result: i32,
    flags: u32,
}

impl Completion {
    /// As a system call's result.
    ///
    /// # Errors
    ///
    /// Those of the operation.
    pub fn result(&self) -> io::Result<usize> {
        usize::try_from(self.result).map_err(|_| io::Error::from_raw_os_error(-self.result))
    }

    /// The request goes on, and will have other completions. Otherwise this is the last one, and
    /// what was lent to the kernel for it is ours again.
    #[must_use]
    pub fn more(&self) -> bool {
        cqueue::more(self.flags)
    }

    /// The connection that accept made.
    ///
    /// # Errors
    ///
    /// As accept(2), without EAGAIN.
    ///
    /// # Panics
    ///
    /// If it is the completion of another operation.
    pub fn accepted(self) -> io::Result<OwnedFd> {
        assert_eq!(self.operation, Operation::Accept, "no other brings a descriptor");
        let fd = self.result()?;
        // SAFETY: the kernel has just opened it for us, and nobody else has its number.
        Ok(unsafe { OwnedFd::from_raw_fd(fd.try_into().expect("descriptors are small")) })
    }
}

/// The two queues, and the buffers that the kernel receives into.
pub struct Ring {
    ring: IoUring,
    buffers: Buffers,
    /// Completions that had to be taken out before the turn's enter, to make room.
    early: Vec<Completion>,
    /// The kernel can end a receive after a number of bytes (Linux 6.17). A test that wants an
    /// older kernel says that this one cannot.
    pub limited: bool,
}

/// As much as is received from one client before it is the others' turn: a chunk of 64 KiB, or
/// several small ones. Without it a client that sends all the time has the server to itself for 32
/// buffers, and again, while a small message waits for milliseconds.
const TURN: u32 = 64 * 1024;

impl Ring {
    /// Two queues, and buffers of `size` bytes to receive into.
    ///
    /// # Errors
    ///
    /// One sentence that says what to do where io_uring is missing or forbidden.
    pub fn new(size: usize) -> io::Result<Self> {
        Self::with_queues(size, 1024, 8192)
    }

    /// The same with room for so many requests and so many completions.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_queues(size: usize, requests: u32, completions: u32) -> io::Result<Self> {
        let ring = IoUring::builder()
            // One thread submits, ours, and completions are worked on when that thread enters the
            // kernel anyway. Without these flags each completion interrupts the program: with 50
            // busy clients a message then takes 1.4 times the CPU.
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_cqsize(completions)
            .build(requests)
            .map_err(|error| refused(&error))?;
        let buffers = Buffers::new(&ring.submitter(), size).map_err(|error| refused(&error))?;
        let mut ring = Self { ring, buffers, early: Vec::new(), limited: true };
        // Some systems have the queues and refuse the call that uses them. Better to know it now.
        // With the same call we ask whether the kernel knows limits: one that does complains about
        // the descriptor (EBADF), an older one about the request (EINVAL).
        ring.push(ring.receive_a_turn(Fd(-1)), Operation::Receive, 0);
        let mut answer = Vec::new();
        ring.enter(&mut answer).map_err(|error| refused(&error))?;
        ring.limited = answer.iter().all(|done| done.result != -libc::EINVAL);
        Ok(ring)
    }

    /// Multishot: one request, a completion for each client, until one says that it is the last.
    /// The connections block, as new sockets do: a non-blocking one would have the kernel say
    /// EAGAIN where it is to wait for us.
    ///
    /// Here and below: a request that is under way holds the socket itself, not its number. So to
    /// close the descriptor then would not end the connection: no FIN goes out, and the peer waits.
    /// Cancel first, and close after the last completion (io_uring_cancelation(7)).
    pub fn accept(&mut self, listener: &impl AsFd) {
        let fd = Fd(listener.as_fd().as_raw_fd());
        self.push(opcode::AcceptMulti::new(fd).flags(SOCK_CLOEXEC).build(), Operation::Accept, 0);
    }

    /// Multishot: a completion for each piece that has come, in a buffer that the kernel picks; the
    /// last one after a turn (`TURN`). Then it is to be asked again.
    pub fn receive(&mut self, client: usize, socket: &impl AsFd) {
        let entry = self.receive_a_turn(Fd(socket.as_fd().as_raw_fd()));
        self.push(entry, Operation::Receive, client);
    }

    fn receive_a_turn(&self, fd: Fd) -> squeue::Entry {
        // A kernel that knows no limit fills up to 32 buffers in a row. If that is too much, one.
        if !self.limited && 32 * self.buffers.size() > TURN as usize {
            let entry = opcode::Recv::new(fd, std::ptr::null_mut(), 0).buf_group(GROUP);
            return entry.build().flags(squeue::Flags::BUFFER_SELECT);
        }
        let mut entry = opcode::RecvMulti::new(fd, GROUP).build();
        if self.limited {
            // SAFETY: an entry is the kernel's struct io_uring_sqe. The limit, which the crate has
            // no name for, is its field `optlen`: four bytes at 44, and unused in a receive.
            unsafe { std::ptr::from_mut(&mut entry).cast::<u32>().add(44 / 4).write(TURN) };
        }
        entry
    }

    /// Sends what the socket has room for, now: it is done, one way or the other, when
    /// [`enter`](Self::enter) returns. If `silent`, then success has no completion; a part sent, or
    /// none, does.
    ///
    /// # Safety
    ///
    /// `bytes` stay where they are, unchanged, until `enter` has returned.
    pub unsafe fn send(
        &mut self,
        client: usize,
        socket: &impl AsFd,
        bytes: *const [u8],
        silent: bool,
    ) {
        let flags = MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL;
        let entry = send(socket, bytes, flags);
        let entry = if silent { entry.flags(squeue::Flags::SKIP_SUCCESS) } else { entry };
        self.push(entry, Operation::Send, client);
    }

    /// Sends all of it, whenever there is room. The kernel has the bytes until the completion.
    ///
    /// # Safety
    ///
    /// `bytes` stay where they are, unchanged, until the completion has come.
    pub unsafe fn lend(&mut self, client: usize, socket: &impl AsFd, bytes: &[u8]) {
        let entry = send(socket, bytes, MSG_NOSIGNAL | MSG_WAITALL);
        self.push(entry, Operation::Lend, client);
    }

    /// Asks for a request to be given up. It has its own last completion all the same: with
    /// ECANCELED, or with what it came to just before.
    pub fn cancel(&mut self, operation: Operation, client: usize) {
        let entry = opcode::AsyncCancel::new(number(operation, client)).build();
        self.push(entry, Operation::Cancel, client);
    }

    /// The one system call of a turn: hands over what was pushed, and sleeps until there is a
    /// completion. Completions go into `batch`.
    ///
    /// # Errors
    ///
    /// As io_uring_enter(2); a signal is none.
    pub fn enter(&mut self, batch: &mut Vec<Completion>) -> io::Result<()> {
        batch.clear();
        batch.append(&mut self.early);
        loop {
            // Not everything was taken the first time: then without sleeping.
            let wanted = usize::from(batch.is_empty());
            let result = self.ring.submit_and_wait(wanted);
            let again = match result {
                Ok(_) => false,
                Err(error) => match error.raw_os_error() {
                    // A signal came.
                    Some(libc::EINTR) => false,
                    // The completion queue is full, and is emptied below.
                    Some(libc::EBUSY | libc::EAGAIN) => true,
                    _ => return Err(error),
                },
            };
            batch.extend(self.ring.completion().map(|entry| completion(&entry)));
            // Completions that found no room are with the kernel, in a list of its own, and come
            // when there is room. A send that has failed, and whose completion is still there,
            // would pass for a success.
            let submission = self.ring.submission();
            if !again && submission.is_empty() && !submission.cq_overflow() {
                break;
            }
        }
        if batch.iter().any(|completion| completion.result == -libc::ENOBUFS) {
            self.buffers.lend_more();
        }
        Ok(())
    }

    /// What a completion of [`receive`](Self::receive) brought: nothing, or bytes in a buffer that
    /// is ours until it is put back.
    pub fn received(&self, completion: &Completion) -> &[u8] {
        match cqueue::buffer_select(completion.flags) {
            Some(buffer) => self.buffers.get(buffer, completion.result().unwrap_or(0)),
            None => &[],
        }
    }

    /// The buffer of such a completion is the kernel's again.
    #[expect(clippy::needless_pass_by_value, reason = "who has put it back cannot read it")]
    pub fn put_back(&mut self, completion: Completion) {
        if let Some(buffer) = cqueue::buffer_select(completion.flags) {
            self.buffers.put_back(buffer);
        }
    }

    fn push(&mut self, entry: squeue::Entry, operation: Operation, client: usize) {
        let entry = entry.user_data(number(operation, client));
        // SAFETY: what the entry points to lives long enough, as the methods above promise or
        // demand. Sockets are closed only when nothing is under way with them.
        while unsafe { self.ring.submission().push(&entry) }.is_err() {
            // Full: the kernel takes what is there, if it has room for what comes of it.
            let _ = self.ring.submit();
            self.early.extend(self.ring.completion().map(|entry| completion(&entry)));
        }
    }
}

fn send(socket: &impl AsFd, bytes: *const [u8], flags: i32) -> squeue::Entry {
    let length = bytes.len().try_into().expect("queues are bounded");
    let fd = Fd(socket.as_fd().as_raw_fd());
    opcode::Send::new(fd, bytes.cast(), length).flags(flags).build()
}

/// What the kernel gives back with a completion: which operation, and for whom.
fn number(operation: Operation, client: usize) -> u64 {
    ((client as u64) << 8) | operation as u64
}

fn completion(entry: &cqueue::Entry) -> Completion {
    use Operation::{Accept, Cancel, Lend, Receive, Send};
    let number = entry.user_data();
    let mut operations = [Accept, Receive, Send, Lend, Cancel].into_iter();
    let operation = operations.find(|&operation| operation as u64 == number & 0xff);
    Completion {
        operation: operation.expect("only these were pushed"),
        client: (number >> 8) as usize,
        result: entry.result(),
        flags: entry.flags(),
    }
}
