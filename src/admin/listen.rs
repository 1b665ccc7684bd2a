//! The sockets of the admin listener, and what is answered at each.
//!
//! | socket                  | `/health`, `/metrics` | the API                                          |
//! |-------------------------|-----------------------|--------------------------------------------------|
//! | `admin.listen`          | yes                   | on loopback and unix sockets, or where `api` says |
//! | `admin.api`             | no, unless the same   | yes                                              |
//! | `admin.sock`, data folder | yes                 | yes                                              |
//!
//! `admin.tls`, `admin.allow` and `admin.proxy_protocol` are for the first two where they are of TCP; for a unix socket the
//! rights of its file say who may connect.
//!
//! Limits: a few connections for each, which are beyond those that the process may have for its other listeners, so
//! that health is told while these are crowded; the head of a request comes within 10 s.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anabranch_connectors::contract::build::BuildError;
use anabranch_connectors::shared::stream::{
    Arrived, Door, Listener, Peer, Place, Places, Stream, Terms, http, inet, local,
};
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse;
use axum::{Json, Router};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use socket2::Type;
use tokio::net::UnixListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::gate::{Gate, Refusal, Way};
use crate::config::{AdminConfig, ApiListen};
use crate::metrics::Metrics;

/// Connections of each listener.
const CONNECTIONS: usize = 16;
/// How long the head of a request may take, and how long a connection is kept for the next.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// The socket in the data folder.
const SOCKET: &str = "admin.sock";
/// Who may connect to a unix socket.
const SOCKET_MODE: u32 = 0o600;
/// What browsers are told about every answer.
const BROWSERS: [(HeaderName, &str); 3] = [
    (CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("x-content-type-options"), "nosniff"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The socket in a data folder, by which the folder's owner asks the agent.
#[must_use]
pub fn socket(data_dir: &Path) -> PathBuf {
    data_dir.join(SOCKET)
}

/// A socket that is bound, and what is answered there.
#[derive(Debug)]
pub(super) struct Face {
    listener: Listener,
    terms: Arc<Terms>,
    way: Way,
    watching: bool,
    api: bool,
    /// Removed at the end.
    file: Option<File>,
}

/// The file of a unix socket: nobody would answer there any more.
#[derive(Debug)]
struct File(PathBuf);

impl Drop for File {
    fn drop(&mut self) {
        // Whoever removed it before had the rights to.
        std::fs::remove_file(&self.0).ok();
    }
}

/// Binds everything that is answered at.
///
/// # Errors
/// The setting, which address cannot be used, and why.
pub(super) async fn open(config: &AdminConfig, data_dir: &Path) -> Result<Vec<Face>, String> {
    let mut faces = Vec::new();
    let terms = Terms::kept(config.tls.as_ref(), "admin");
    let terms = terms.map_err(|BuildError { setting, problem, hint }| {
        format!("admin.{setting}: {problem}; {hint}")
    })?;
    let terms = Arc::new(terms.of_proxies(config.proxy_protocol).only(&config.allow));
    let bind = |address| bind(address, Arc::clone(&terms), config.proxy_protocol);
    if let Some(address) = &config.listen {
        let mut face = bind(address).await.map_err(|why| format!("admin.listen: {why}"))?;
        face.watching = true;
        face.api = match &config.api {
            ApiListen::Auto => face.way != Way::Network,
            ApiListen::None => false,
            ApiListen::At(api) => api == address,
        };
        faces.push(face);
    }
    if let ApiListen::At(address) = &config.api
        && config.listen.as_ref() != Some(address)
    {
        let mut face = bind(address).await.map_err(|why| format!("admin.api: {why}"))?;
        face.api = true;
        faces.push(face);
    }
    match local_face(&socket(data_dir)) {
        Ok(face) => faces.push(Face { watching: true, api: true, ..face }),
        Err(error) => {
            let path = socket(data_dir).display().to_string();
            warn!(path, %error, "no socket for commands in the data folder; they ask by the address of the API");
        }
    }
    Ok(faces)
}

/// What `terms` ask is asked of those who come by TCP. Whoever is behind a proxy comes from the network.
async fn bind(address: &str, terms: Arc<Terms>, is_behind_proxy: bool) -> Result<Face, String> {
    let failed = |error: std::io::Error| {
        format!("cannot listen on {address}: {error}; is another agent running?")
    };
    if let Some(path) = address.strip_prefix("unix:") {
        return local_face(Path::new(path)).map_err(failed);
    }
    let listener = inet::bind(address).await.map_err(failed)?;
    let is_loopback = listener.local_addr().map_err(failed)?.ip().to_canonical().is_loopback();
    let way = if is_loopback && !is_behind_proxy { Way::Loopback } else { Way::Network };
    let listener = Listener::Tcp(listener);
    Ok(Face { listener, terms, way, watching: false, api: false, file: None })
}

fn local_face(path: &Path) -> std::io::Result<Face> {
    let socket = local::bind(path, Type::STREAM, SOCKET_MODE)?;
    let listener = Listener::Unix(UnixListener::from_std(socket.into())?);
    let file = Some(File(path.to_owned()));
    let terms = Arc::default();
    Ok(Face { listener, terms, way: Way::Socket, watching: false, api: false, file })
}

/// What is answered.
#[derive(Debug, Clone)]
pub(super) struct Routes {
    /// Health and metrics.
    pub watching: Router,
    /// The API.
    pub api: Router,
}

/// Answers at all of `faces`, until it is dropped.
pub(super) async fn serve(faces: Vec<Face>, routes: Routes, gate: Gate, metrics: Arc<Metrics>) {
    let gate = Arc::new(gate);
    let mut serving = JoinSet::new();
    for face in faces {
        let router = match (face.watching, face.api) {
            (true, true) => routes.watching.clone().merge(routes.api.clone()),
            (true, false) => routes.watching.clone().fallback(elsewhere),
            (false, _) => routes.api.clone(),
        };
        let places = Places::reserved("admin", CONNECTIONS, Arc::clone(&metrics.admin));
        let desk = Desk { gate: Arc::clone(&gate), way: face.way, router };
        serving.spawn(async move {
            let _file = face.file;
            let door = Door::new(face.listener, places, Arc::clone(&face.terms));
            accept(door, face.terms, Arc::new(desk)).await;
        });
    }
    while serving.join_next().await.is_some() {}
}

/// What is said where the API is not.
async fn elsewhere() -> Response<Body> {
    let sentence = "the API is not answered at this address, which others reach; commands find it by the data \
        folder, and admin.api gives it an address of its own";
    refused((StatusCode::NOT_FOUND, sentence.to_owned()))
}

async fn accept(door: Door, terms: Arc<Terms>, desk: Arc<Desk>) {
    let mut connections = JoinSet::new();
    // Nothing waits for answers at a stop: it ends with the task.
    let stop = CancellationToken::new();
    loop {
        let (stream, peer, place) = door.next().await;
        while connections.try_join_next().is_some() {}
        let (desk, stop, terms) = (Arc::clone(&desk), stop.clone(), Arc::clone(&terms));
        connections.spawn(async move {
            if let Some(Arrived { stream, peer, .. }) = terms.settle(stream, peer, &place).await {
                desk.serve(stream, peer, place, &stop).await;
            }
        });
    }
}

/// Answers at one socket.
#[derive(Debug)]
struct Desk {
    gate: Arc<Gate>,
    way: Way,
    router: Router,
}

impl Desk {
    async fn serve(&self, stream: Stream, peer: Peer, place: Place, stop: &CancellationToken) {
        let answer = |request| self.answer(request, &place);
        Box::pin(http::serve((stream, peer, &place), HEAD_TIME, stop, answer)).await;
    }

    async fn answer(&self, request: Request<Incoming>, place: &Place) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let mut answer = match self.gate.admits(self.way, &parts) {
            Ok(()) => {
                let _work = place.work();
                let request = Request::from_parts(parts, body);
                match TowerToHyperService::new(self.router.clone()).call(request).await {
                    Ok(answer) => answer,
                    Err(never) => match never {},
                }
            }
            Err(refusal) => refused(refusal),
        };
        for (name, value) in BROWSERS {
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        answer
    }
}

fn refused((status, sentence): Refusal) -> Response<Body> {
    let mut answer = (status, Json(json!({ "error": sentence }))).into_response();
    if status == StatusCode::UNAUTHORIZED {
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}
