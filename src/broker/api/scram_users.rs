//! `DescribeUserScramCredentials`, `AlterUserScramCredentials`: users beside those of the configuration (KIP-554).
//!
//! Who may change rules may change users, and only where there is access control: else everyone who reaches the hub
//! could let himself in at a listener that asks for passwords. A user of the configuration stays as it is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::alter_user_scram_credentials_request::ScramCredentialUpsertion;
use kafka_protocol::messages::alter_user_scram_credentials_response::AlterUserScramCredentialsResult;
use kafka_protocol::messages::describe_user_scram_credentials_response::{
    CredentialInfo, DescribeUserScramCredentialsResult,
};
use kafka_protocol::messages::{
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse,
    DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::Call;
use super::acl_creation::Refused;
use super::acls::check_access;
use crate::auth::acl::{Operation, Resource};
use crate::auth::kept_users::{code, entry_name, hash, stored};
use crate::hub::embedded::topics::kept::{Changes, Entries, USER};
use crate::scram::Hash;

/// Credentials that clients may set.
const USERS_MAX: usize = 10_000;

/// What a client wants of one credential: what is stored for it from now on, or nothing.
type Wanted = (Hash, Option<String>);

pub(super) async fn describe(
    call: Arc<Call>,
    request: DescribeUserScramCredentialsRequest,
) -> DescribeUserScramCredentialsResponse {
    let answer = DescribeUserScramCredentialsResponse::default();
    if !call.may(Operation::Describe, Resource::CLUSTER) {
        return answer
            .with_error_code(Code::ClusterAuthorizationFailed.code())
            .with_error_message(Some(StrBytes::from_static_str("Cluster authorization failed.")));
    }
    let mut known: BTreeMap<String, Vec<(Hash, u32)>> = BTreeMap::new();
    for (name, hash, rounds) in call.broker().kept_users().infos() {
        known.entry(name.to_owned()).or_default().push((hash, rounds));
    }
    // Those of the configuration hide others of the same name.
    known.extend(call.broker().configured_users());
    known.retain(|_, credentials| !credentials.is_empty());
    let wanted: Vec<String> = match request.users.filter(|users| !users.is_empty()) {
        Some(users) => users.into_iter().map(|user| user.name.to_string()).collect(),
        None => known.keys().cloned().collect(),
    };
    let mut told = BTreeSet::new();
    let mut results = Vec::with_capacity(wanted.len());
    for name in &wanted {
        if told.insert(name) {
            let is_twice = wanted.iter().filter(|other| *other == name).count() > 1;
            results.push(described(name, is_twice, known.get(name)));
        }
    }
    answer.with_error_message(Some(StrBytes::new())).with_results(results)
}

fn described(
    name: &str,
    is_twice: bool,
    known: Option<&Vec<(Hash, u32)>>,
) -> DescribeUserScramCredentialsResult {
    let answer = DescribeUserScramCredentialsResult::default()
        .with_user(StrBytes::from_string(name.to_owned()));
    let refused = |code: Code, why: String| {
        answer
            .clone()
            .with_error_code(code.code())
            .with_error_message(Some(StrBytes::from_string(why)))
    };
    if is_twice {
        let why = format!(
            "Cannot describe SCRAM credentials for the same user twice in a single request: {name}"
        );
        return refused(Code::DuplicateResource, why);
    }
    let Some(known) = known else {
        let why = format!("Attempt to describe a user credential that does not exist: {name}");
        return refused(Code::ResourceNotFound, why);
    };
    let infos = known.iter().map(|(hash, rounds)| {
        CredentialInfo::default()
            .with_mechanism(code(*hash))
            .with_iterations(i32::try_from(*rounds).unwrap_or(i32::MAX))
    });
    let infos = infos.collect();
    answer.with_error_message(Some(StrBytes::new())).with_credential_infos(infos)
}

pub(super) async fn alter(
    call: Arc<Call>,
    request: AlterUserScramCredentialsRequest,
) -> AlterUserScramCredentialsResponse {
    let mut wanted: BTreeMap<String, Result<Vec<Wanted>, Refused>> = BTreeMap::new();
    let mut add = |name: &StrBytes, one: Result<Wanted, Refused>| {
        let all = wanted.entry(name.to_string()).or_insert_with(|| Ok(Vec::new()));
        let is_twice =
            matches!((&*all, &one), (Ok(all), Ok(one)) if all.iter().any(|known| known.0 == one.0));
        if is_twice {
            let why = "A user credential cannot be altered twice in the same request";
            *all = Err((Code::DuplicateResource, why.to_owned()));
        } else if let Ok(known) = all {
            match one {
                Ok(one) => known.push(one),
                Err(refused) => *all = Err(refused),
            }
        }
    };
    for one in &request.deletions {
        add(&one.name, mechanism(one.mechanism).map(|hash| (hash, None)));
    }
    for one in &request.upsertions {
        add(&one.name, upsertion(one));
    }
    let allowed = check_access(&call, Operation::Alter);
    let mut results = Vec::with_capacity(wanted.len());
    for (name, changes) in wanted {
        let done = match allowed.clone().and(changes) {
            Ok(changes) => change(&call, &name, changes).await,
            Err(refused) => Err(refused),
        };
        let (code, why) = match done {
            Ok(()) => (0, None),
            Err((code, why)) => (code.code(), Some(StrBytes::from_string(why))),
        };
        results.push(
            AlterUserScramCredentialsResult::default()
                .with_user(StrBytes::from_string(name))
                .with_error_code(code)
                .with_error_message(why),
        );
    }
    AlterUserScramCredentialsResponse::default().with_results(results)
}

fn mechanism(code: i8) -> Result<Hash, Refused> {
    hash(code).ok_or_else(|| (Code::UnsupportedSaslMechanism, "Unknown SCRAM mechanism".to_owned()))
}

fn upsertion(one: &ScramCredentialUpsertion) -> Result<Wanted, Refused> {
    let hash = mechanism(one.mechanism)?;
    let stored = stored(hash, &one.salt, &one.salted_password, one.iterations);
    let stored = stored.map_err(|why| (Code::UnacceptableCredential, why.to_owned()))?;
    Ok((hash, Some(stored)))
}

async fn change(call: &Call, name: &str, wanted: Vec<Wanted>) -> Result<(), Refused> {
    let refuse = |why: String| Err((Code::UnacceptableCredential, why));
    if name.is_empty() {
        return refuse("Username must not be empty".to_owned());
    }
    if call.broker().configured_users().contains_key(name) {
        return refuse(format!(
            "user \"{name}\" stands in the configuration (hub.embedded.listeners); change it there"
        ));
    }
    let changed = call.hub().change_kept(|entries| match changes(entries, name, wanted) {
        Ok(changes) => (changes, Ok(())),
        Err(refused) => (Changes::new(), Err(refused)),
    });
    changed.await.map_err(|error| (Code::KafkaStorageError, error.to_string()))??;
    call.broker().take_kept_users();
    Ok(())
}

fn changes(entries: &Entries, name: &str, wanted: Vec<Wanted>) -> Result<Changes, Refused> {
    let key = |hash: Hash| format!("{USER}{}", entry_name(hash, name));
    let missing = |(hash, value): &Wanted| value.is_none() && !entries.contains_key(&key(*hash));
    if wanted.iter().any(missing) {
        let why = "Attempt to delete a user credential that does not exist".to_owned();
        return Err((Code::ResourceNotFound, why));
    }
    let count = entries.keys().filter(|key| key.starts_with(USER)).count();
    if count + wanted.len() > USERS_MAX {
        return Err((Code::PolicyViolation, format!("clients may set {USERS_MAX} users at most")));
    }
    Ok(wanted.into_iter().map(|(hash, value)| (key(hash), value)).collect())
}
