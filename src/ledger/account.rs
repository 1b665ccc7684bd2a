//! A source's account as text, as the hub keeps it.
//!
//! | line                          | is                                             |
//! |-------------------------------|------------------------------------------------|
//! | `handed_on RECORDS BYTES`     | what its emitter has handed on                 |
//! | `stored RECORDS BYTES`        | what the hub has encoded of that               |
//! | `not_stored RECORDS BYTES`    | what was handed back                           |
//! | `dropped RECORDS REASON`      | what was left out before; one line for each    |
//!
//! What is under way is not kept: after a restart it is read again. Lines that are not known are passed over.

use std::fmt::Write;

use anabranch_connectors::contract::counters::Account;
use anabranch_record::Amount;

/// As it is kept.
#[must_use]
pub fn encode(account: &Account) -> String {
    let mut text = String::new();
    let amounts = [
        ("handed_on", account.handed_on),
        ("stored", account.stored),
        ("not_stored", account.not_stored),
    ];
    for (name, Amount { records, bytes }) in amounts {
        // Writing to a string cannot fail.
        writeln!(text, "{name} {records} {bytes}").ok();
    }
    for (reason, records) in &account.dropped {
        writeln!(text, "dropped {records} {reason}").ok();
    }
    text
}

/// What [`encode`] made.
#[must_use]
pub fn decode(text: &[u8]) -> Account {
    let mut account = Account::default();
    for line in String::from_utf8_lossy(text).lines() {
        let mut words = line.splitn(3, ' ');
        let (Some(name), Some(first), Some(second)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let Ok(records) = first.parse() else { continue };
        let amount = second.parse().map(|bytes| Amount::new(records, bytes));
        match (name, amount) {
            ("handed_on", Ok(amount)) => account.handed_on = amount,
            ("stored", Ok(amount)) => account.stored = amount,
            ("not_stored", Ok(amount)) => account.not_stored = amount,
            ("dropped", _) => account.leave_out(second, records),
            _ => {}
        }
    }
    account
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_kept_comes_back(
            numbers: [u64; 6],
            dropped in proptest::collection::btree_map("[a-z_]{1,20}", 1u64.., 0..4),
        ) {
            let amount = |at: usize| Amount::new(numbers[at], numbers[at + 1]);
            let account = Account {
                handed_on: amount(0), stored: amount(2), not_stored: amount(4),
                under_way: Amount::NONE, dropped,
            };
            prop_assert_eq!(decode(encode(&account).as_bytes()), account);
        }

        #[test]
        fn any_text_is_read_without_a_panic(text: Vec<u8>) {
            let _any = decode(&text);
        }
    }
}
