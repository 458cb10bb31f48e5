//! A client of one byte: it asks, and sees when it is answered.

use common::{interrupted, reason};
use judge::dial::{connect, reset_on_close};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long an answer that must come may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How long one that should not come is waited for.
pub(super) const A_WHILE: Duration = Duration::from_millis(300);

pub(super) struct Visitor(TcpStream);

impl Visitor {
    pub(super) fn connect(addr: SocketAddr) -> io::Result<Self> {
        let socket = connect(addr)?;
        reset_on_close(&socket)?;
        Ok(Self(socket))
    }

    pub(super) fn ask(&mut self) -> io::Result<()> {
        self.0.write_all(b"?")
    }

    /// Whether an answer came in time.
    pub(super) fn answered(&mut self, patience: Duration) -> Result<bool, String> {
        match self.read(patience).map_err(|error| reason(&error))? {
            Some(0) => Err("closed without an answer".to_owned()),
            count => Ok(count.is_some()),
        }
    }

    /// How long the answer took.
    pub(super) fn exchange(&mut self) -> Result<Duration, String> {
        let began = Instant::now();
        self.ask().map_err(|error| reason(&error))?;
        if !self.answered(PATIENCE)? {
            return Err(format!("no answer for {} s", PATIENCE.as_secs()));
        }
        Ok(began.elapsed())
    }

    /// Waits until the server closes.
    pub(super) fn closed(&mut self) -> Result<(), String> {
        match self.read(PATIENCE).map_err(|error| reason(&error))? {
            Some(0) => Ok(()),
            Some(_) => Err("answered, not closed".to_owned()),
            None => Err(format!("not closed for {} s", PATIENCE.as_secs())),
        }
    }

    /// How many bytes came, `None` in vain.
    fn read(&mut self, patience: Duration) -> io::Result<Option<usize>> {
        self.0.set_read_timeout(Some(patience))?;
        loop {
            match self.0.read(&mut [0; 16]) {
                Ok(count) => return Ok(Some(count)),
                Err(error) if interrupted(&error) => {}
                // Which of the two is the system's choice.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) =>
                {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// A time in milliseconds, as people read it.
pub(super) fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    if millis < 10.0 { format!("{millis:.1} ms") } else { format!("{millis:.0} ms") }
}

/// The same in seconds.
pub(super) fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
