//! What is shown of the one budget of bytes.

use anabranch_connectors::Memory;
use anabranch_connectors::contract::memory::Part;

/// A gauge: its name, what it says, and its values by the labels.
pub type Family = (&'static str, &'static str, Vec<(Vec<(&'static str, &'static str)>, usize)>);

/// What there is in all; what each part holds and may hold, and how many wait for some.
#[must_use]
pub fn families(memory: &Memory) -> [Family; 4] {
    let of_parts = |value: fn(&Memory, Part) -> usize| {
        let row = |part: Part| (vec![("part", part.name())], value(memory, part));
        Part::ALL.into_iter().map(row).collect()
    };
    let all = vec![(Vec::new(), memory.total())];
    [
        ("anabranch_memory_limit_bytes", "Memory that is shared out among the parts.", all),
        ("anabranch_memory_bytes", "Memory that a part holds.", of_parts(Memory::held)),
        ("anabranch_memory_max_bytes", "Most memory that a part may hold.", of_parts(Memory::max)),
        ("anabranch_memory_waiting", "How many wait for memory.", of_parts(Memory::waiting)),
    ]
}
