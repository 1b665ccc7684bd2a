//! The admin listener: `/health`, `/metrics`, and the API under `/api/v1`.
//!
//! | file            | concept                                                                  |
//! |-----------------|--------------------------------------------------------------------------|
//! | `listen.rs`     | sockets, and what is answered at each                                    |
//! | `gate.rs`       | who may ask what: names, foreign pages, content types, the token         |
//! | `token.rs`      | the token: made, kept, compared                                          |
//! | `health.rs`     | how the agent is                                                         |
//! | `glance.rs`     | what is shown of the hub, without waiting for it                         |
//! | `exposition.rs` | the metrics as text                                                      |
//! | `state.rs`      | what the listener shows and acts on                                      |
//! | `serve.rs`      | all of it put together                                                   |
//! | `api/`          | what client commands ask and change                                      |

mod api;
pub mod exposition;
mod gate;
mod glance;
mod health;
mod listen;
mod serve;
mod state;
mod token;

pub use api::advance::{At, Sent, Steps};
pub use api::answer::BODY_MAX;
pub use api::line::{Encoding, Line, LineHeaders};
pub use glance::{Glance, Seen, SharedReads};
pub use listen::socket;
pub use serve::serve;
pub use state::State;
pub use token::Token;
