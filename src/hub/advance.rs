//! A group's progress together with the records that come of it: both are stored, or neither is.

use anabranch_record::Batch;

use super::{HubError, Offset};

/// A step of a group that writes what it makes of what it reads. However often one is tried, it is taken once.
#[derive(Debug, Default)]
pub struct Advance {
    /// The group.
    pub group: String,
    /// Where it stands, for each partition of `to`; -1 where it has committed nothing.
    pub from: Vec<Offset>,
    /// Where it stands afterwards.
    pub to: Vec<Offset>,
    /// What is stored with that.
    pub records: Vec<Placed>,
}

/// Records of one partition.
#[derive(Debug, Default)]
pub struct Placed {
    /// The topic, which exists.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The records.
    pub batch: Batch,
}

impl Advance {
    /// The name of the one who may write for the group: whoever comes after puts an end to what was begun before.
    pub(crate) fn transactional_id(&self) -> String {
        format!("anabranch-{}", self.group)
    }

    /// Whether the group still stands where the step begins; `committed` is by topic and partition.
    ///
    /// # Errors
    /// [`HubError::Moved`] when it does not.
    pub(crate) fn check(
        &self,
        committed: impl Fn(&str, i32) -> Option<i64>,
    ) -> Result<(), HubError> {
        for Offset { topic, partition, offset, .. } in &self.from {
            let found = committed(topic, *partition).unwrap_or(-1);
            if found != *offset {
                let group = &self.group;
                return Err(HubError::Moved(format!(
                    "group \"{group}\" stands at {found} of {topic}-{partition} and no longer at {offset}: \
                     somebody else goes on with it"
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_begins_where_the_group_stands_and_nowhere_else() {
        let at = |offset| Offset { topic: "t".to_owned(), partition: 3, offset, epoch: -1 };
        let step = |offset| Advance { from: vec![at(offset)], ..Advance::default() };
        let committed = |topic: &str, partition| (topic == "t" && partition == 3).then_some(7);
        assert_eq!(step(7).check(committed), Ok(()));
        assert_eq!(step(-1).check(|_, _| None), Ok(()));
        let moved = step(-1).check(committed).unwrap_err().to_string();
        assert!(moved.contains("stands at 7 of t-3 and no longer at -1"), "{moved}");
    }
}
