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
//! | `api/`          | what client commands ask and change                                      |

mod api;
pub mod exposition;
mod gate;
mod glance;
mod health;
mod listen;
mod token;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::State as Shared;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use tracing::warn;

use crate::agent::Control;
use crate::broker::{Addresses, Broker};
use crate::config::AdminConfig;
use crate::hub::Hub;
use crate::metrics::Metrics;
use crate::producer::Producer;
use gate::Gate;

pub use api::advance::{At, Sent, Steps};
pub use api::line::{Encoding, Line, LineHeaders};
pub use api::routes::BODY_MAX;
pub use glance::{Glance, Seen, SharedReads};
pub use listen::socket;
pub use token::Token;

/// What the listener shows and acts on.
#[derive(Clone)]
pub struct State {
    /// The hub.
    pub hub: Arc<dyn Hub>,
    /// Knows what access control allows; where the hub is Kafka, its brokers know.
    pub broker: Option<Arc<Broker>>,
    /// Looks at it.
    pub glance: Arc<Glance>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// For the bytes that are under way.
    pub producer: Producer,
    /// Pauses sinks, and moves their groups.
    pub control: Control,
    /// The agent's data folder.
    pub data_dir: PathBuf,
    /// Where clients of Kafka's protocol reach the hub, each such as `SASL_SSL://10.0.0.7:9093`.
    pub listening: Addresses,
}

impl std::fmt::Debug for State {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("State").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

/// Opens the sockets; the future that it gives answers there.
///
/// # Errors
/// Which setting names an address that cannot be used, and why.
pub async fn serve(
    config: &AdminConfig,
    state: State,
) -> Result<impl Future<Output = ()> + Send + use<>, String> {
    let faces = listen::open(config, &state.data_dir).await?;
    let gate = gate(config, &state)?;
    let metrics = Arc::clone(&state.metrics);
    let api = api::routes::Api {
        hub: Arc::clone(&state.hub),
        broker: state.broker.clone(),
        principal: config.principal.clone(),
        metrics: Arc::clone(&state.metrics),
        control: state.control.clone(),
        reads: state.glance.reads(),
        data_dir: state.data_dir.clone(),
        listening: Arc::clone(&state.listening),
    };
    let watching =
        Router::new().route("/health", get(health::show)).route("/metrics", get(show_metrics));
    let routes = listen::Routes {
        watching: watching.with_state(state),
        api: api::routes::router(api.clone())
            .merge(api::advance::router(api.clone()))
            .merge(api::ledger::router(api.clone()))
            .merge(api::sinks::router(api)),
    };
    Ok(listen::serve(faces, routes, gate, metrics))
}

/// A token that cannot be kept is known to nobody: then only the socket in the data folder is left to change something.
fn gate(config: &AdminConfig, state: &State) -> Result<Gate, String> {
    let kept = token::path(&state.data_dir);
    let (token, token_place) = match &config.token {
        Some(token) => (Token::given(token.clone()), "admin.token".to_owned()),
        None => {
            let token = Token::of(&state.data_dir).or_else(|error| {
                warn!(path = %kept.display(), %error, "the token for changes cannot be kept, so nobody has it");
                Token::random().map_err(|error| error.to_string())
            });
            (token?, kept.display().to_string())
        }
    };
    let allowed_hosts = config.allowed_hosts.iter().map(|name| name.to_ascii_lowercase()).collect();
    Ok(Gate { token, token_place, allowed_hosts })
}

async fn show_metrics(Shared(state): Shared<State>) -> impl IntoResponse {
    let seen = state.glance.look().await;
    let text = exposition::render(&state.metrics, &seen, state.producer.buffered());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}
