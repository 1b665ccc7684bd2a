//! Why a batch that was produced is not taken, and what the client is told of it.

use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::produce_response::BatchIndexAndErrorMessage;

/// A batch that is not taken.
pub(super) struct Refused {
    pub(super) code: Code,
    /// What is wrong, for a person.
    pub(super) why: String,
    /// Whether the client is told why: Kafka does it only where it names records.
    pub(super) told: bool,
    /// The records that are to blame.
    pub(super) records: Vec<BatchIndexAndErrorMessage>,
    /// Whether the log has refused the batch, and not who stands before it: the answer then has the log's start.
    pub(super) by_log: bool,
}

impl Refused {
    pub(super) const fn new(code: Code, why: String) -> Self {
        Self { code, why, told: false, records: Vec::new(), by_log: false }
    }

    /// The same, as the log's own judgement.
    pub(super) fn by_the_log(self) -> Self {
        Self { by_log: true, ..self }
    }
}
