//! The contract that every server of the course keeps, asked of this crate's programs: each check
//! is a test of its own name. What they ask: `lab/judge/src/check/suite/`.

judge::contract_tests!(uring, env!("CARGO_BIN_EXE_uring"));
judge::contract_tests!(uring_once, env!("CARGO_BIN_EXE_uring_once"));
