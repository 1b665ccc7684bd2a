//! Whatever a broker of Kafka 4.3.1 serves is answered: nobody sees a connection end for it.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, RequestKind, ResponseKind};

use super::raw::{ask, connect};
use crate::support::Agent;

/// The APIs that Kafka 4.3.1 advertises at a broker, with their versions, as its jar and a running broker say.
#[rustfmt::skip]
const KAFKA: &[(i16, i16, i16)] = &[
    (0, 0, 13),
    (1, 4, 18),
    (2, 1, 11),
    (3, 0, 13),
    (8, 2, 10),
    (9, 1, 10),
    (10, 0, 6),
    (11, 0, 9),
    (12, 0, 4),
    (13, 0, 5),
    (14, 0, 5),
    (15, 0, 6),
    (16, 0, 5),
    (17, 0, 1),
    (18, 0, 4),
    (19, 2, 7),
    (20, 1, 6),
    (21, 0, 2),
    (22, 0, 5),
    (23, 2, 4),
    (24, 0, 5),
    (25, 0, 4),
    (26, 0, 5),
    (27, 1, 2),
    (28, 0, 5),
    (29, 1, 3),
    (30, 1, 3),
    (31, 1, 3),
    (32, 1, 4),
    (33, 0, 2),
    (34, 1, 2),
    (35, 1, 5),
    (36, 0, 2),
    (37, 0, 3),
    (38, 1, 3),
    (39, 1, 2),
    (40, 1, 2),
    (41, 1, 3),
    (42, 0, 2),
    (43, 0, 2),
    (44, 0, 1),
    (45, 0, 1),
    (46, 0, 0),
    (47, 0, 0),
    (48, 0, 1),
    (49, 0, 1),
    (50, 0, 0),
    (51, 0, 0),
    (55, 0, 2),
    (57, 0, 2),
    (60, 0, 2),
    (61, 0, 0),
    (64, 0, 0),
    (65, 0, 0),
    (66, 0, 2),
    (68, 0, 1),
    (69, 0, 1),
    (74, 0, 1),
    (75, 0, 0),
    (76, 1, 1),
    (77, 1, 1),
    (78, 1, 2),
    (79, 1, 2),
    (80, 0, 1),
    (81, 0, 0),
    (83, 0, 0),
    (84, 0, 0),
    (85, 0, 1),
    (86, 0, 0),
    (87, 0, 1),
    (88, 0, 0),
    (89, 0, 0),
    (90, 0, 1),
    (91, 0, 0),
    (92, 0, 0),
];

/// What is not advertised as far as Kafka does, and why: the decoder does not know the version, and nothing in it is of
/// use here; or, for 24, it is for brokers among themselves.
const SHORTER: &[i16] = &[24, 26, 27, 28, 90];

fn advertised(address: &str) -> BTreeMap<i16, (i16, i16)> {
    let request = RequestKind::ApiVersions(ApiVersionsRequest::default());
    let answer = ask(address, ApiKey::ApiVersions, 0, &request);
    let Some(ResponseKind::ApiVersions(answer)) = answer else { panic!("no versions") };
    let keys = answer.api_keys.iter();
    keys.map(|api| (api.api_key, (api.min_version, api.max_version))).collect()
}

#[test]
fn every_api_of_kafka_is_advertised() {
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 1);
    let ours = advertised(&address);
    let missing: Vec<i16> =
        KAFKA.iter().map(|(key, ..)| *key).filter(|key| !ours.contains_key(key)).collect();
    assert!(missing.is_empty(), "not advertised: {missing:?}");
    for (key, first, last) in KAFKA {
        let (our_first, our_last) = ours[key];
        assert!(our_first <= *first, "{key} from {our_first}, Kafka from {first}");
        let is_shorter = our_last < *last;
        assert!(!is_shorter || SHORTER.contains(key), "{key} to {our_last}, Kafka to {last}");
    }
    agent.stop();
}

/// A request of no content in any version: zeros, which are empty lists and strings that are not there.
fn nothing(key: i16, version: i16, flexible: bool) -> Vec<u8> {
    let mut frame = BytesMut::new();
    frame.put_i16(key);
    frame.put_i16(version);
    frame.put_i32(7);
    frame.put_i16(-1);
    if flexible {
        frame.put_u8(0);
    }
    frame.to_vec()
}

#[test]
fn what_is_only_refused_is_answered_in_every_version() {
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 1);
    let ours = advertised(&address);
    // Those of which nothing is read but the names of groups, and there are none.
    let refused: Vec<i16> = (38..=41).chain(76..=81).chain(83..=89).chain(91..=92).collect();
    for key in refused {
        let (first, last) = ours[&key];
        for version in first..=last {
            let flexible = !(38..=41).contains(&key) || version >= 2;
            let mut frame = nothing(key, version, flexible);
            frame.extend([1, 0, 0]);
            let mut stream = connect(&address);
            let length = u32::try_from(frame.len()).unwrap();
            stream.write_all(&length.to_be_bytes()).unwrap();
            stream.write_all(&frame).unwrap();
            let mut head = [0; 8];
            let read = stream.read_exact(&mut head);
            assert!(read.is_ok(), "key {key} version {version}: the connection ended");
            assert_eq!(head[4..], 7i32.to_be_bytes(), "key {key} version {version}");
        }
    }
    agent.stop();
}
