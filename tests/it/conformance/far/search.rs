//! An index of a real Elasticsearch or OpenSearch, behind nginx, since the servers are shared by all tests.

use std::path::Path;

use super::http::auth;
use super::{Far, Refused};
use crate::support::{Gate, Rules, messages, put, search_count, search_hits, server};

struct Index {
    server: String,
    index: String,
    gate: Gate,
}

/// An index of Elasticsearch.
pub(in crate::conformance) fn elasticsearch(at: &Path) -> Option<Box<dyn Far>> {
    open(at, "ANABRANCH_SEARCH")
}

/// An index of OpenSearch.
pub(in crate::conformance) fn opensearch(at: &Path) -> Option<Box<dyn Far>> {
    open(at, "ANABRANCH_OPENSEARCH")
}

fn open(at: &Path, variable: &str) -> Option<Box<dyn Far>> {
    let (server, nginx) = (server(variable)?, server("ANABRANCH_NGINX")?);
    let gate = Gate::start(&nginx, at, &server);
    let index = format!("conformance-{}", uuid::Uuid::new_v4().simple());
    let far = Index { server, index, gate };
    far.set(
        "",
        "{\"settings\":{\"number_of_shards\":1,\"number_of_replicas\":0},\
         \"mappings\":{\"properties\":{\"n\":{\"type\":\"long\"}}}}",
    );
    Some(Box::new(far))
}

impl Index {
    /// Puts `body` at the index itself, past the gate.
    #[track_caller]
    fn set(&self, what: &str, body: &str) {
        let answer = put(&format!("{}/{}{what}", self.server, self.index), body).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}

impl Far for Index {
    fn to(&self, password: Option<&str>) -> String {
        let (url, index, auth) = (self.gate.url(""), &self.index, auth(password));
        format!("elasticsearch: {{ endpoints: [\"{url}\"], index: {index}, auth: {auth} }}")
    }

    fn arrived(&self) -> Vec<String> {
        messages(&search_hits(&self.server, &self.index))
    }

    fn count(&self) -> usize {
        usize::try_from(search_count(&self.server, &self.index)).unwrap()
    }

    fn refuse(&mut self) -> Refused {
        Refused {
            line: |number| format!("{{\"n\":\"a#{number:07} is no number\"}}"),
            reason: "failed to parse field [n]",
        }
    }

    /// 429 is what the server itself answers when its disk is full, item by item; anything else comes from the gate.
    fn be_busy(&mut self, status: Option<u16>) {
        let (blocked, answer) = match status {
            None => ("null", None),
            Some(429) => ("true", None),
            Some(_) => ("null", status),
        };
        let block = format!("{{\"index.blocks.read_only_allow_delete\":{blocked}}}");
        self.set("/_settings", &block);
        self.gate.rule(&Rules { answer, ..Rules::default() });
    }

    fn limit(&mut self, bytes: usize) -> &'static str {
        self.gate.rule(&Rules { body_max: Some(bytes), ..Rules::default() });
        "HTTP 413"
    }

    fn was_too_large(&self) {
        self.gate.wait_answered(413);
    }

    fn go_away(&mut self) {
        self.gate.go_away();
    }

    fn come_back(&mut self) {
        self.gate.come_back();
    }

    fn ask_for(&mut self, password: &str) -> &'static str {
        self.gate.rule(&Rules { password: Some(password.to_owned()), ..Rules::default() });
        "HTTP 401"
    }

    fn hold(&mut self) {
        self.gate.freeze(true);
    }

    fn go_on(&mut self) {
        self.gate.freeze(false);
    }
}
