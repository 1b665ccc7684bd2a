//! Transactions of clients: what their coordinator knows, and each step of one.

pub(super) mod fault;
pub(super) mod orphans;
pub(super) mod state;
pub(super) mod steps;
#[cfg(test)]
mod tests;
