//! `SaslHandshake` and `SaslAuthenticate`: a client says who it is, and proves it.
//!
//! Both are done at once and not when their answer's turn has come, so that the next request finds the client known.
//! After version 0 of the handshake the messages of the mechanism follow as frames without any header, and so do the
//! answers (KIP-43); after version 1 they come in `SaslAuthenticate` (KIP-152). A client that fails is told so, later
//! than it could be, and then the connection ends.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::{
    ApiKey, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
    SaslHandshakeResponse,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use tracing::info;

use super::reply::{Pending, Reply, encode};
use super::session::{Call, Login, Session};
use crate::auth::Mechanism;
use crate::auth::sasl::{SaslServer, Step};

/// How long an answer that refuses is held back, so that guessing takes its time.
const REFUSAL: Duration = Duration::from_millis(100);

/// Whether a client of which it is not known who it is may ask that.
pub(super) const fn is_for_strangers(key: ApiKey) -> bool {
    matches!(key, ApiKey::ApiVersions | ApiKey::SaslHandshake | ApiKey::SaslAuthenticate)
}

/// Chooses the mechanism.
pub(super) fn handshake(call: &Call, mut body: Bytes) -> Option<Pending> {
    let request = SaslHandshakeRequest::decode(&mut body, call.version).ok()?;
    let offered = call.session.security.sasl.as_ref().filter(|_| !call.session.is_known());
    let Some(sasl) = offered else { return Some(misplaced(call)) };
    if !matches!(call.session.take_login(), Login::Unbegun) {
        call.session.set_login(Login::Over);
        return Some(misplaced(call));
    }
    let mechanisms = sasl.mechanisms();
    let name = |mechanism: &Mechanism| StrBytes::from_static_str(mechanism.name());
    let answer =
        SaslHandshakeResponse::default().with_mechanisms(mechanisms.iter().map(name).collect());
    let wanted = Mechanism::from_name(&request.mechanism);
    let Some(mechanism) = wanted.filter(|wanted| mechanisms.contains(wanted)) else {
        call.session.set_login(Login::Over);
        let answer = answer.with_error_code(Code::UnsupportedSaslMechanism.code());
        return Some(last(call, &answer));
    };
    let server = Box::new(SaslServer::new(mechanism, &sasl.users, call.broker().kept_users()));
    call.session.set_login(Login::Exchange { server, raw: call.version == 0 });
    Some(ready(encode(call, &answer)))
}

/// One message of the mechanism.
pub(super) async fn authenticate(call: &Call, mut body: Bytes) -> Option<Pending> {
    let request = SaslAuthenticateRequest::decode(&mut body, call.version).ok()?;
    if call.session.is_known() {
        return Some(misplaced(call));
    }
    let Login::Exchange { server, raw: false } = call.session.take_login() else {
        call.session.set_login(Login::Over);
        return Some(misplaced(call));
    };
    let answer = SaslAuthenticateResponse::default();
    Some(match step(&call.session, server, request.auth_bytes, false).await {
        Ok(bytes) => ready(encode(call, &answer.with_auth_bytes(bytes))),
        Err(problem) => {
            let answer = answer
                .with_error_code(Code::SaslAuthenticationFailed.code())
                .with_error_message(Some(StrBytes::from_string(problem)));
            last(call, &answer)
        }
    })
}

/// One message of the mechanism, if the client sends them without headers; else `Err` with the frame.
pub(super) async fn raw(session: &Session, frame: Bytes) -> Result<Option<Pending>, Bytes> {
    if session.is_known() {
        return Err(frame);
    }
    let server = match session.take_login() {
        Login::Exchange { server, raw: true } => server,
        other @ (Login::Unbegun | Login::Exchange { .. } | Login::Over) => {
            session.set_login(other);
            return Err(frame);
        }
    };
    let answered = step(session, server, frame, true).await;
    Ok(answered.ok().and_then(|bytes| {
        let mut frame = BytesMut::with_capacity(4 + bytes.len());
        frame.put_i32(i32::try_from(bytes.len()).ok()?);
        frame.put_slice(&bytes);
        Some(ready(Reply::Frame(frame.freeze())))
    }))
}

/// Takes a message of the mechanism where it may take long; gives what the client is sent, or told.
async fn step(
    session: &Session,
    mut server: Box<SaslServer>,
    message: Bytes,
    raw: bool,
) -> Result<Bytes, String> {
    session.set_login(Login::Over);
    let done = tokio::task::spawn_blocking(move || {
        let step = server.step(&message);
        (server, step)
    });
    let Ok((server, step)) = done.await else { return Err("no answer".to_owned()) };
    match step {
        Step::Continue(bytes) => {
            session.set_login(Login::Exchange { server, raw });
            Ok(bytes.into())
        }
        Step::Done { principal, reply } => {
            session.admit(principal);
            Ok(reply.into())
        }
        Step::Failed(problem) => {
            let user = server.claimed_name().unwrap_or_default();
            info!(peer = %session.peer, user, problem, "a client could not log in");
            tokio::time::sleep(REFUSAL).await;
            Err(problem)
        }
    }
}

fn ready(reply: Reply) -> Pending {
    Box::pin(std::future::ready(reply))
}

/// An answer after which the connection ends.
fn last<A: Encodable>(call: &Call, answer: &A) -> Pending {
    let reply = match encode(call, answer) {
        Reply::Frame(frame) => Reply::Last(frame),
        other @ (Reply::Last(_) | Reply::Pieces(_) | Reply::Nothing | Reply::Close) => other,
    };
    ready(reply)
}

/// What comes at the wrong time: nobody is asked here, or the client is known already, or has not begun.
fn misplaced(call: &Call) -> Pending {
    let code = Code::IllegalSaslState.code();
    if call.key == ApiKey::SaslHandshake {
        return last(call, &SaslHandshakeResponse::default().with_error_code(code));
    }
    let why = "SaslAuthenticate request received after successful authentication";
    let why = StrBytes::from_static_str(why);
    let answer = SaslAuthenticateResponse::default().with_error_code(code);
    last(call, &answer.with_error_message(Some(why)))
}
