//! The laboratory: it drives servers from outside, as processes, and judges what it sees.
//!
//! - [`check`]: the contract that every server of the course keeps, as black-box checks of a
//!   server in any language.
//! - [`faults`]: known mistakes, made on purpose, and which check finds them.
//! - [`exercise`]: the same checks as the judge of the course's exercises.
//! - [`rig`]: a program set up for a test of its own.
//! - [`tour`]: a server and its clients side by side, as it happens.
//! - [`claims`]: what the notes say, and what is measured here.
//! - [`mod@bench`], [`scaling`]: what servers cost, side by side, and beside many silent clients.
//! - [`timeline`]: when a server waits in which system call, as a picture of a run.
//! - [`docs`]: the tests that hold the two languages of the course together, and both to the code;
//!   and its figures.

pub mod bench;
mod built;
pub mod check;
pub mod claims;
pub mod docs;
pub mod exercise;
pub mod faults;
pub mod language;
mod measure;
mod process;
pub mod rig;
pub mod scaling;
mod table;
pub mod timeline;
pub mod tour;
mod wrap;

pub use built::{built, built_example};
