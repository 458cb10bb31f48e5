//! The contract that every server of the course keeps, asked of this crate's programs, with each
//! backend that every system has, and with the best of this one. What the checks ask:
//! `lab/judge/src/check/suite/`.

judge::contract_tests!(selectors, env!("CARGO_BIN_EXE_selectors"));
judge::contract_tests!(selectors_poll, env!("CARGO_BIN_EXE_selectors"));
judge::contract_tests!(selectors_select, env!("CARGO_BIN_EXE_selectors"));
judge::contract_tests!(selectors_queue, env!("CARGO_BIN_EXE_selectors_queue"));
judge::contract_tests!(selectors_queue_poll, env!("CARGO_BIN_EXE_selectors_queue"));
judge::contract_tests!(selectors_queue_select, env!("CARGO_BIN_EXE_selectors_queue"));
judge::contract_tests!(coroutines, env!("CARGO_BIN_EXE_coroutines"));
