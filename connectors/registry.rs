//! Every connector by its name in the configuration: the one key of `from:` and of `to:`.

use std::ops::Deref;

use serde::Deserialize;

use crate::contract::settings::{Card, Described, SinkSettings, SourceSettings};
use crate::{sinks, sources};

/// Makes the type of a block whose one key names the connector, from one line for each connector. What is asked of the
/// block is asked of the connector's settings.
macro_rules! connectors {
    (
        $(#[$about:meta])*
        $block:ident, $settings:ident:
        $($kind:literal => $variant:ident($config:ty),)*
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Deserialize)]
        pub enum $block {
            $(
                #[doc = concat!("`", $kind, ": { … }`")]
                #[serde(rename = $kind)]
                $variant($config),
            )*
        }

        impl $block {
            /// The names of all connectors, and what is so of each.
            pub const CARDS: &[(&str, Card)] = &[$(($kind, <$config>::CARD),)*];

            /// The name of the connector.
            #[must_use]
            pub const fn kind(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $kind,)*
                }
            }
        }

        impl Deref for $block {
            type Target = dyn $settings;

            fn deref(&self) -> &Self::Target {
                match self {
                    $(Self::$variant(config) => config,)*
                }
            }
        }
    };
}

connectors! {
    /// The `from:` block of a source.
    SourceConfig, SourceSettings:
    "file" => File(sources::file::SourceConfig),
    "syslog" => Syslog(sources::syslog::SourceConfig),
    "http" => Http(sources::http::SourceConfig),
    "stdin" => Stdin(sources::stdin::SourceConfig),
}

connectors! {
    /// The `to:` block of a sink.
    SinkConfig, SinkSettings:
    "elasticsearch" => Elasticsearch(sinks::elasticsearch::SinkConfig),
    "file" => File(sinks::file::SinkConfig),
    "http" => Http(sinks::http::SinkConfig),
    "stdout" => Stdout(sinks::stdout::SinkConfig),
}
