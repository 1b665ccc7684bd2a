//! Receives events over HTTP: `POST` or `PUT`, answered when the hub has them.
//!
//! | `Content-Type`                                | records                                                      |
//! |-----------------------------------------------|--------------------------------------------------------------|
//! | `application/x-ndjson`, `application/jsonl`   | each line; one that is no JSON is kept, with `parse_error`   |
//! | `application/json`                            | each element of an array, byte by byte; or the one object    |
//! | `text/plain`                                  | each line                                                    |
//! | `application/octet-stream`                    | the whole body                                               |
//! | another or none                               | what the first bytes look like                               |
//!
//! At `/_bulk` and `/INDEX/_bulk` the source speaks Elasticsearch's bulk API, and answers `GET /` and `/_license` below
//! its `path` as its clients expect it; see [`dialects`].
//!
//! Lines of NDJSON are not parsed: one that begins with `{` and ends with `}` passes. `Content-Encoding` may be
//! `gzip`, `deflate` or `zstd`. The query `key=…` gives all records of the request that key. Every record has the
//! header `peer`, the address of the sender.
//!
//! | status | when                                                                                             |
//! |--------|--------------------------------------------------------------------------------------------------|
//! | 200    | the hub has everything: `{"accepted": n}`                                                        |
//! | 400    | a JSON body or its compression is malformed; nothing is stored                                   |
//! | 401    | credentials are missing or wrong                                                                 |
//! | 403    | a web page sends it (`Origin`) that is not in `allowed_origins`                                  |
//! | 404, 405, 415 | the path, the method or the content encoding is not served                                |
//! | 408    | the body did not come within `timeout`                                                           |
//! | 413    | the body is larger than `max_body`, decompressed                                                 |
//! | 503    | the hub did not take everything within `timeout`, or too much is under way; send it all again    |

mod answer;
mod auth;
mod body;
mod config;
mod connector;
mod dialects;
mod records;
mod request;
mod serve;

#[cfg(test)]
mod tests;

pub use auth::{Auth, Basic};
pub use config::{Format, SourceConfig};
pub use serve::{Bound, HttpSource};
