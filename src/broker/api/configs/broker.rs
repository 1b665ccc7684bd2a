//! The settings of the broker: what programs ask one for, Connect and monitoring among them.

use kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;

use super::origin::{DEFAULT, FILE, Origin, origins};
use super::shown::{Shown, shown};
use crate::broker::NODE;
use crate::broker::api::{Call, fetch, offsets, transactions};
use crate::hub::embedded::topics::configs::{self, Overrides};
use crate::hub::embedded::topics::kept::BROKERS;

const BOOLEAN: i8 = 1;
const TEXT: i8 = 2;
const INT: i8 = 3;
const SHORT: i8 = 4;
const LONG: i8 = 5;
const LIST: i8 = 7;

/// A setting that only the configuration file changes, or nothing: its value, and Kafka's default.
struct Fixed {
    name: &'static str,
    kind: i8,
    value: String,
    default: Option<&'static str>,
    documentation: &'static str,
}

fn fixed(
    (name, kind): (&'static str, i8),
    value: &impl ToString,
    default: impl Into<Option<&'static str>>,
    documentation: &'static str,
) -> Fixed {
    Fixed { name, kind, value: value.to_string(), default: default.into(), documentation }
}

/// Whether clients may not change a setting of the broker of that name, which there is.
pub(super) fn is_fixed(call: &Call, name: &str) -> bool {
    all_fixed(call).iter().any(|fixed| fixed.name == name)
}

#[rustfmt::skip]
fn all_fixed(call: &Call) -> Vec<Fixed> {
    let (hub, broker) = (call.hub(), call.broker());
    let (host, port) = &call.session.advertised;
    let listener = format!("PLAINTEXT://{host}:{port}");
    let (settings, limits) = (&broker.settings, hub.group_limits());
    let longest = limits.session_timeout_max_ms;
    let mut all = vec![
        fixed(("advertised.listeners", LIST), &listener, None, "Where clients are told to connect to."),
        fixed(("listeners", LIST), &listener, "PLAINTEXT://:9092", "Where clients are listened for."),
        fixed(("auto.create.topics.enable", BOOLEAN), &settings.auto_create_topics, "true", "Whether a topic is made when a client asks for one that is not there."),
        fixed(("broker.id", INT), &NODE, "-1", "The number of this broker, the only one."),
        fixed(("node.id", INT), &NODE, None, "The number of this broker, the only one."),
        fixed(("process.roles", LIST), &"broker,controller", None, "One process is all there is."),
        fixed(("default.replication.factor", INT), &1, "1", "Copies of a partition that is made without saying how many."),
        fixed(("delete.topic.enable", BOOLEAN), &true, "true", "Topics can be deleted."),
        fixed(("num.partitions", INT), &hub.configured_settings("").partitions, "1", "Partitions of a topic that is made without saying how many."),
        fixed(("log.dirs", LIST), &hub.folder().display(), None, "The data folder."),
        fixed(("log.cleaner.enable", BOOLEAN), &true, "true", "Compacted topics are compacted."),
        fixed(("fetch.max.bytes", INT), &fetch::ANSWER_MAX, "57671680", "Bytes of one answer to a Fetch, whatever the client allows."),
        fixed(("socket.request.max.bytes", INT), &settings.max_request_bytes, "104857600", "Largest request."),
        fixed(("max.connections", INT), &settings.max_connections, "2147483647", "Most connections at once."),
        fixed(("connections.max.idle.ms", LONG), &settings.idle_timeout.as_millis(), "600000", "A connection that sends nothing for so long is closed."),
        fixed(("group.min.session.timeout.ms", INT), &limits.session_timeout_min_ms, "6000", "Shortest session that a member of a group may ask for."),
        fixed(("group.max.session.timeout.ms", INT), &longest, "1800000", "Longest session that a member of a group may ask for."),
        fixed(("group.initial.rebalance.delay.ms", INT), &limits.initial_rebalance_delay_ms, "3000", "How long a new group waits for more members."),
        fixed(("group.max.size", INT), &limits.group_size_max, "2147483647", "Most members of a group."),
        fixed(("offset.metadata.max.bytes", INT), &offsets::METADATA_MAX, "4096", "Longest text beside a committed offset."),
        fixed(("offsets.topic.num.partitions", INT), &1, "50", "Partitions of the topic that keeps committed offsets."),
        fixed(("offsets.topic.replication.factor", SHORT), &1, "3", "Copies of the topic that keeps committed offsets."),
        fixed(("transaction.max.timeout.ms", INT), &transactions::TIMEOUT_MAX_MS, "900000", "Longest transaction that a client may ask for."),
        fixed(("transaction.state.log.num.partitions", INT), &1, "50", "Partitions of the topic that keeps transactions."),
        fixed(("transaction.state.log.replication.factor", SHORT), &1, "3", "Copies of the topic that keeps transactions."),
        fixed(("transaction.state.log.min.isr", INT), &1, "2", "Copies of the topic that keeps transactions that must be there."),
    ];
    if broker.access().are_set() {
        all.push(fixed(("authorizer.class.name", TEXT), &"acls", "", "Rules of the configuration and of clients say who may do what."));
    }
    all
}

/// The settings of this broker.
pub(super) fn of_this_broker(call: &Call, with: Shown) -> Vec<DescribeConfigsResourceResult> {
    let fixed = all_fixed(call).into_iter().map(|fixed| {
        let Fixed { name, kind, value, default, documentation } = fixed;
        let mut origins = Vec::new();
        if Some(value.as_str()) != default {
            origins.push(Origin { name, value, source: FILE });
        }
        let default =
            default.map(|value| Origin { name, value: value.to_owned(), source: DEFAULT });
        origins.extend(default);
        shown((name, kind), origins, documentation, with).with_read_only(true)
    });
    let of_topics = configs::KNOWN.iter().filter(|known| !known.broker_name.is_empty());
    let of_topics = of_topics.map(|known| {
        let origins = origins(call.hub(), "", &Overrides::new(), known);
        let kind = known.kind.code();
        shown((known.broker_name, kind), origins, known.documentation, with)
    });
    fixed.chain(of_topics).collect()
}

/// What clients have set for all brokers.
pub(super) fn of_all_brokers(call: &Call, with: Shown) -> Vec<DescribeConfigsResourceResult> {
    let set = call.hub().kept_settings(BROKERS);
    let known = configs::KNOWN.iter().filter_map(|known| {
        let value = set.get(known.broker_name)?.clone();
        let origin =
            Origin { name: known.broker_name, value, source: super::origin::SET_FOR_BROKERS };
        let kind = known.kind.code();
        Some(shown((known.broker_name, kind), vec![origin], known.documentation, with))
    });
    known.collect()
}
