//! Why the coordinator of transactions refuses.

/// Why the coordinator refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TransactionFault {
    /// Nobody of that name has that producer id.
    UnknownProducer,
    /// A newer life of the producer has taken over.
    Fenced,
    /// The end before is still under way.
    Concurrent,
    /// This cannot be asked for now.
    InvalidState,
}
