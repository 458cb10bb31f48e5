//! The contract that every server of the course keeps, asked of this crate's programs: each check
//! is a test of its own name. What a program cannot hold by nature is declared in
//! `lab/judge/src/check/programs.rs`: `blocking` serves one client at a time, so the checks that
//! need several are not asked of it.

judge::contract_tests!(blocking, env!("CARGO_BIN_EXE_blocking"));
judge::contract_tests!(thread_per_connection, env!("CARGO_BIN_EXE_thread_per_connection"));
judge::contract_tests!(process_per_connection, env!("CARGO_BIN_EXE_process_per_connection"));
judge::contract_tests!(thread_pool, env!("CARGO_BIN_EXE_thread_pool"));
