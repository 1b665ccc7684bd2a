//! A request of HTTP whose answer may come before all of it is sent.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Posts `body` and gives the status; `None` when there is no answer in time.
pub(super) async fn post(stream: TcpStream, body: &[u8], wait: Duration) -> Option<u16> {
    let (mut reading, mut writing) = stream.into_split();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut answer = Vec::new();
    let both = async {
        let send = async {
            writing.write_all(head.as_bytes()).await?;
            writing.write_all(body).await?;
            std::future::pending::<std::io::Result<()>>().await
        };
        tokio::select! {
            // An error is that the far side has answered, or gone, before it had all.
            _sent = send => reading.read_to_end(&mut answer).await,
            read = reading.read_to_end(&mut answer) => read,
        }
    };
    // An answer may be whole though the connection broke behind it.
    timeout(wait, both).await.ok()?.ok();
    status(&answer)
}

/// The status of an answer.
pub(super) fn status(answer: &[u8]) -> Option<u16> {
    let text = answer.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    str::from_utf8(text).ok()?.parse().ok()
}
