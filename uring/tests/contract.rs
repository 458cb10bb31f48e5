//! The contract that every server of the course keeps, asked of this crate's programs: each check
//! is a test of its own name. What they ask: `lab/src/check/suite/`.

lab::contract_tests!(uring, env!("CARGO_BIN_EXE_uring"));
lab::contract_tests!(uring_once, env!("CARGO_BIN_EXE_uring_once"));
