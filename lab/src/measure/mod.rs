//! What every measurement needs: a server built for it and started, clients that load it, clients
//! that only sit there, and figures with their spread.

pub(crate) mod strace;
pub(crate) mod target;

pub(crate) use target::Target;
