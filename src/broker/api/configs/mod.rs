//! `DescribeConfigs`, `AlterConfigs`, `IncrementalAlterConfigs`, `ListConfigResources`: settings under Kafka's names.
//!
//! | resource | what there is | changed by clients |
//! |---|---|---|
//! | topic | all that Kafka 4 knows | all, kept with the topic |
//! | broker | what means something here, and the defaults of all topics | the defaults of topics, for all brokers (``) or this one (`1`) |
//! | group | all that Kafka 4 knows | those of consumer groups |
//! | client metrics, logger | Kafka's defaults, nothing | nothing |
//!
//! A value says where it comes from: set for the topic or group, for this broker, for all brokers, by the configuration
//! file, or by default. What the configuration file says in other words than Kafka's default has the source of a file, so
//! that a client sees that a topic which it makes is kept otherwise than it may think.

mod alter;
mod broker;
mod describe;
mod groups;
mod kind;
mod origin;
mod resources;
mod shown;
mod target;

pub(super) use alter::{alter, alter_incrementally};
pub(super) use describe::describe;
pub(super) use origin::{Origin, origins};
pub(super) use resources::list;
