//! The contract that every server of the course keeps, asked of this crate's programs: each check
//! is a test of its own name, so `cargo test -p select` tells what broke. The same checks, with
//! their figures: `cargo run -p lab -- check select`. What they ask: `lab/judge/src/check/suite/`;
//! what a program cannot hold by nature is declared in `lab/judge/src/check/programs.rs`.

judge::contract_tests!(select, env!("CARGO_BIN_EXE_select"));
judge::contract_tests!(select_readable, env!("CARGO_BIN_EXE_select_readable"));
judge::contract_tests!(select_level, env!("CARGO_BIN_EXE_select_level"));
judge::contract_tests!(chat_room, env!("CARGO_BIN_EXE_chat_room"));
judge::contract_tests!(slow_reply_sleep, env!("CARGO_BIN_EXE_slow_reply"));
judge::contract_tests!(slow_reply_timer, env!("CARGO_BIN_EXE_slow_reply"));
judge::contract_tests!(slow_reply_worker, env!("CARGO_BIN_EXE_slow_reply"));
judge::contract_tests!(services, env!("CARGO_BIN_EXE_services"));
