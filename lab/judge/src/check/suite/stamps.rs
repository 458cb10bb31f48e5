//! When an answer arrived, by the kernel's own clock: five answers that come within microseconds
//! cannot be told apart by who happens to look, but each packet can carry its time of arrival
//! (SO_TIMESTAMPNS, socket(7)). Linux keeps it for TCP too; elsewhere nothing is seen.

use crate::check::client::Client;
use crate::check::subject::Fault;
use std::time::Duration;

/// Asks for time stamps on every client, and waits until they come: the kernel begins to stamp
/// packets a moment after somebody has asked. Whether they do come.
pub(super) fn switch_on(clients: &mut [Client]) -> Result<bool, Fault> {
    if !clients.iter().all(linux::ask) {
        return Ok(false);
    }
    for _ in 0..500 {
        clients[0].push(1)?;
        let stamped = arrival(&clients[0]).is_some();
        clients[0].exchange(0)?;
        if stamped {
            return Ok(true);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(false)
}

/// When the next unread answer arrived, since 1970; it stays unread. Waits for it to come.
pub(super) fn arrival(client: &Client) -> Option<Duration> {
    linux::arrival(client)
}

#[cfg(target_os = "linux")]
mod linux {
    use crate::check::client::{Client, PATIENCE};
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
    use std::io::IoSliceMut;
    use std::os::fd::{AsFd, AsRawFd};
    use std::time::Duration;

    pub(super) fn ask(client: &Client) -> bool {
        setsockopt(client.socket(), sockopt::ReceiveTimestampns, &true).is_ok()
    }

    pub(super) fn arrival(client: &Client) -> Option<Duration> {
        let timeout = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::MAX);
        let mut ready = [PollFd::new(client.socket().as_fd(), PollFlags::POLLIN)];
        poll(&mut ready, timeout).ok()?;
        let mut byte = [0];
        let mut parts = [IoSliceMut::new(&mut byte)];
        let mut space = nix::cmsg_space!(nix::sys::time::TimeSpec);
        let fd = client.socket().as_raw_fd();
        let message = recvmsg::<()>(fd, &mut parts, Some(&mut space), MsgFlags::MSG_PEEK).ok()?;
        message.cmsgs().ok()?.find_map(|control| match control {
            ControlMessageOwned::ScmTimestampns(time) => Some(Duration::from(time)),
            _ => None,
        })
    }
}

#[cfg(not(target_os = "linux"))]
mod linux {
    use super::{Client, Duration};

    pub(super) fn ask(_client: &Client) -> bool {
        false
    }

    pub(super) fn arrival(_client: &Client) -> Option<Duration> {
        None
    }
}
