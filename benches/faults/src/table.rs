//! The outcomes as a table in Markdown.

use std::fmt::Write;

use crate::case::Hub;
use crate::judge::Count;
use crate::ledger;
use crate::run::Outcome;

/// Names of the columns.
const HEAD: &str = "\
| case | hub | flush | seed | faults | sent | acknowledged | place | delivered | lost | in the window | twice | altered \
| out of order | ledger | exits | lines a minute | verdict |\n\
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n";

/// All outcomes, one line for each place.
pub fn table(outcomes: &[Outcome]) -> String {
    let mut text = HEAD.to_owned();
    outcomes.iter().for_each(|outcome| text.push_str(&lines(outcome)));
    text
}

/// The lines of one outcome.
pub fn lines(outcome: &Outcome) -> String {
    let mut text = String::new();
    let settings = &outcome.settings;
    let (hub, flush) = match settings.case.hub {
        Hub::Embedded => ("embedded", settings.flush.as_str()),
        Hub::Kafka => ("kafka", ""),
        Hub::Cluster => ("three brokers", ""),
    };
    let verdict = if outcome.faults().is_empty() { "good" } else { "FAILED" };
    for finding in &outcome.findings {
        let Count { delivered, lost, lost_in_window, twice, altered, disorder, .. } = finding.count;
        // Writing to a string does not fail.
        writeln!(
            text,
            "| {} | {hub} | {flush} | {} | {} | {} | {} | {} | {delivered} | {lost} | {lost_in_window} | {twice} \
             | {altered} | {disorder} | {} | {} | {} | {verdict} |",
            settings.case.name,
            settings.seed,
            outcome.acts,
            outcome.sent.0,
            outcome.sent.1,
            finding.place,
            if outcome.ledger == ledger::BALANCED { ledger::BALANCED } else { "UNBALANCED" },
            outcome.exits.len(),
            outcome.flood.0,
        )
        .ok();
    }
    text
}

/// The document that a long run leaves.
pub fn document(outcomes: &[Outcome], made_by: &str) -> String {
    let sum = |of: fn(&Count) -> usize| -> usize {
        let findings = outcomes.iter().flat_map(|outcome| &outcome.findings);
        findings.map(|finding| of(&finding.count)).sum()
    };
    let seconds: u64 = outcomes.iter().map(|outcome| outcome.took.as_secs()).sum();
    let failed = outcomes.iter().filter(|outcome| !outcome.faults().is_empty()).count();
    let mut text = format!(
        "# What the fault bench found\n\n\
         Made by {made_by}: {} runs, {} minutes, {failed} failed. In all places together {} lines were judged: {} lost, \
         {} twice, {} altered, {} out of order.\n\n\
         Each run writes lines by files (renamed, copied and truncated, behind a link), HTTP and syslog over TCP while \
         faults come as the seed says, then waits until everything has arrived, and compares each place with what was \
         sent. *sent* and *acknowledged* are lines of all three; a file has acknowledged what is written. *file* and \
         *search* are the sinks, *hub* is what `anabranch consume` reads, *dead* are the dead letters of the search \
         sink. Of a connection that was cut the end may be missing, which is not counted: syslog acknowledges nothing. \
         *in the window* is what HTTP and syslog lost in the time before a power cut that `flush` says. *lines a minute* \
         is the most that one part logged with one message. \
         With a power cut and `flush` at a time or `os`, lines of files that the log has lost are read again: a file sink \
         that had them has them twice, a search index once.\n\n\
         A plan is repeated by `--seed`, `--plan` prints it. `benches/faults/mutate` shows that the bench fails when the \
         agent is wrong.\n\n",
        outcomes.len(),
        seconds / 60,
        sum(|count| count.delivered),
        sum(|count| count.lost),
        sum(|count| count.twice),
        sum(|count| count.altered),
        sum(|count| count.disorder),
    );
    text.push_str(&table(outcomes));
    for outcome in outcomes {
        for fault in outcome.faults() {
            writeln!(
                text,
                "\n- {} seed {}: {fault}",
                outcome.settings.case.name, outcome.settings.seed
            )
            .ok();
        }
    }
    text
}
