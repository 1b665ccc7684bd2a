//! What a connector is: the contract between the ends and the middle of the program.
//!
//! | file          | concept                                                                  |
//! |---------------|--------------------------------------------------------------------------|
//! | `source.rs`   | what a source is                                                         |
//! | `emitter.rs`  | how it hands on batches                                                  |
//! | `receipt.rs`  | how it learns what became of them                                        |
//! | `counters.rs` | what is counted of it                                                    |
//! | `sink.rs`     | what a sink is, and what it answers                                      |
//! | `build.rs`    | what both are built with                                                 |
//! | `settings.rs` | what is asked of their blocks before anything runs                         |
//! | `memory/`     | the one budget of bytes, of which all take their part                    |
//! | `clock.rs`    | the wall clock                                                           |
//! | `units.rs`, `secret.rs` | values of settings                                             |

pub mod build;
pub mod clock;
pub mod counters;
pub mod emitter;
pub mod memory;
pub mod receipt;
pub mod secret;
pub mod settings;
pub mod sink;
pub mod source;
pub mod units;
