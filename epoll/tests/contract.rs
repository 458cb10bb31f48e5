//! The contract that every server of the course keeps, asked of this crate's programs: each check
//! is a test of its own name. What they ask: `lab/judge/src/check/suite/`.

judge::contract_tests!(epoll, env!("CARGO_BIN_EXE_epoll"));
judge::contract_tests!(epoll_edge, env!("CARGO_BIN_EXE_epoll_edge"));
judge::contract_tests!(epoll_direct, env!("CARGO_BIN_EXE_epoll_direct"));
judge::contract_tests!(loops_handed, env!("CARGO_BIN_EXE_loops"));
judge::contract_tests!(loops_shared, env!("CARGO_BIN_EXE_loops"));
judge::contract_tests!(loops_exclusive, env!("CARGO_BIN_EXE_loops"));
judge::contract_tests!(loops_own, env!("CARGO_BIN_EXE_loops"));
judge::contract_tests!(loops_oneshot, env!("CARGO_BIN_EXE_loops"));
