//! The ledger as metrics.

use super::rows::{Ledger, Shown, SinkRow, SourceRow};

/// A family of metrics, all gauges, since a group that is set back counts anew.
#[derive(Debug)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub help: &'static str,
    /// Its values, each with its labels.
    pub values: Vec<(Vec<(&'static str, String)>, i64)>,
}

/// All of it.
#[must_use]
pub fn families(ledger: &Ledger) -> Vec<Family> {
    let mut records = Vec::new();
    let mut bytes = Vec::new();
    let mut difference = Vec::new();
    for row in &ledger.sources {
        for (term, reason, shown) in source_terms(row) {
            push(
                &mut records,
                &mut bytes,
                [("source", &row.name), ("term", term), ("reason", &reason)],
                shown,
            );
        }
        difference.push((vec![("source", row.name.clone())], row.difference.records));
    }
    for row in &ledger.sinks {
        for (term, reason, shown) in sink_terms(row) {
            push(
                &mut records,
                &mut bytes,
                [("sink", &row.name), ("term", term), ("reason", &reason)],
                shown,
            );
        }
        difference.push((vec![("sink", row.name.clone())], row.difference.records));
    }
    vec![
        Family {
            name: "anabranch_ledger_records",
            help: "What became of records, over restarts: a source's read = stored + not_stored + dropped + under_way; \
                   a sink's stored = delivered + dead + diverted + filtered + lost + lag.",
            values: records,
        },
        Family {
            name: "anabranch_ledger_bytes",
            help: "Bytes of those records, as far as they are known.",
            values: bytes,
        },
        Family {
            name: "anabranch_ledger_difference_records",
            help: "Records by which that does not balance; anything but 0 for long is a loss.",
            values: difference,
        },
    ]
}

type Values = Vec<(Vec<(&'static str, String)>, i64)>;

fn push(records: &mut Values, bytes: &mut Values, labels: [(&'static str, &str); 3], shown: Shown) {
    let labels: Vec<_> = labels
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(label, text)| (label, text.to_owned()))
        .collect();
    let value = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    bytes.push((labels.clone(), value(shown.bytes)));
    records.push((labels, value(shown.records)));
}

type Terms = Vec<(&'static str, String, Shown)>;

fn source_terms(row: &SourceRow) -> Terms {
    let mut terms = vec![
        ("read", String::new(), row.read),
        ("stored", String::new(), row.stored),
        ("not_stored", String::new(), row.not_stored),
        ("under_way", String::new(), row.under_way),
    ];
    for (reason, records) in &row.dropped {
        terms.push(("dropped", reason.clone(), Shown { records: *records, bytes: 0 }));
    }
    terms
}

fn sink_terms(row: &SinkRow) -> Terms {
    let mut terms = vec![
        ("stored", String::new(), row.stored),
        ("delivered", String::new(), row.delivered),
        ("diverted", String::new(), row.diverted),
        ("lag", String::new(), Shown { records: row.lag, bytes: 0 }),
    ];
    for (term, by_reason) in [("dead", &row.dead), ("filtered", &row.filtered), ("lost", &row.lost)]
    {
        terms.extend(by_reason.iter().map(|(reason, shown)| (term, reason.clone(), *shown)));
    }
    terms
}
