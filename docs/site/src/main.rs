//! `cargo run --manifest-path docs/site/Cargo.toml`: builds the course into a web site that opens
//! from disk, in `target/site`, and says which page to open.

use std::env;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    if env::args_os().len() > 1 {
        eprintln!("site: takes no arguments; it builds into target/site");
        return ExitCode::from(2);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    match site::build(&root, &root.join("target/site")) {
        Ok(site) => {
            // Nobody may be reading (`| head -1`); the site is there all the same.
            let _ = writeln!(io::stdout(), "{site}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("site: {error:#}");
            ExitCode::FAILURE
        }
    }
}
