//! What every measurement needs: a server built for it and started, clients that load it, clients
//! that only sit there, and figures with their spread.

pub mod cpus;
pub mod load;
pub mod series;
pub mod strace;
pub mod target;
pub mod tcp_table;

pub use cpus::Cpus;
pub use load::{Load, crowd, exchange, load};
pub use series::Series;
pub use target::Target;
