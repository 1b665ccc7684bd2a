//! A setting as it is shown: its value, where that comes from, and what stands behind it.

use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsSynonym,
};
use kafka_protocol::protocol::StrBytes;

use super::origin::{DEFAULT, Origin};

/// What beside the value is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    pub(super) synonyms: bool,
    pub(super) documentation: bool,
}

/// A setting as it is shown: the first of its origins holds, and all are synonyms.
pub(super) fn shown(
    (name, kind): (&'static str, i8),
    origins: Vec<Origin>,
    documentation: &'static str,
    with: Shown,
) -> DescribeConfigsResourceResult {
    let holds = origins.first();
    let value = holds.map(|origin| StrBytes::from_string(origin.value.clone()));
    let source = holds.map_or(DEFAULT, |origin| origin.source);
    let synonyms = origins.into_iter().filter(|_| with.synonyms).map(synonym).collect();
    let documentation = with.documentation.then(|| StrBytes::from_static_str(documentation));
    DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_static_str(name))
        .with_value(value)
        .with_config_source(source)
        .with_synonyms(synonyms)
        .with_config_type(kind)
        .with_documentation(documentation)
}

pub(super) fn synonym(origin: Origin) -> DescribeConfigsSynonym {
    DescribeConfigsSynonym::default()
        .with_name(StrBytes::from_static_str(origin.name))
        .with_value(Some(StrBytes::from_string(origin.value)))
        .with_source(origin.source)
}
