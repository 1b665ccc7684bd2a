//! Batches of clients on the socket, appended as they came, and the markers that end transactions.

use std::sync::Arc;

use anabranch_connectors::contract::clock::now_ms;

use super::command::{Marker, Produce, ProduceFault, Produced};
use super::writer::Writer;
use crate::log::{Partition, Verdict};
use crate::wire::{BatchHeader, marker};

impl Writer {
    pub(super) fn produce(&mut self, produce: Produce) {
        let Produce { partition, header, bytes, reply } = produce;
        match self.judge(&partition, &header) {
            Ok(Verdict::Append) => {
                let appended = self.append_now(&partition, &bytes);
                self.produced.push((reply, appended));
            }
            Ok(Verdict::Duplicate(base_offset, _)) => {
                // The first time may not be durable yet: this answer waits like the other.
                self.touch(&partition);
                let log_start = partition.start();
                self.produced.push((reply, Ok(Produced { base_offset, log_start })));
            }
            // The client may be gone.
            Err(fault) => drop(reply.send(Err(fault))),
        }
    }

    fn judge(&self, partition: &Partition, header: &BatchHeader) -> Result<Verdict, ProduceFault> {
        if partition.is_deleted() {
            return Err(ProduceFault::Deleted);
        }
        self.may_append(partition)?;
        let verdict = partition.producers().check(header)?;
        if header.is_transactional() && verdict == Verdict::Append {
            let producer = (header.producer_id, header.producer_epoch);
            let allowed = self.shared.transactions().check_produce(producer, partition.name());
            allowed.map_err(|fault| ProduceFault::NoTransaction(header.producer_id, fault))?;
        }
        Ok(verdict)
    }

    fn may_append(&self, partition: &Partition) -> Result<(), ProduceFault> {
        if self.shared.must_wait(partition.name()) {
            let problem = self.shared.state.problem();
            let problem = problem.unwrap_or_else(|| "the hub cannot store now".to_owned());
            return Err(ProduceFault::NotNow(problem));
        }
        Ok(())
    }

    fn append_now(
        &mut self,
        partition: &Arc<Partition>,
        bytes: &[u8],
    ) -> Result<Produced, ProduceFault> {
        match partition.append(bytes, self.shared.epoch) {
            Ok(appended) => {
                self.snapshots.bytes += bytes.len() as u64;
                self.shared.use_room(bytes.len() as u64);
                self.touch(partition);
                self.taken_again();
                Ok(Produced { base_offset: appended.base_offset, log_start: partition.start() })
            }
            Err(fault) => Err(ProduceFault::NotNow(self.refused(partition, &fault))),
        }
    }

    /// Appends a marker, unless the producer has nothing open there (it was marked before a crash).
    pub(super) fn mark(&mut self, marked: Marker) {
        let Marker { partition, producer, committed, reply } = marked;
        let here = Produced { base_offset: partition.end(), log_start: partition.start() };
        if partition.is_deleted() || !partition.producers().is_open(producer.0) {
            self.touch(&partition);
            self.produced.push((reply, Ok(here)));
            return;
        }
        let batch = marker(producer, committed, self.shared.epoch, now_ms());
        let appended = self.append_now(&partition, &batch);
        self.produced.push((reply, appended));
    }
}
