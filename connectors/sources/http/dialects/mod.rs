//! What other programs send to servers of another kind: each dialect has its paths, its cutter and its answers.
//!
//! | dialect         | paths                              | is                                                     |
//! |-----------------|------------------------------------|--------------------------------------------------------|
//! | Elasticsearch   | `/_bulk`, `/INDEX/_bulk`           | see [`bulk`]                                           |
//! |                 | `GET /`, `/_license`, `/_cluster/health` | what its clients ask before they send            |

mod bulk;

use anabranch_record::Batch;
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};

use super::answer::{Refusal, json};
use super::records::Common;

/// Clients of Elasticsearch send nothing to what does not say this.
const PRODUCT: HeaderName = HeaderName::from_static("x-elastic-product");

/// What a body comes to: the records, and what is answered once the hub has them.
pub(super) type Parsed = (Vec<Batch>, String);

/// One of them.
#[derive(Debug)]
pub(super) struct Dialect {
    /// Whether a path below the source's own is one of its.
    serves: fn(&str) -> bool,
    /// Cuts the body that was sent to a path.
    parse: fn(&str, &[u8], &Common) -> Result<Parsed, Refusal>,
    /// What is answered to a `GET` of a path.
    read: fn(&str) -> Option<String>,
}

static DIALECTS: [Dialect; 1] =
    [Dialect { serves: bulk::serves, parse: bulk::parse, read: bulk::read }];

impl Dialect {
    /// The one that a path is of.
    pub(super) fn of(path: &str) -> Option<&'static Self> {
        DIALECTS.iter().find(|dialect| (dialect.serves)(path))
    }

    /// Cuts the body that was sent to a path.
    ///
    /// # Errors
    /// [`Refusal`] when nothing of it can be stored.
    pub(super) fn parse(
        &self,
        path: &str,
        body: &[u8],
        common: &Common,
    ) -> Result<Parsed, Refusal> {
        (self.parse)(path, body, common)
    }
}

pub(super) type Answer = hyper::Response<http_body_util::Full<bytes::Bytes>>;

/// The answer to a `GET` of a path that some dialect has.
pub(super) fn read(path: &str) -> Option<Answer> {
    DIALECTS.iter().find_map(|dialect| (dialect.read)(path)).map(answer)
}

/// An answer in the name of the server that is spoken to.
pub(super) fn answer(body: String) -> Answer {
    let mut response = json(StatusCode::OK, body);
    response.headers_mut().insert(PRODUCT, HeaderValue::from_static("Elasticsearch"));
    response
}
