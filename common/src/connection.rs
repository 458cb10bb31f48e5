//! One client's connection.

use crate::{MessageQueue, Reply, interrupted, preview, reason, would_block};
use log::info;
use socket2::SockRef;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// A connected socket with what must be remembered about it between two events.
///
/// It owns its descriptor: dropping the connection closes it, once, and nothing else does. Only
/// where a program keeps a share of the socket ([`share`](Self::share)) does the last share close
/// it.
#[derive(Debug)]
pub struct Connection {
    /// Non-blocking or not, as the program set it: the I/O model decides.
    socket: Arc<TcpStream>,
    /// Kept from accept. A socket that was reset no longer knows its peer (getpeername: ENOTCONN),
    /// and the notes' servers die of asking it in a log line.
    peer: SocketAddr,
    /// Answers that the socket has not taken yet.
    queue: MessageQueue,
    /// `recv` returned 0: the client sends no more. It may well still read (a half-close), so what
    /// is queued goes out first.
    input_ended: bool,
    /// The connection is of no further use: it was reset, or the program gave it up.
    broken: bool,
}

impl Connection {
    /// Wraps what accept or connect returned, and sets two options.
    ///
    /// `TCP_NODELAY` (tcp(7)) turns Nagle's algorithm off, so that an answer leaves at once. With
    /// it a second small send waits for the acknowledgement of the first, for 40 to 200 ms on
    /// Linux.
    ///
    /// `SO_KEEPALIVE` (socket(7)) has the kernel ask an idle peer now and then whether it is still
    /// there. Otherwise a peer that has vanished without a FIN or a reset (a power cut, a network
    /// that forgot the connection) would hold its descriptor without end. It takes long: two hours
    /// until the first question by default.
    ///
    /// # Errors
    ///
    /// As setsockopt(2): on some systems EINVAL when the client has already reset the connection.
    pub fn new(socket: TcpStream, peer: SocketAddr) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        SockRef::from(&socket).set_keepalive(true)?;
        let (socket, queue) = (Arc::new(socket), MessageQueue::default());
        Ok(Self { socket, peer, queue, input_ended: false, broken: false })
    }

    /// Whether recv and send return at once (`WouldBlock`) where they would have to wait.
    ///
    /// On Linux an accepted socket always starts out blocking, whatever the listener is
    /// (accept(2)); on the BSDs and macOS it inherits. So it is always said.
    ///
    /// # Errors
    ///
    /// As ioctl(2) with FIONBIO; none is expected of an open socket.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.socket.set_nonblocking(nonblocking)
    }

    /// The client's address.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The socket itself, for what only one program needs of it.
    #[must_use]
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// A share of the socket, for a program in which something else holds it too: a selector keeps
    /// what is registered with it.
    #[must_use]
    pub fn share(&self) -> Arc<TcpStream> {
        Arc::clone(&self.socket)
    }

    /// What is waiting to be sent.
    #[must_use]
    pub fn queue(&self) -> &MessageQueue {
        &self.queue
    }

    /// What is waiting to be sent, to add to it.
    pub fn queue_mut(&mut self) -> &mut MessageQueue {
        &mut self.queue
    }

    /// One recv(2) into `buffer`. `Ok(0)` is the end of the client's input, and is remembered.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing is there; anything else (ECONNRESET, ETIMEDOUT …) ends this
    /// connection, and this one only. A signal (EINTR) is not an error: the call is made again.
    #[inline]
    pub fn recv(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = retry(|| (&*self.socket).read(buffer))?;
        self.input_ended = count == 0;
        Ok(count)
    }

    /// One send(2) of what is queued: the number of bytes that the socket took, from the front.
    /// The others stay, to be offered again when the socket is writable.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when there is no room; anything else (EPIPE, ECONNRESET …) ends this
    /// connection. EPIPE comes as an error because Rust's standard library asks for no SIGPIPE.
    #[inline]
    pub fn send(&mut self) -> io::Result<usize> {
        let count = retry(|| (&*self.socket).write(self.queue.waiting()))?;
        self.queue.advance(count);
        Ok(count)
    }

    /// One recv(2), and the answer to what it brought, queued: the step that every readiness server
    /// takes when a connection is readable. How many bytes came, or `None` if none could be had.
    pub fn receive(&mut self, buffer: &mut [u8], reply: Reply) -> Option<usize> {
        let data = self.received(buffer)?;
        reply.answer(data, &mut self.queue);
        Some(data.len())
    }

    /// One recv(2), and one send(2) of the answer at once, for a server that does not first ask
    /// whether there is room. An echo is sent from `buffer`: only what the kernel does not take is
    /// copied into the queue.
    pub fn receive_and_send(&mut self, buffer: &mut [u8], reply: Reply) -> Option<usize> {
        let data = self.received(buffer)?;
        // What is queued already goes first, when there is room for it.
        let at_once = !self.wants_write();
        if at_once && reply == Reply::Echo {
            info!("sending {} to {}", preview(data), self.peer);
            let sent = retry(|| (&*self.socket).write(data));
            let count = *sent.as_ref().unwrap_or(&0);
            if count < data.len() {
                self.queue.push(&data[count..]);
            }
            self.sent(sent);
            return Some(data.len());
        }
        reply.answer(data, &mut self.queue);
        if at_once {
            self.send_queued();
        }
        Some(data.len())
    }

    /// What one recv(2) brought. There are four outcomes: data; 0, the end of the client's input,
    /// after which what is queued is still sent; `WouldBlock`, because readiness is only a hint
    /// (select(2), BUGS); and an error, which ends this connection and no other.
    fn received<'b>(&mut self, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        let peer = self.peer;
        match self.recv(buffer) {
            Ok(0) => info!("no more data from {peer}"),
            Ok(count) => {
                info!("received {} from {peer}", preview(&buffer[..count]));
                return Some(&buffer[..count]);
            }
            Err(error) if would_block(&error) => {}
            Err(error) => self.lose(&error),
        }
        None
    }

    /// One send(2) of what is queued, if anything is: the step for a writable connection. What the
    /// kernel does not take stays queued, and the connection goes on asking for writability.
    pub fn send_queued(&mut self) {
        if self.wants_write() {
            info!("sending {} to {}", preview(self.queue.waiting()), self.peer);
            let sent = self.send();
            self.sent(sent);
        }
    }

    /// What one send(2) came to.
    fn sent(&mut self, result: io::Result<usize>) {
        let peer = self.peer;
        match result {
            Ok(_) if self.queue.is_empty() => info!("output queue for {peer} is empty"),
            Ok(_) => info!("{} bytes left for {peer}", self.queue.len()),
            Err(error) if would_block(&error) => {}
            Err(error) => self.lose(&error),
        }
    }

    /// Gives the connection up because of an error, and says so. The peer's address was kept from
    /// accept: a socket that was reset no longer knows it.
    pub fn lose(&mut self, error: &io::Error) {
        info!("lost {}: {}", self.peer, reason(error));
        self.abandon();
    }

    /// Ends our direction: the peer reads what was sent and then the end of input (shutdown(2)).
    ///
    /// # Errors
    ///
    /// ENOTCONN when the connection is gone already.
    pub fn shut_down_sending(&self) -> io::Result<()> {
        self.socket.shutdown(Shutdown::Write)
    }

    /// Notes the end of the client's input, for a program that learns of it without
    /// [`recv`](Self::recv): the kernel has received for it.
    pub fn end_input(&mut self) {
        self.input_ended = true;
    }

    /// Gives the connection up: nothing more is received or sent. It is closed when it is dropped.
    pub fn abandon(&mut self) {
        self.broken = true;
        self.queue.clear();
    }

    /// Whether to ask for readability: not after the end of input (a level-triggered call would
    /// report it for ever), and not while the client leaves too many answers unread.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        !self.input_ended && !self.broken && !self.queue.is_full()
    }

    /// Whether to ask for writability: only while something is queued. A socket is nearly always
    /// writable, so a loop that always asks never sleeps.
    #[must_use]
    pub fn wants_write(&self) -> bool {
        !self.queue.is_empty()
    }

    /// The client sends no more. What is queued is still sent.
    #[must_use]
    pub fn input_ended(&self) -> bool {
        self.input_ended
    }

    /// It was lost, or the program gave it up.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Whether to keep the connection. When it is time to close it, this says so: for `retain`, at
    /// the end of a turn.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let finished = self.is_finished();
        if finished {
            info!("closing {}", self.peer);
        }
        !finished
    }

    /// Time to close: nothing will come any more, and nothing is left to send.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.broken || self.input_ended && self.queue.is_empty()
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Calls again as long as a signal got in the way.
fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if interrupted(&error) => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HIGH_WATER, would_block};
    use std::net::TcpListener;
    use std::time::Duration;

    /// A connection as a server has it, and the client's end of it.
    fn pair() -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("loopback");
        let (socket, peer) = listener.accept().expect("somebody connected");
        let connection = Connection::new(socket, peer).expect("the client is there");
        connection.set_nonblocking(true).expect("an open socket");
        (connection, client)
    }

    /// Asks again until the other side's bytes are here; loopback takes microseconds, not seconds.
    fn recv_soon(connection: &mut Connection, buffer: &mut [u8]) -> io::Result<usize> {
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        loop {
            match connection.recv(buffer) {
                Err(error) if would_block(&error) && std::time::Instant::now() < deadline => {
                    std::thread::yield_now();
                }
                result => return result,
            }
        }
    }

    #[test]
    fn end_of_input_is_not_the_end_while_something_is_queued() {
        let (mut connection, client) = pair();
        client.shutdown(Shutdown::Write).expect("connected");
        connection.queue_mut().push(b"last words");
        assert_eq!(recv_soon(&mut connection, &mut [0; 16]).expect("end of input"), 0);
        assert!(!connection.wants_read(), "the end is reported once");
        assert!(connection.wants_write() && !connection.is_finished());
        assert_eq!(connection.send().expect("the client reads"), 10);
        assert!(connection.is_finished());
    }

    #[test]
    fn a_client_that_does_not_read_is_not_read_from() {
        let (mut connection, _client) = pair();
        connection.queue_mut().push(&vec![0; 64 * HIGH_WATER]);
        assert!(!connection.wants_read());
        // The kernel takes what fits its buffers and no more: a partial send, then EAGAIN.
        let mut sent = 0;
        let error = loop {
            match connection.send() {
                Ok(count) => sent += count,
                Err(error) => break error,
            }
        };
        assert!(would_block(&error), "{error}");
        assert!(sent > 0 && connection.queue().len() == 64 * HIGH_WATER - sent);
    }

    #[test]
    fn an_answer_sent_at_once_keeps_its_order_when_the_client_reads_late() {
        let (mut connection, mut client) = pair();
        let bytes: Vec<u8> = (0..4_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let given = bytes.clone();
        client.set_read_timeout(Some(Duration::from_secs(10))).expect("not zero");
        let mut other_half = client.try_clone().expect("an open socket");
        let sender = std::thread::spawn(move || other_half.write_all(&given));
        let mut buffer = vec![0; 1 << 16];
        // The client reads nothing until something is queued for it.
        let mut received = 0;
        while !connection.wants_write() && received < bytes.len() {
            received += connection.receive_and_send(&mut buffer, Reply::Echo).unwrap_or(0);
        }
        let reader = std::thread::spawn(move || {
            let mut taken = vec![0; bytes.len()];
            client.read_exact(&mut taken).map(|()| taken == bytes)
        });
        while !reader.is_finished() && !connection.is_finished() {
            connection.receive_and_send(&mut buffer, Reply::Echo);
            connection.send_queued();
        }
        sender.join().expect("no panic").expect("the server reads");
        assert!(reader.join().expect("no panic").expect("the server sends"), "in another order");
    }

    #[test]
    fn answers_leave_at_once_and_the_kernel_looks_after_idle_peers() {
        let (connection, _client) = pair();
        let socket = SockRef::from(connection.socket());
        assert!(socket.tcp_nodelay().expect("an open socket"));
        assert!(socket.keepalive().expect("an open socket"));
    }

    #[test]
    fn an_abandoned_connection_wants_nothing_and_is_finished() {
        let (mut connection, _client) = pair();
        connection.queue_mut().push(b"never read");
        connection.abandon();
        assert!(connection.is_finished() && !connection.wants_read() && !connection.wants_write());
    }

    #[test]
    fn the_peers_address_outlives_the_connection() {
        let (mut connection, client) = pair();
        let address = client.local_addr().expect("connected");
        // Closing with unread input makes the kernel send RST instead of FIN.
        connection.queue_mut().push(b"unread");
        connection.send().expect("the client is there");
        client.peek(&mut [0; 1]).expect("it has come");
        drop(client);
        let error = recv_soon(&mut connection, &mut [0; 16]).expect_err("a reset");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(connection.peer(), address);
    }
}
