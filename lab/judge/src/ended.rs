//! How a command of the laboratory ends.

use crate::check::report::{complain, unread};
use std::io;
use std::process::ExitCode;

/// Why a command did not do all that it was asked.
#[derive(Debug)]
pub enum Ended {
    /// The command line asks for what there is not: exit status 2.
    Usage(String),
    /// Something does not build, start or answer.
    Failed(String),
    /// Standard output is closed.
    Unread(io::Error),
}

impl From<String> for Ended {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

/// Only what is printed: other errors get words where they happen.
impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::Unread(error)
    }
}

/// The exit status of a command that found so many shortfalls; what stopped it is told.
#[must_use]
pub fn exit(found: Result<usize, Ended>) -> ExitCode {
    match found {
        Ok(0) => return ExitCode::SUCCESS,
        Ok(_) => {}
        Err(Ended::Usage(why)) => {
            complain(&why);
            return ExitCode::from(2);
        }
        Err(Ended::Failed(why)) => complain(&why),
        Err(Ended::Unread(error)) => unread(&error),
    }
    ExitCode::FAILURE
}
