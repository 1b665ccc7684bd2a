//! What keeps a delivery from going on, each step by itself.

/// A step of the delivery that can fail by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Reading the hub.
    Read,
    /// The sink's return to its committed state.
    Resume,
    /// The sink's look at what is to be written.
    Prepare,
    /// The write.
    Write,
    /// Making durable what was written.
    Checkpoint,
    /// Committing offsets.
    Commit,
    /// Storing dead letters.
    Bury,
}

impl Step {
    pub(super) const ALL: [Self; 7] = [
        Self::Read,
        Self::Resume,
        Self::Prepare,
        Self::Write,
        Self::Checkpoint,
        Self::Commit,
        Self::Bury,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Resume => "resume",
            Self::Prepare => "prepare",
            Self::Write => "write",
            Self::Checkpoint => "checkpoint",
            Self::Commit => "commit",
            Self::Bury => "dead letters",
        }
    }

    /// What cannot be done, for a person.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Read => "the hub cannot be read",
            Self::Resume => "the sink cannot go on where it was",
            Self::Prepare | Self::Write => "delivery failed",
            Self::Checkpoint => "what was written could not be made durable",
            Self::Commit => "offsets could not be committed",
            Self::Bury => "dead letters are not stored",
        }
    }
}

/// The steps of one delivery that fail now.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// Tells the deliveries of one sink apart.
    member: u32,
    pub(super) failing: Vec<Step>,
}

impl Troubles {
    pub(super) const fn new(member: u32) -> Self {
        Self { member, failing: Vec::new() }
    }

    /// What it is called on `/health`.
    pub(super) fn kind(&self, step: Step) -> String {
        format!("{} {}", self.member, step.name())
    }
}
