//! The table of all APIs that are served: their versions, and how their requests are laid out.

use kafka_protocol::messages::ApiKey;

/// One API: the versions that are advertised, those that can be decoded, the first flexible one, and its layout.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) key: ApiKey,
    pub(super) advertised: (i16, i16),
    pub(super) decoded_from: i16,
    /// The last version that `kafka-protocol` has; later ones are the same but for what their handlers do.
    pub(super) coded_to: i16,
    pub(super) flexible_from: i16,
    pub(super) layout: &'static str,
}

const fn api(key: ApiKey, advertised: (i16, i16), flexible_from: i16, layout: &'static str) -> Api {
    Api { key, advertised, decoded_from: advertised.0, coded_to: i16::MAX, flexible_from, layout }
}

const NEVER: i16 = i16::MAX;

/// Every API, by key.
pub(super) const APIS: &[Api] = &[
    // librdkafka below 2.11.1 compresses only where it sees version 0 of Produce.
    Api { decoded_from: 3, ..api(ApiKey::Produce, (0, 13), 9, "s@3- h i [s@-12 u@13- [i y]]") },
    api(
        ApiKey::Fetch,
        (4, 18),
        12,
        "i@-14 i i i b i@7- i@7- [s@-12 u@13- [i i@9- l i@12- l@5- i]] [s@-12 u@13- *i]@7- s@11-",
    ),
    Api { coded_to: 10, ..api(ApiKey::ListOffsets, (1, 11), 6, "i b@2- [s [i i@4- l]] i@10-") },
    api(ApiKey::Metadata, (0, 13), 9, "[u@10- s] b@4- b@8-10 b@8-"),
    Api {
        coded_to: 9,
        ..api(ApiKey::OffsetCommit, (2, 10), 8, "s i s s@7- l@2-4 [s@-9 u@10- [i l i@6- s]]")
    },
    Api {
        coded_to: 9,
        ..api(
            ApiKey::OffsetFetch,
            (1, 10),
            6,
            "s@-7 [s *i]@-7 [s s@9- i@9- [s@-9 u@10- *i]]@8- b@7-",
        )
    },
    api(ApiKey::FindCoordinator, (0, 6), 3, "s@-3 b@1- *s@4-"),
    api(ApiKey::JoinGroup, (0, 9), 6, "s i i@1- s s@5- s [s y] s@8-"),
    api(ApiKey::Heartbeat, (0, 4), 4, "s i s s@3-"),
    api(ApiKey::LeaveGroup, (0, 5), 4, "s s@-2 [s s s@5-]@3-"),
    api(ApiKey::SyncGroup, (0, 5), 4, "s i s s@3- s@5- s@5- [s y]"),
    api(ApiKey::DescribeGroups, (0, 6), 5, "*s b@3-"),
    api(ApiKey::ListGroups, (0, 5), 3, "*s@4- *s@5-"),
    api(ApiKey::SaslHandshake, (0, 1), NEVER, "s"),
    api(ApiKey::ApiVersions, (0, 4), 3, "s@3- s@3-"),
    api(ApiKey::CreateTopics, (2, 7), 5, "[s i h [i *i] [s s]] i b"),
    api(ApiKey::DeleteTopics, (1, 6), 4, "[s u]@6- *s@-5 i"),
    api(ApiKey::DeleteRecords, (0, 2), 2, "[s [i l]] i"),
    api(ApiKey::InitProducerId, (0, 5), 2, "s i l@3- h@3-"),
    api(ApiKey::OffsetForLeaderEpoch, (2, 4), 4, "i@3- [s [i i i]]"),
    api(ApiKey::AddPartitionsToTxn, (0, 3), 3, "s l h [s *i]"),
    api(ApiKey::AddOffsetsToTxn, (0, 4), 3, "s l h s"),
    api(ApiKey::EndTxn, (0, 4), 3, "s l h b"),
    api(ApiKey::TxnOffsetCommit, (0, 4), 3, "s s l h i@3- s@3- s@3- [s [i l i@2- s]]"),
    api(ApiKey::WriteTxnMarkers, (1, 1), 1, "[l h b [s *i] i]"),
    api(ApiKey::DescribeAcls, (1, 3), 2, "b s b s s b b"),
    api(ApiKey::CreateAcls, (1, 3), 2, "[b s b s s b b]"),
    api(ApiKey::DeleteAcls, (1, 3), 2, "[b s b s s b b]"),
    api(ApiKey::DescribeConfigs, (1, 4), 4, "[b s *s] b b@3-"),
    api(ApiKey::AlterConfigs, (0, 2), 2, "[b s [s s]] b"),
    api(ApiKey::AlterReplicaLogDirs, (1, 2), 2, "[s [s *i]]"),
    Api { coded_to: 4, ..api(ApiKey::DescribeLogDirs, (1, 5), 2, "[s *i]") },
    api(ApiKey::SaslAuthenticate, (0, 2), 2, "y"),
    api(ApiKey::CreatePartitions, (0, 3), 2, "[s i [*i]] i b"),
    api(ApiKey::DeleteGroups, (0, 2), 2, "*s"),
    api(ApiKey::ElectLeaders, (0, 2), 2, "b@1- [s *i] i"),
    api(ApiKey::IncrementalAlterConfigs, (0, 1), 1, "[b s [s b s]] b"),
    api(ApiKey::AlterPartitionReassignments, (0, 1), 0, "i b@1- [s [i *i]]"),
    api(ApiKey::ListPartitionReassignments, (0, 0), 0, "i [s *i]"),
    api(ApiKey::OffsetDelete, (0, 0), NEVER, "s [s [i]]"),
    api(ApiKey::DescribeClientQuotas, (0, 1), 1, "[s b s] b"),
    api(ApiKey::AlterClientQuotas, (0, 1), 1, "[[s s] [s l b]] b"),
    api(ApiKey::DescribeUserScramCredentials, (0, 0), 0, "[s]"),
    api(ApiKey::AlterUserScramCredentials, (0, 0), 0, "[s b] [s b i y y]"),
    api(ApiKey::DescribeQuorum, (0, 2), 0, "[s [i]]"),
    api(ApiKey::UpdateFeatures, (0, 2), 0, "i [s h b@0-0 b@1-] b@1-"),
    api(ApiKey::DescribeCluster, (0, 2), 0, "b b@1- b@2-"),
    api(ApiKey::DescribeProducers, (0, 0), 0, "[s *i]"),
    api(ApiKey::UnregisterBroker, (0, 0), 0, "i"),
    api(ApiKey::DescribeTransactions, (0, 0), 0, "*s"),
    api(ApiKey::ListTransactions, (0, 2), 0, "*s *l l@1- s@2-"),
    api(ApiKey::ConsumerGroupHeartbeat, (0, 1), 0, "s s i s s i *s s@1- s [u *i]"),
    api(ApiKey::ConsumerGroupDescribe, (0, 1), 0, "*s b"),
    api(ApiKey::ListConfigResources, (0, 1), 0, "*b@1-"),
    api(ApiKey::DescribeTopicPartitions, (0, 0), 0, "[s] i ?[s i]"),
    api(ApiKey::DescribeShareGroupOffsets, (0, 0), 0, "[s [s *i]]"),
];
