//! Nothing: the fuzzer is the test target `fuzz` (`src/main.rs`).
