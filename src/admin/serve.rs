//! The listener, put together: what is answered at which socket.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::State as Shared;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use tracing::warn;

use super::gate::Gate;
use super::state::State;
use super::token::{self, Token};
use super::{api, exposition, health, listen};
use crate::config::AdminConfig;

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
    let api = api::answer::Api {
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
