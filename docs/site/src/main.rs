//! `cargo run --manifest-path docs/site/Cargo.toml [FOLDER]`: builds the course into a web site that
//! opens from disk, in `target/site` if no folder is named, and says which page to open.

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut arguments = env::args_os().skip(1);
    let out = arguments.next().map_or_else(|| root.join("target/site"), PathBuf::from);
    if arguments.next().is_some() || out.as_os_str().as_encoded_bytes().starts_with(b"-") {
        eprintln!("site: takes the folder to build into and nothing else (default: target/site)");
        return ExitCode::from(2);
    }
    match site::build(&root, &out) {
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
