//! io_uring(7) as the two programs of this package use it. On a system that has none the same names
//! stand for a refusal in words, so that the programs build everywhere.

#[cfg(target_os = "linux")]
mod buffers;
mod refusal;

#[cfg_attr(not(target_os = "linux"), path = "once_elsewhere.rs")]
mod once;
#[cfg_attr(not(target_os = "linux"), path = "elsewhere.rs")]
mod ring;

pub use once::{Once, left_in_the_kernel};
pub use ring::{Completion, Operation, Ring};
