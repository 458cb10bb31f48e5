//! The laboratory: it shows servers at work, measures them, and teaches with what it sees.
//!
//! - [`faults`]: known mistakes, made on purpose, and which check finds them.
//! - [`exercise`]: the checks of `judge` as the judge of the course's exercises.
//! - [`tour`]: a server and its clients side by side, as it happens.
//! - [`mod@bench`], [`scaling`]: what servers cost, side by side, and beside many idle clients.
//! - [`selectors`]: what the calls of the course's library cost, beside other libraries'.
//! - [`timeline`]: when a server waits in which system call, as a picture of a run.
//! - [`drawing`]: what those pictures, and the course's figures, are drawn with.
//!
//! The judge itself is in `lab/judge`, the experiments of `lab claims` are in `lab/claims`.

#![allow(
    missing_docs,
    reason = "public for `press` alone; a field that its type's sentence explains needs none"
)]

pub mod bench;
pub mod drawing;
pub mod exercise;
pub mod faults;
pub mod scaling;
pub mod selectors;
pub mod timeline;
pub mod tour;
