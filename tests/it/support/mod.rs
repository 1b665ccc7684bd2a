//! What the integration tests share: the agent as a process, real programs and servers, and waiting.
//!
//! Everything here is synchronous and may also be called from an async test: HTTP requests and the
//! receiver run on threads of their own, so a test that blocks does not block the far side.
//!
//! Files of a test belong into a `tempfile::TempDir` that it makes first and so drops last.

mod agent;
pub(crate) mod asking;
mod broker;
mod daemons;
mod environment;
mod gate;
mod http;
mod lines;
mod metrics;
mod program;
mod proxy;
mod receiver;
mod search;
mod waiting;

pub(crate) use agent::Agent;
pub(crate) use broker::Broker;
pub(crate) use daemons::{Nginx, Rsyslogd, kcat, logger, logrotate};
pub(crate) use environment::{free_port, server, wait_listening};
pub(crate) use gate::{GATE_USER, Gate, Rules};
pub(crate) use http::{get, post, post_as, put};
pub(crate) use lines::{
    append_lines, assert_each_once, assert_each_once_in_order, file_line_count, file_lines, lines,
    messages, numbers,
};
pub(crate) use proxy::Proxy;
pub(crate) use receiver::Receiver;
pub(crate) use search::{search_count, search_hits, search_ids};
pub(crate) use waiting::{SOON, holds_within, wait_until};
