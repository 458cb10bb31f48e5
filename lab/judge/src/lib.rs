//! The judge: it drives servers from outside, as processes, and says what it sees.
//!
//! - [`check`]: the contract that every server of the course keeps, as black-box checks of a
//!   server in any language.
//! - [`rig`]: a program set up for a test of its own.
//! - [`mod@built`], [`process`], [`dial`], [`ended`], [`progress`], [`language`], [`reading`],
//!   [`table`], [`wrap`]: what the laboratory's other rooms need as well.

pub mod built;
pub mod check;
pub mod dial;
pub mod ended;
pub mod language;
pub mod process;
pub mod progress;
pub mod reading;
pub mod rig;
pub mod table;
pub mod wrap;
