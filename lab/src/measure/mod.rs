//! What every measurement needs: a server built for it and started, clients that load it, clients
//! that only sit there, and figures with their spread.

pub(crate) mod cpus;
pub(crate) mod load;
pub(crate) mod series;
pub(crate) mod strace;
pub(crate) mod target;

pub(crate) use cpus::Cpus;
pub(crate) use load::{Load, crowd, exchange, load};
pub(crate) use series::Series;
pub(crate) use target::Target;
