//! The contract that every server of the course keeps, asked of this crate's programs: each check
//! is a test of its own name, so `cargo test -p poll` tells what broke. The same checks, with
//! their figures: `cargo run -p lab -- check poll`. What they ask: `lab/judge/src/check/suite/`.

judge::contract_tests!(poll, env!("CARGO_BIN_EXE_poll"));
judge::contract_tests!(signals, env!("CARGO_BIN_EXE_signals"));
judge::contract_tests!(frames_length, env!("CARGO_BIN_EXE_frames"));
judge::contract_tests!(frames_lines, env!("CARGO_BIN_EXE_frames"));
judge::contract_tests!(deadlines, env!("CARGO_BIN_EXE_deadlines"));
judge::contract_tests!(proxy, env!("CARGO_BIN_EXE_proxy"));
