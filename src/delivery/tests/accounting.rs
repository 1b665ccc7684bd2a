//! What becomes of records is accounted for, and what is lost on the way shows.

use super::*;
use crate::hub::Reads;
use crate::ledger::rows::{Difference, SinkRow};

impl Rig {
    /// The ledger's row of the sink.
    pub(super) async fn row(&self) -> SinkRow {
        let topics = vec![TopicSelector::Name("app".into())];
        let reads = [Reads { group: "s".into(), topics, start: StartAt::Earliest }];
        crate::hub::sink_rows(self.hub.as_ref(), Some(&reads)).await.unwrap().remove(0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_lost_between_reader_and_sink_does_not_balance_and_stays_missing() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    rig.produce(&["a", "b", "c"]).await;
    let told = Arc::new(Told::default());
    told.is_robbed.store(true, Ordering::Relaxed);
    rig.deliver(&told, |_| rig.committed() == 3).await;
    assert_eq!(told.written(), [["b", "c"]]);
    let row = rig.row().await;
    assert_eq!((row.balanced, row.difference), (false, Difference { records: 1, bytes: 0 }));
    rig.produce(&["d"]).await;
    rig.deliver(&told, |_| rig.committed() == 4).await;
    assert_eq!(rig.row().await.difference.records, 1);
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fate_has_its_term_and_a_restart_goes_on_counting() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    rig.produce(&["a", "bad", "c", "often"]).await;
    let told = Arc::new(Told::default());
    let fates =
        Written { exceptions: vec![(1, dead("HTTP 400", true)), (3, again())], retry_after: None };
    told.will_answer([Ok(fates)]);
    // The one that comes back is sent with one that arrived before it.
    told.will_answer(
        (0..4).map(|_| Ok(Written { exceptions: vec![(1, again())], retry_after: None })),
    );
    rig.deliver(&told, |_| rig.committed() == 4).await;
    let row = rig.row().await;
    assert!(row.balanced, "{row:?}");
    assert_eq!((row.stored.records, row.delivered.records, row.lag), (4, 2, 0), "{row:?}");
    let dead = |reason: &str| row.dead.get(reason).map_or(0, |shown| shown.records);
    assert_eq!((dead("refused"), dead("gave_up")), (1, 1), "{row:?}");
    rig.produce(&["e", "f"]).await;
    assert_eq!(rig.row().await.lag, 2);
    rig.deliver(&told, |_| rig.committed() == 6).await;
    let row = rig.row().await;
    assert_eq!((row.stored.records, row.delivered.records, row.balanced), (6, 4, true), "{row:?}");
    rig.close().await;
}
