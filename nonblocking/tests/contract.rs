//! The contract that every server of the course keeps, asked of this crate's programs: each check
//! is a test of its own name. The same checks, with their figures:
//! `cargo run -p lab -- check nonblocking`. What a program cannot hold by nature is declared in
//! `lab/judge/src/check/programs.rs`; of `nonblocking` that is whatever wants it to sleep.

judge::contract_tests!(nonblocking, env!("CARGO_BIN_EXE_nonblocking"));
judge::contract_tests!(nonblocking_accept, env!("CARGO_BIN_EXE_nonblocking_accept"));
